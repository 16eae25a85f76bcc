"""All chains worked out again from what the ledger tells, beside a router that goes on.

Each table is read once, in order, as a stream; the streams are taken link by link. What is read is
one state of the ledger for a slice at a time: a single transaction over hours would keep SQLite
from folding its log into the database. Records only grow, so the slices are one state in the end:
that of the beginning, up to the link that was the last then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from router.ledger import chain
from router.ledger.chain import GENESIS
from router.ledger.database import Database, LedgerUnavailable
from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.proof import sent
from router.ledger.proof.blame import blame, stray
from router.ledger.proof.flaws import ChainLink, Flaw, in_link
from router.ledger.proof.heads import ChainEnd, Ends, against, ends
from router.ledger.proof.streams import BEFORE_ALL, Stream
from router.ledger.tables import RECORDS, attempts, links

SLICE = 50_000
"""Records that are read in one transaction, about: a second."""
_LINKS = Prepared(
    select(*(links.c[name] for name in ChainLink._fields))
    .where(links.c.id > bindparam("after"), links.c.id <= bindparam("last"))
    .order_by(links.c.id),
    ("after", "last"),
)
_PLACE = {table.name: place for place, table in enumerate(RECORDS)}


@dataclass
class Verified:
    """What came of it."""

    records: int = 0
    links: int = 0
    ends: list[ChainEnd] = field(default_factory=list)
    """Up to where each chain was read."""
    uncovered: int = 0
    """Messages whose bytes an older Hubherald sent, and covered by no record."""
    flaw: Flaw | None = None
    """The first that is wrong; nothing behind it was read."""


def verify(
    database: Database,
    heads: Sequence[Ends] = (),
    *,
    begin: Callable[[int], None] = lambda _: None,
    advance: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Work all chains out again, then hold them against heads that were exported.

    `begin` is told how many links there are, `advance` how many more are done.
    """
    try:
        return _verified(database, heads, begin, advance)
    except LedgerUnavailable as error:
        if "decode" not in str(error):
            raise
    # somebody wrote what is no text: it is read once more in a way that takes anything, and longer
    driver: Any = database.connection.connection.driver_connection
    driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    return _verified(database, heads, begin, advance)


def _verified(
    database: Database,
    heads: Sequence[Ends],
    begin: Callable[[int], None],
    advance: Callable[[int], None],
) -> Verified:
    with database.transaction() as connection:
        last = connection.execute(select(func.max(links.c.id))).scalar_one() or 0
        result = Verified(ends=ends(connection))
    begin(last)
    walk = _Walk(last, result)
    while not walk.done:
        before = result.links
        with database.transaction() as connection:
            walk.go_on(connection)
        advance(result.links - before)
    if result.flaw is None:
        with database.transaction() as connection:
            found = (against(connection, head) for head in heads)
            flaw = next((flaw for flaw in found if flaw), None)
            result.flaw = flaw or sent.left_over(connection)
    return result


class _Walk:
    """From link to link, with the streams of all tables beside it."""

    def __init__(self, last: int, result: Verified) -> None:
        self.done = False
        self._last = last
        self._result = result
        self._after = 0
        self._ends: dict[str, tuple[int, str]] = {}
        self._streams = [Stream(table) for table in RECORDS]

    def go_on(self, connection: Connection) -> None:
        """The next slice."""
        for stream in self._streams:
            stream.open(connection)
        cursor = _LINKS.stream(connection, self._after or BEFORE_ALL, self._last)
        try:
            flaw = self._slice(connection, cursor)
            if flaw is None and self.done:
                flaw = self._rest(connection)
        finally:
            for each in (cursor, *self._streams):
                each.close()
        if flaw is not None:
            self._result.flaw, self.done = flaw, True

    def _slice(self, connection: Connection, cursor: Any) -> Flaw | None:
        enough = self._result.records + SLICE
        for row in cursor:
            link = ChainLink._make(row)
            if flaw := self._out_of_turn(connection, link) or self._records(connection, link):
                return flaw
            self._after = link.id
            self._ends[link.writer] = link.number, link.hash
            self._result.links += 1
            if self._result.records >= enough:
                return None
        self.done = True
        return None

    def _out_of_turn(self, connection: Connection, link: ChainLink) -> Flaw | None:
        """Whether another link should stand here."""
        number, previous = self._ends.get(link.writer, (0, GENESIS))
        more: dict[str, Any] = {"table": "links", "number": link.id}
        if link.id > self._after + 1:
            missing = self._after + 1
            named = f"link {missing} of the ledger"
            return Flaw("removed", named, table="links", number=missing)
        if link.id <= self._after:
            return in_link(link, "added", "a link", **more)
        if link.number != number + 1:
            detail = f"link {number + 1:,} of its chain should stand here"
            return in_link(link, "moved", "a link", **more, detail=detail)
        if link.previous != previous:
            detail = "the hash of the link before is another one"
            return in_link(link, "changed", "the link itself", **more, detail=detail)
        for stream in self._streams:
            ahead = stream.head()
            if ahead is not None and not _may_come(ahead[stream.link], link):
                return stray(connection, link, stream, ahead)
        return None

    def _records(self, connection: Connection, link: ChainLink) -> Flaw | None:
        found = {}
        for stream in self._streams:
            if rows := stream.take(link.id):
                found[stream.name] = rows
        first = chain.head(link.writer, link.number, link.at, link.previous)
        if _sealed(link, first, found) != (link.hash, link.marks):
            return blame(connection, link, self._streams, found)
        for attempt in found.get("attempts", ()):
            if flaw := sent.mismatch(connection, link, attempt):
                return flaw
            self._result.uncovered += sent.uncovered(attempt, link)
        for name, rows in found.items():
            self._streams[_PLACE[name]].expected += len(rows)
            self._result.records += len(rows)
        return None

    def _rest(self, connection: Connection) -> Flaw | None:
        """Records behind the last link, or of none."""
        for stream in self._streams:
            ahead = stream.head()
            if ahead is None:
                continue
            of = select(links).where(links.c.id == ahead[stream.link], links.c.id > self._last)
            if connection.execute(of).first() is None:
                return stray(connection, None, stream, ahead)
        return None


_WIDTH = len(attempts.columns)


def _may_come(named: object, link: ChainLink) -> bool:
    """Whether a record that names this link may stand behind what was taken."""
    return isinstance(named, int) and named >= link.id


def _sealed(
    link: ChainLink, first: bytes, found: dict[str, list[Parameters]]
) -> tuple[str, bytes | None]:
    """The hash and the marks of a link, from its records."""
    records = found
    if tried := found.get("attempts"):  # without what their deliveries say
        records = {**found, "attempts": [row[:_WIDTH] for row in tried]}
    if link.marks is None:
        return chain.first_form_hash(first, records), None
    digests = {name: chain.digests(rows) for name, rows in records.items()}
    return chain.link_hash(first, digests), chain.marks(digests)
