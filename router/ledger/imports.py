"""A bulk load of the inventory: set aside and checked first, then loaded in portions.

What each row must be by itself is checked before; here is what only the whole load or the ledger
can tell: rows that come twice, and registrations of hubs that nobody knows. An estate has tens of
millions of rows, so they are set aside in temporary tables and not in memory; nobody waits for
that. Then each portion of hubs is loaded with its registrations in one transaction, and between
two of them others have the ledger.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection

from router.clock import Clock
from router.domain.timestamps import stamp
from router.files.counts import plural
from router.ledger.database import Database, LedgerUnavailable
from router.ledger.inventory import REPLACE_HUB, REPLACE_REGISTRATION, HubRow, RegistrationRow
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import actions

RefusedRows = dict[int, str]
"""By line of the file: why its row was not loaded."""
PORTION = 5_000
"""Hubs that are loaded together: some tenths of a second in which nobody else can write."""
WHOLE_HOMES = 4 * PORTION
"""The most hubs and meter points that are followed to hubs that share a meter point with them."""
PAUSE = 0.1
"""Seconds between two portions; who waits for SQLite looks as often."""

_HUB = (
    'device_id, status, smets_version, csp_region, model, hardware_version, replaced_by, "groups"'
)
_REGISTRATION = (
    "device_id, mpxn, effective_from, point, supplier_id, network_operator_id, effective_to"
)
_MAKE = (
    "PRAGMA temp.cache_size = -65536",
    f"CREATE TEMP TABLE import_hubs ({_HUB}, line, PRIMARY KEY (device_id)) WITHOUT ROWID",
    f"CREATE TEMP TABLE import_registrations ({_REGISTRATION}, line,"
    " PRIMARY KEY (device_id, mpxn, effective_from)) WITHOUT ROWID",
    "CREATE TEMP TABLE import_portion (device_id PRIMARY KEY) WITHOUT ROWID",
)
_UNMAKE = tuple(
    f"DROP TABLE IF EXISTS temp.import_{name}" for name in ("hubs", "registrations", "portion")
)
_PUT_ASIDE = "INSERT INTO import_{} VALUES ({}) ON CONFLICT DO NOTHING"
_LINE_OF_HUB = "SELECT line FROM import_hubs WHERE device_id = ?"
_LINE_OF_REGISTRATION = (
    "SELECT line FROM import_registrations WHERE device_id = ? AND mpxn = ? AND effective_from = ?"
)
_STRANGE = """
SELECT value FROM json_each(?)
WHERE NOT EXISTS (SELECT 1 FROM import_hubs WHERE device_id = value)
    AND NOT EXISTS (SELECT 1 FROM main.hubs WHERE device_id = value)
"""
_COUNT = """
SELECT count(*) FROM (
    SELECT device_id FROM import_hubs UNION SELECT device_id FROM import_registrations)
