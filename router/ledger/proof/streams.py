"""The records of one table in order, link by link, and never all of them in memory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    func,
    literal_column,
    select,
)

from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.tables import attempts, deliveries, documents

PORTION = 1000
"""Rows that are read at once."""
BEFORE_ALL = -(2**63)
"""What is smaller than every number of a row."""


class Stream:
    """Gives the records of each link in turn; what does not come in turn stays at its head."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = table.name
        self.width = len(table.columns)
        self.link = table.columns.keys().index("link")
        self.numbered = "id" in table.c
        """Whether its records are numbered from 1 without a gap."""
        self.expected = 1
        """The number that its next record has, where they are numbered."""
        self._after: Any = "" if table is documents else BEFORE_ALL
        self._question = Prepared(_in_order(table), ("after",))
        self._cursor: Any = None
        self._rows: list[Parameters] = []
        self._place = 0

    def open(self, connection: Connection) -> None:
        """Read on, in this transaction, from after what was given."""
        self._cursor = self._question.stream(connection, self._after)
        self._rows, self._place = [], 0

    def close(self) -> None:
        """Nothing is read any more until it is opened again."""
        self._cursor.close()

    def head(self) -> Parameters | None:
        """The record that comes next; None at the end."""
        if self._place == len(self._rows):
            self._rows, self._place = self._cursor.fetchmany(PORTION), 0
        return self._rows[self._place] if self._rows else None

    def take(self, link: int) -> list[Parameters]:
        """Those of a link, which come next."""
        found: list[Parameters] = []
        while (row := self.head()) is not None and row[self.link] == link:
            rows, start = self._rows, self._place
            place, of = start + 1, self.link
            while place < len(rows) and rows[place][of] == link:
                place += 1
            found += rows[start:place]
            self._place = place
        if found:
            self._after = found[-1][0]
        return found


def _in_order(table: Table) -> Select[Any]:
    """From after one record on; attempts with what their delivery says that they sent."""
    if table is documents:  # they have no number: they are hashed as they were added
        row: ColumnElement[int] = literal_column("rowid")
        before = select(row).where(table.c.digest == bindparam("after")).scalar_subquery()
        return select(table).where(row > func.coalesce(before, BEFORE_ALL)).order_by(row)
    key = table.c[table.columns.keys()[0]]
    found = select(table)
    if table is attempts:
        found = found.add_columns(deliveries.c.alert, deliveries.c.rendered).outerjoin(
            deliveries, deliveries.c.id == table.c.delivery_id
        )
    return found.where(key > bindparam("after")).order_by(key)
