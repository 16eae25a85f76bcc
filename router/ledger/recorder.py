"""The records of one transaction, and the link of the hash chain that covers them.

Each transaction that adds records adds one link for its writer: SHA-256 over the link's writer,
number, moment and previous hash, and over every record, in the order of `tables.RECORDS` and of
their ids (documents: as they were added). `chain.py` says in which form. Hashed is a record as the
views of `tables.py` tell it, however it is stored. One chain for each writer and not one for all: a
global chain would make replicas wait for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select

from router.ledger import chain
from router.ledger.chain import GENESIS
from router.ledger.database import Database
from router.ledger.driver import Parameters
from router.ledger.packing import FORMS
from router.ledger.prepared import Prepared
from router.ledger.store import DOUBT, WRITTEN, SetBack, store_of
from router.ledger.tables import RECORDS, attempts, deliveries, links

Row = dict[str, Any]
ROUTER = "router"
"""The writer that nobody else is: one router holds a ledger."""
OPERATOR = "operator"
"""The writer of commands, of which several may run."""
_WRITTEN = (*RECORDS[: RECORDS.index(attempts)], deliveries, *RECORDS[RECORDS.index(attempts) :])
"""Deliveries are no records, but attempts refer to them, as they refer to Alerts."""
_COLUMNS = {table.name: tuple(table.columns.keys()) for table in (links, *_WRITTEN)}
_LAST_LINK = Prepared(
    select(links.c.number, links.c.hash)
    .where(links.c.writer == bindparam("writer"))
    .order_by(links.c.number.desc())
    .limit(1),
    ("writer",),
)
STORED = {
    table.name: FORMS[table.name].table if table.name in FORMS else table
    for table in (links, *_WRITTEN)
}
"""By name: the table that its rows are in."""
_INSERT = {
    name: Prepared(insert(table), FORMS[name].columns if name in FORMS else _COLUMNS[name])
    for name, table in STORED.items()
}
_HIGHEST = {
    name: Prepared(select(func.coalesce(func.max(table.c.id), 0)), ())
    for name, table in STORED.items()
    if "id" in table.c
}
Chained = tuple[int, str]
"""Number and hash of a link."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a connection knows of the records since it wrote some, as long as nobody else writes."""

    version: int
    """Of the ledger: it moves when another process changes it."""
    last: Chained | None
    """The last link of the router, which is this process."""
    following: Mapping[str, int]
    """By table, the next free number."""


class Recorder:
    """Gathers records, gives them numbers, and writes them with their link."""

    def __init__(self, connection: Connection, writer: str, at: int) -> None:
        self.connection = connection
        self.writer = writer
        self.at = at
        self.rows: defaultdict[str, list[Parameters]] = defaultdict(list)
        """By table, as records are told and hashed."""
        self._stored: defaultdict[str, list[Parameters]] = defaultdict(list)
        self._link: int | None = None
        store = store_of(connection)
        self._memory = store.memory
        self.version = store.version(connection)
        known: Written | None = self._memory.get(WRITTEN)
        self._known = known if known is not None and known.version == self.version else None
        self._next: dict[str, int] = dict(self._known.following) if self._known else {}

    def number(self, table: Table) -> int:
        """The next free number of a table (the write lock makes it ours)."""
        following = self._next.get(table.name)
        if following is None:
            following = int(_HIGHEST[table.name].ask(self.connection)[0][0]) + 1
        self._next[table.name] = following + 1
        return following

    @property
    def link(self) -> int:
        """The number of the link that will cover these records."""
        if self._link is None:
            self._link = self.number(links)
        return self._link

    def add(self, table: Table, row: Row) -> int:
        """Add one record; gives its id (0 for tables without one)."""
        if table.name in _HIGHEST:
            row["id"] = self.number(table)
        whole = {**row, "link": self.link}
        self.put(table, tuple(map(whole.get, _COLUMNS[table.name])))
        return int(row.get("id", 0))

    def put(self, table: Table, row: Parameters, stored: Parameters | None = None) -> None:
        """Add one record, or a delivery, as its columns stand: with its number and link.

        `stored` is what is written of it, where that has another form.
        """
        self.rows[table.name].append(row)
        if stored is not None:
            self._stored[table.name].append(stored)

    def write(self) -> None:
        """Write all of it. Nothing, not even a link, when nothing was added."""
        if not self.rows:
            return
        end = self._last_link()
        number, previous = (end[0] + 1, end[1]) if end else (1, GENESIS)
        row: Row = {
            "id": self.link,
            "writer": self.writer,
            "number": number,
            "at": self.at,
            "previous": previous,
        }
        digests = {
            table.name: chain.digests(found)
            for table in RECORDS
            if (found := self.rows.get(table.name))
        }
        first = chain.head(self.writer, number, self.at, previous)
        row |= {"hash": chain.link_hash(first, digests), "marks": chain.marks(digests)}
        _INSERT["links"].run(self.connection, [tuple(map(row.get, _COLUMNS["links"]))])
        for table in _WRITTEN:
            rows = self._stored.get(table.name) or self.rows.get(table.name)
            if rows:
                _INSERT[table.name].run(self.connection, rows)
        before: Written | None = self._memory.get(WRITTEN)
        last = before.last if before is not None else None
        if self.writer == ROUTER:
            last = (number, row["hash"])
        self._memory[WRITTEN] = Written(self.version, last, self._next)

    def _last_link(self) -> Chained | None:
        if self.writer == ROUTER and self._known is not None and self._known.last is not None:
            return self._known.last
        return last_link(self.connection, self.writer)


def last_link(connection: Connection, writer: str) -> Chained | None:
    """The end of a writer's chain. LedgerGone when it is the router's, and not as it left it."""
    rows = _LAST_LINK.ask(connection, writer)
    found: Chained | None = (rows[0][0], rows[0][1]) if rows else None
    store = store_of(connection)
    written: Written | None = store.memory.get(WRITTEN)
    known = written.last if written is not None else None
    if writer == ROUTER and known is not None and found not in {known, store.memory.get(DOUBT)}:
        raise SetBack(
            f"{store.name}: the ledger was set back or exchanged while it was "
            f"open: the last record of this router is not in it; nothing more is taken or sent. "
            f"Restore a backup only while the router is stopped: on an older state, what was sent "
            f"since is sent again under numbers that others have"
        )
    return found


def changes(database: Database) -> int:
    """A number that moves when another process has changed the ledger.

    LedgerGone when it is not the one any more that this router has written.
    """
    with database.looking() as connection:
        last_link(connection, ROUTER)
        return store_of(connection).version(connection)