"""
_BY_POINT = "CREATE INDEX temp.import_by_point ON import_registrations (mpxn)"
# A meter point may move from hub to hub: what is decided on one half of that may be wrong.
_CHOOSE = """
INSERT INTO import_portion
WITH RECURSIVE
next (device_id) AS (
    SELECT * FROM (SELECT device_id FROM import_hubs ORDER BY device_id LIMIT :portion)
    UNION
    SELECT * FROM (
        SELECT DISTINCT device_id FROM import_registrations ORDER BY device_id LIMIT :portion)
    ORDER BY 1 LIMIT :portion
),
homes (device_id, shared) AS (
    SELECT device_id, NULL FROM next
    UNION
    SELECT NULL, mpxn FROM homes JOIN import_registrations USING (device_id)
    UNION
    SELECT other.device_id, NULL FROM homes JOIN import_registrations AS other ON mpxn = shared
    LIMIT :most
)
SELECT device_id FROM homes WHERE device_id IS NOT NULL
"""
_LOAD = """
INSERT INTO {0} ({1}, updated_at) SELECT {1}, ? FROM import_{0}
WHERE device_id IN (SELECT device_id FROM import_portion) ORDER BY device_id {2}
"""
_LOAD_HUBS = _LOAD.format("hubs", _HUB, REPLACE_HUB)
_LOAD_REGISTRATIONS = _LOAD.format("registrations", _REGISTRATION, REPLACE_REGISTRATION)
_DONE = (
    "DELETE FROM import_hubs WHERE device_id IN (SELECT device_id FROM import_portion)",
    "DELETE FROM import_registrations WHERE device_id IN (SELECT device_id FROM import_portion)",
    "DELETE FROM import_portion",
)


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """What the ledger remembers of an import besides what was loaded."""

    operator: str
    files: Sequence[str]
    bad: int
    misfits: int


class Import:
    """One load under way; give it rows in chunks of some thousands, hubs before registrations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.hubs = 0
        self.registrations = 0

    def __enter__(self) -> Self:
        self._aside(*_MAKE)
        return self

    def __exit__(self, *exc: object) -> None:
        self._aside(*_UNMAKE)

    def add_hubs(self, rows: Mapping[int, HubRow]) -> RefusedRows:
        """Set these rows aside, by line; gives those that were refused."""
        with self._database.aside() as connection:
            refused = _put_aside(connection, "hubs", rows, keys=1, first=_LINE_OF_HUB)
        self.hubs += len(rows) - len(refused)
        return refused

    def add_registrations(self, rows: Mapping[int, RegistrationRow]) -> RefusedRows:
        """Set these rows aside, by line; gives those that were refused."""
        with self._database.aside() as connection:
            devices = json.dumps(sorted({row[0] for row in rows.values()}))
            strange = set(connection.exec_driver_sql(_STRANGE, (devices,)).scalars())
            refused = {
                line: f"hub {row[0]} is neither in the file of hubs nor in the ledger"
                for line, row in rows.items()
                if row[0] in strange
            }
            known = {line: row for line, row in rows.items() if row[0] not in strange}
            refused |= _put_aside(
                connection, "registrations", known, keys=3, first=_LINE_OF_REGISTRATION
            )
        self.registrations += len(rows) - len(refused)
        return refused

    def load(self, record: ImportRecord, clock: Clock, loaded: Callable[[int, int], None]) -> None:
        """Load what was set aside: each portion is there whole, and on record, or not at all.

        `loaded` is told how many hubs are done, and of how many, from 0 on. LedgerUnavailable says
        how far it came.
        """
        with self._database.aside() as connection:
            total = connection.exec_driver_sql(_COUNT).scalar_one()
            connection.exec_driver_sql(_BY_POINT)
        done = 0
        loaded(done, total)
        while True:
            try:
                done += self._load_portion(record, clock)
            except LedgerUnavailable as error:
                raise LedgerUnavailable(
                    f"{error}; loaded are {done:,} of {plural(total, 'hub')}, and the same command"
                    " again loads all of them"
                ) from error
            loaded(done, total)
            if done >= total:
                return
            record = replace(record, bad=0, misfits=0)  # they are in the record of the first
            time.sleep(PAUSE)

    def _load_portion(self, record: ImportRecord, clock: Clock) -> int:
        """How many hubs were loaded."""
        with self._database.aside() as connection:
            given = {"portion": PORTION, "most": WHOLE_HOMES}
            count = connection.exec_driver_sql(_CHOOSE, given).rowcount
        with self._database.transaction() as connection:
            _load(connection, stamp(clock()), record)
        self._aside(*_DONE)
        return count

    def _aside(self, *statements: str) -> None:
        with self._database.aside() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


def _put_aside(
    connection: Connection, name: str, rows: Mapping[int, tuple[Any, ...]], *, keys: int, first: str
) -> RefusedRows:
    if not rows:
        return {}
    given: list[tuple[Any, ...]] = sorted((*each, line) for line, each in rows.items())
    marks = ",".join("?" * len(given[0]))
    statement = _PUT_ASIDE.format(name, marks)
    if connection.exec_driver_sql(statement, given).rowcount == len(given):
        return {}
    refused = {}
    for line, each in rows.items():
        key = tuple(map(str, each[:keys]))
        there = connection.exec_driver_sql(first, key).scalar_one()
        if there != line:
            refused[line] = (
                f"{' '.join(key)} stands in line {there} already; this row is not loaded"
            )
    return refused


def _load(connection: Connection, at: int, record: ImportRecord) -> None:
    """The portion that was chosen, with the record of who loaded it."""
    hubs = connection.exec_driver_sql(_LOAD_HUBS, (at,)).rowcount
    registrations = connection.exec_driver_sql(_LOAD_REGISTRATIONS, (at,)).rowcount
    recorder = Recorder(connection, OPERATOR, at)
    detail = {
        "files": list(record.files),
        "hubs": hubs,
        "registrations": registrations,
        "bad_rows": record.bad,
        "wrong_check_digits": record.misfits,
    }
    row = {"at": at, "operator": record.operator, "action": "inventory import"}
    recorder.add(actions, {**row, "detail": json.dumps(detail)})
    recorder.write()
