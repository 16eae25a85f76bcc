"""A bulk load of the inventory, in one transaction: the router sees all of it or nothing.

What each row must be by itself is checked before; here is what only the whole load or the
ledger can tell: rows that come twice, and registrations of hubs that nobody knows. An estate
has tens of millions of rows, so what has been seen is kept in a temporary table and not in
memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, bindparam, select

from router.domain.timestamps import stamp
from router.ledger.inventory import (
    HubRow,
    RegistrationRow,
    import_hubs,
    import_registrations,
)
from router.ledger.recorder import Recorder
from router.ledger.tables import actions, hubs

T = TypeVar("T", HubRow, RegistrationRow)
RefusedRows = dict[int, str]
"""By line of the file: why its row was not loaded."""

_seen = Table(
    "import_seen",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("line", Integer, nullable=False),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)
_SEE = "INSERT INTO import_seen (key, line) VALUES (?,?) ON CONFLICT (key) DO NOTHING"
_FIRST = select(_seen.c.key, _seen.c.line).where(_seen.c.key.in_(bindparam("keys", expanding=True)))
_KNOWN = select(hubs.c.device_id).where(hubs.c.device_id.in_(bindparam("devices", expanding=True)))


class Import:
    """One load under way; give it rows in chunks of some thousands, hubs before registrations."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self.connection = connection
        self.at = at
        self.hubs = 0
        self.registrations = 0
        _seen.create(connection)

    def add_hubs(self, rows: Mapping[int, HubRow]) -> RefusedRows:
        """Load these rows, by line; gives those that were refused."""
        refused = self._twice({line: row[0] for line, row in rows.items()})
        fit = _without(rows, refused)
        import_hubs(self.connection, fit)
        self.hubs += len(fit)
        return refused

    def end_of_hubs(self) -> None:
        """Registrations follow: their keys are others."""
        self.connection.execute(_seen.delete())

    def add_registrations(self, rows: Mapping[int, RegistrationRow]) -> RefusedRows:
        """Load these rows, by line; gives those that were refused."""
        known = self._known({row[0] for row in rows.values()})
        refused = {
            line: f"hub {row[0]} is neither in the file of hubs nor in the ledger"
            for line, row in rows.items()
            if row[0] not in known
        }
        keys = {
            line: f"{row[0]} {row[1]} {row[2]}" for line, row in rows.items() if line not in refused
        }
        refused |= self._twice(keys)
        fit = _without(rows, refused)
        import_registrations(self.connection, fit)
        self.registrations += len(fit)
        return refused

    def finish(self, *, operator: str, files: Sequence[str], bad: int, misfits: int) -> None:
        """Leave the record of who loaded what."""
        self.connection.execute(_seen.delete())
        _seen.drop(self.connection)
        recorder = Recorder(self.connection, "operator", stamp(self.at))
        detail = {
            "files": list(files),
            "hubs": self.hubs,
            "registrations": self.registrations,
            "bad_rows": bad,
            "wrong_check_digits": misfits,
        }
        row = {"at": stamp(self.at), "operator": operator, "action": "inventory import"}
        recorder.add(actions, {**row, "detail": json.dumps(detail)})
        recorder.write()

    def _twice(self, keys: Mapping[int, str]) -> RefusedRows:
        if not keys:
            return {}
        given = sorted((key, line) for line, key in keys.items())
        fresh = self.connection.exec_driver_sql(_SEE, given).rowcount
        if fresh == len(given):
            return {}
        found = self.connection.execute(_FIRST, {"keys": sorted(set(keys.values()))})
        first = {row.key: row.line for row in found}
        return {
            line: f"{key} stands in line {first[key]} already; this row is not loaded"
            for line, key in keys.items()
            if first[key] != line
        }

    def _known(self, devices: set[str]) -> set[str]:
        rows = self.connection.execute(_KNOWN, {"devices": sorted(devices)})
        return set(rows.scalars())


def _without(rows: Mapping[int, T], refused: RefusedRows) -> list[T]:
    """The fit rows, sorted: a B-tree takes neighbours quicker than strangers."""
    return sorted(row for line, row in rows.items() if line not in refused)
