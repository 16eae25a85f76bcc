"""A bulk load of the inventory: set aside and checked first, then loaded in portions.

What each row must be by itself is checked before; here is what only the whole load or the ledger
can tell: rows that come twice, and registrations of hubs that nobody knows. An estate has tens of
millions of rows, so they are set aside in tables (`staging.py`) and not in memory; nobody waits for
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
from router.ledger.driver import change, change_each, read
from router.ledger.inventory import HubRow, RegistrationRow
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.staging import Staging
from router.ledger.tables import actions

RefusedRows = dict[int, str]
"""By line of the file: why its row was not loaded."""
PORTION = 5_000
"""Hubs that are loaded together: some tenths of a second in which nobody else can write."""
WHOLE_HOMES = 4 * PORTION
"""The most hubs and meter points that are followed to hubs that share a meter point with them."""
PAUSE = 0.1
"""Seconds between two portions; who waits for SQLite looks as often."""

_PUT_ASIDE = "INSERT INTO {}{} VALUES ({}) ON CONFLICT DO NOTHING"
_LINE_OF_HUB = "SELECT line FROM {}hubs WHERE device_id = ?"
_LINE_OF_REGISTRATION = (
    "SELECT line FROM {}registrations WHERE device_id = ? AND mpxn = ? AND effective_from = ?"
)
_COUNT = """
SELECT count(*) FROM (
    SELECT device_id FROM {0}hubs UNION SELECT device_id FROM {0}registrations) AS homes
"""


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
        self._staging = Staging.of(database.connection)
        self.hubs = 0
        self.registrations = 0

    def __enter__(self) -> Self:
        with self._database.aside() as connection:
            self._staging.make(connection)
        return self

    def __exit__(self, *exc: object) -> None:
        with self._database.aside() as connection:
            self._staging.unmake(connection)

    def add_hubs(self, rows: Mapping[int, HubRow]) -> RefusedRows:
        """Set these rows aside, by line; gives those that were refused."""
        with self._database.aside() as connection:
            refused = self._put_aside(connection, "hubs", rows, keys=1, first=_LINE_OF_HUB)
        self.hubs += len(rows) - len(refused)
        return refused

    def add_registrations(self, rows: Mapping[int, RegistrationRow]) -> RefusedRows:
        """Set these rows aside, by line; gives those that were refused."""
        with self._database.aside() as connection:
            devices = json.dumps(sorted({row[0] for row in rows.values()}))
            strange = {row[0] for row in read(connection, self._staging.strange, (devices,))}
            refused = {
                line: f"hub {row[0]} is neither in the file of hubs nor in the ledger"
                for line, row in rows.items()
                if row[0] in strange
            }
            known = {line: row for line, row in rows.items() if row[0] not in strange}
            refused |= self._put_aside(
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
            ((total,),) = read(connection, _COUNT.format(self._staging.prefix))
            self._staging.index(connection)
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
            count = change(connection, self._staging.choose, (*([PORTION] * 3), WHOLE_HOMES))
        with self._database.transaction() as connection:
            self._load(connection, stamp(clock()), record)
        with self._database.aside() as connection:
            self._staging.done(connection)
        return count

    def _put_aside(
        self,
        connection: Connection,
        name: str,
        rows: Mapping[int, tuple[Any, ...]],
        *,
        keys: int,
        first: str,
    ) -> RefusedRows:
        if not rows:
            return {}
        given: list[tuple[Any, ...]] = sorted((*each, line) for line, each in rows.items())
        marks = ",".join("?" * len(given[0]))
        statement = _PUT_ASIDE.format(self._staging.prefix, name, marks)
        if change_each(connection, statement, given) == len(given):
            return {}
        refused = {}
        for line, each in rows.items():
            key = tuple(map(str, each[:keys]))
            ((there,),) = read(connection, first.format(self._staging.prefix), key)
            if there != line:
                refused[line] = (
                    f"{' '.join(key)} stands in line {there} already; this row is not loaded"
                )
        return refused

    def _load(self, connection: Connection, at: int, record: ImportRecord) -> None:
        """The portion that was chosen, with the record of who loaded it."""
        hubs = change(connection, self._staging.load_hubs, (at,))
        registrations = change(connection, self._staging.load_registrations, (at,))
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
