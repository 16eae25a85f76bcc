"""Large ledgers in a minute: what a real run has left is multiplied in SQL, the schema kept true.

Nothing here knows the tables by heart. Numbers of rows and what refers to them are moved on by
what there was before, devices to other hubs, and what must be unique is made so. The hash chain is
not: `hubherald` does not read it back while it routes.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from market import device

ESTATE = ("hubs", "registrations", "firmware")
"""What there is for each hub."""
STAY = {"documents", "forms", "quarantined"}
"""Records that do not grow with what was decided."""


@dataclass(frozen=True)
class Column:
    """One of a table, and what is known of it."""

    name: str
    of: str | None
    """The table that it refers to."""
    key: bool
    unique: bool
    """Last of the columns that must be unique together."""


class Multiplied:
    """A ledger that grows by copies of what it had at first."""

    def __init__(self, ledger: Path, hubs: int) -> None:
        """`hubs` is how many there are at first."""
        self._ledger = ledger
        self._template = ledger.with_name("template.db")
        self._step = hubs
        self._copies = 0
        shutil.copy(ledger, self._template)

    def grow_hubs(self, hubs: int) -> None:
        """Until there are so many."""
        with closing(self._open()) as connection:
            (have,) = connection.execute("SELECT count(*) FROM hubs").fetchone()
            first, last = have // self._step, hubs // self._step - 1
            for table in ESTATE:
                self._copy(connection, table, first, last, grown={})
            connection.commit()

    def grow_alerts(self, alerts: int) -> None:
        """Until there are about so many, with all that belongs to them."""
        with closing(self._open()) as connection:
            (each,) = connection.execute("SELECT count(*) FROM template.deliveries").fetchone()
            (have,) = connection.execute("SELECT count(*) FROM deliveries").fetchone()
            copies = max((alerts - have) // each, 0)
            tables = self._tables(connection)
            grown = {table: self._numbers(connection, table) for table in tables}
            for table in tables:
                self._copy(connection, table, self._copies + 1, self._copies + copies, grown)
            connection.execute(
                'UPDATE sequences SET "last" = (SELECT max(sequence) FROM deliveries)'
            )
            connection.commit()
            self._copies += copies

    def alerts(self) -> int:
        """How many there are now: each has one delivery here."""
        with closing(sqlite3.connect(self._ledger)) as connection:
            return int(connection.execute("SELECT count(*) FROM deliveries").fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._ledger)
        # a rollback journal would double what is written; the router puts WAL back
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS template", (str(self._template),))
        connection.create_function("moved_device", 2, self._device, deterministic=True)
        connection.create_function("moved_number", 2, self._number, deterministic=True)
        return connection

    def _device(self, text: str | None, copy: int) -> str | None:
        """The hub that stands as far behind as `copy` times all of them."""
        if text is None:
            return None
        return device(int(text.replace("-", "")[8:], 16) + copy * self._step)

    def _number(self, text: str, copy: int) -> str:
        """A meter point of that hub."""
        return str(int(text) + copy * self._step)

    def _tables(self, connection: sqlite3.Connection) -> list[str]:
        """Records, that is what refers to a link of the hash chain, and what refers to them."""
        query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        left = {str(name) for (name,) in connection.execute(query)} - STAY
        found = ["links"]
        for table in found:  # grows meanwhile
            left.discard(table)
            more = {name for name in left if table in self._referred(connection, name).values()}
            found += sorted(more)
            left -= more
        return found

    def _referred(self, connection: sqlite3.Connection, table: str) -> dict[str, str]:
        """By column: the table that it refers to."""
        return {row[3]: row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}

    def _numbers(self, connection: sqlite3.Connection, table: str) -> dict[str, tuple[int, int]]:
        """By column: the highest there is, and the highest of the template."""
        found = {}
        for column in self._columns(connection, table):
            if column.name in ("id", "number", "sequence") or column.key:
                query = f'SELECT max("{column.name}") FROM {{}}.{table}'
                pair = (
                    connection.execute(query.format(of)).fetchone() for of in ("main", "template")
                )
                (have,), (each,) = pair
                if isinstance(each, int):
                    found[column.name] = (have, each)
        return found

    def _columns(self, connection: sqlite3.Connection, table: str) -> Sequence[Column]:
        refers = self._referred(connection, table)
        unique = set()
        for _, index, is_unique, *_ in connection.execute(f"PRAGMA index_list({table})"):
            if is_unique:
                unique.add(
                    [row[2] for row in connection.execute(f"PRAGMA index_info({index})")][-1]
                )
        return [
            Column(name, refers.get(name), bool(key), name in unique)
            for _, name, _, _, _, key in connection.execute(f"PRAGMA table_info({table})")
        ]

    def _copy(
        self,
        connection: sqlite3.Connection,
        table: str,
        first: int,
        last: int,
        grown: dict[str, dict[str, tuple[int, int]]],
    ) -> None:
        """Copies `first` to `last` of what the template has in a table."""
        columns = self._columns(connection, table)
        values = ", ".join(_value(column, table, first, grown) for column in columns)
        connection.execute(
            f"WITH RECURSIVE copies(copy) AS (SELECT {first} WHERE {first} <= {last} UNION ALL"
            f" SELECT copy + 1 FROM copies WHERE copy < {last})"
            f" INSERT INTO main.{table} SELECT {values} FROM copies CROSS JOIN template.{table}"
        )


def _value(
    column: Column, table: str, first: int, grown: dict[str, dict[str, tuple[int, int]]]
) -> str:
    """What a copy has there, in SQL."""
    name = f'"{column.name}"'
    if column.name == "device_id":
        return f"moved_device({name}, copy)"
    if column.name == "mpxn":
        return f"moved_number({name}, copy)"
    of = column.of or table
    moved = grown.get(of, {}).get("id" if column.of else column.name)
    if column.name == "sequence":  # one row for all tables: it is told in several
        moved = grown["deliveries"]["sequence"]
    if moved is not None:
        have, each = moved
        return f"{name} + {have} + (copy - {first}) * {each}"
    if column.unique and not column.of and table not in ESTATE:
        return f"CASE typeof({name}) WHEN 'blob' THEN randomblob(16) ELSE {name} || '~' || copy END"
    return name
