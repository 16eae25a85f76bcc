"""Which record it is, where the hash of a link is not that of its records.

The hash says only that something differs. Marks say where; numbers, which have no gap, say whether
a record is gone or is one too many; and a record that has the mark of another place was moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, select

from router.ledger import chain
from router.ledger.driver import Parameters
from router.ledger.proof.flaws import ChainLink, Flaw, in_link, of_record, one_of
from router.ledger.proof.streams import Stream
from router.ledger.recorder import STORED
from router.ledger.tables import links

ByTable = Mapping[str, Sequence[Parameters]]
MOST = 100
"""Records that are tried for one that is gone."""


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the records of one table begin to differ from the marks of their link."""

    link: ChainLink
    stream: Stream
    rows: Sequence[Parameters]
    stored: Sequence[bytes]
    at: int

    @property
    def row(self) -> Parameters | None:
        """What stands there; None where nothing does any more."""
        return self.rows[self.at] if self.at < len(self.rows) else None

    @property
    def number(self) -> int | None:
        """The number of what stood there; None where records have none."""
        return self.stream.expected + self.at if self.stream.numbered else None

    @property
    def missing(self) -> bytes | None:
        """Its mark; None where there never was one."""
        return self.stored[self.at] if self.at < len(self.stored) else None

    def mark(self, row: Parameters) -> bytes:
        """That of a record as it is."""
        return _mark(row[: self.stream.width])

    def was(self, row: Parameters, place: int) -> bool:
        """Whether this is the record that stood at a place of the link, but for number and link."""
        wanted = self.stored[place]
        there = list(row[: self.stream.width])
        there[self.stream.link] = self.link.id
        if self.stream.numbered:
            there[0] = self.stream.expected + place
        return _mark(there) == wanted


def _mark(record: Sequence[Any]) -> bytes:
    return chain.digests([record])[0][: chain.MARK]


def blame(
    connection: Connection, link: ChainLink, streams: Sequence[Stream], found: ByTable
) -> Flaw:
    """The first record of a link that is not as it was."""
    if link.marks is None:
        return _by_numbers(link, streams, found) or one_of(link, found)
    try:
        marks = chain.read_marks(link.marks)
    except ValueError:
        return _of_the_link(link, "its marks are none")
    for stream in streams:
        rows = found.get(stream.name, ())
        stored = marks.get(stream.name, [])
        now = [_mark(row[: stream.width]) for row in rows]
        if now != stored:
            pairs = zip(now, stored, strict=False)
            same = next((at for at, (is_, was) in enumerate(pairs) if is_ != was), None)
            at = min(len(now), len(stored)) if same is None else same
            return _at(connection, _Spot(link, stream, rows, stored, at), found)
    return _of_the_link(
        link, "its records are as they were; its number, moment, hash or marks are not"
    )


def _of_the_link(link: ChainLink, detail: str) -> Flaw:
    return in_link(link, "changed", "the link itself", table="links", number=link.id, detail=detail)


def stray(connection: Connection, link: ChainLink | None, stream: Stream, row: Parameters) -> Flaw:
    """A record that should not stand where it does, among those of `link`: moved, or added."""
    row = row[: stream.width]
    was = _origin(connection, stream, row)
    return of_record(link, "moved" if was else "added", stream.name, row, was)


def _origin(connection: Connection, stream: Stream, row: Parameters) -> str:
    """What a record was that was moved; empty where no link has ever had it."""
    tried = list(row)
    numbers = {row[0], *_first_gap(connection, stream)}
    for link in connection.execute(select(links.c.id, links.c.marks).order_by(links.c.id)):
        tried[stream.link] = link.id
        try:
            known = chain.read_marks(link.marks or b"").get(stream.name, ())
        except ValueError:
            continue
        for tried[0] in numbers if known else ():
            if _mark(tried) in known:
                return f"it was record {tried[0]}, in link {link.id} of the ledger"
    return ""


def _first_gap(connection: Connection, stream: Stream) -> list[int]:
    """The first number that is missing in a table."""
    if not stream.numbered:
        return []
    number = STORED[stream.name].c.id
    following = STORED[stream.name].alias().c.id
    gap = select(number + 1).where(number > 0, ~exists().where(following == number + 1))
    first = connection.execute(select(number).where(number == 1)).all()
    return [*connection.execute(gap.order_by(number).limit(1)).scalars()] if first else [1]


def _at(connection: Connection, place: _Spot, found: ByTable) -> Flaw:
    row, name, link = place.row, place.stream.name, place.link
    if row is None:
        return _gone(connection, place, found)
    if (home := _home(place, row)) is not None:
        return of_record(link, "moved", name, row, home)
    if _is_one_too_many(place, row):
        return stray(connection, link, place.stream, row)
    if _stood_behind(place, row):
        return _gone(connection, place, found)
    return of_record(link, "changed", name, row)


def _is_one_too_many(place: _Spot, row: Parameters) -> bool:
    if place.missing is None:
        return True
    if place.number is not None:
        return bool(row[0] < place.number)
    return place.missing in [place.mark(each) for each in place.rows[place.at + 1 :]]


def _stood_behind(place: _Spot, row: Parameters) -> bool:
    """Whether something is missing before it."""
    if place.number is not None:
        return bool(row[0] > place.number)
    return place.mark(row) in place.stored[place.at + 1 :]


def _home(place: _Spot, row: Parameters) -> str | None:
    """Where in its link a record stood that stands elsewhere in it now."""
    for other in range(len(place.stored) if place.stream.numbered else 0):
        number = place.stream.expected + other
        if number != row[0] and place.was(row, other):
            return f"it was record {number}"
    return None


def _gone(connection: Connection, place: _Spot, found: ByTable) -> Flaw:
    """What is not where it was: it is elsewhere, or nowhere any more."""
    name, number = place.stream.name, place.number
    for row in _candidates(connection, place):
        if place.was(row, place.at):
            of = f"record {number} of " if number is not None else ""
            return of_record(place.link, "moved", name, row, f"it was {of}link {place.link.id}")
    ahead = place.stream.head()
    if number is not None and ahead is not None and ahead[0] < number:
        return stray(connection, place.link, place.stream, ahead)
    if name == "evaluations":
        return _grounds_gone(place, found)
    named = f"record {number} of {name}" if number is not None else f"one of {name}"
    return in_link(place.link, "removed", named, table=name, number=number)


def _candidates(connection: Connection, place: _Spot) -> list[Parameters]:
    """What may be the record that is gone: what has its number, or its link and stands apart."""
    table, number = place.stream.table, place.number
    stored = STORED[table.name]
    key = stored.c[table.columns.keys()[0]]
    apart = select(key).where(stored.c.link == place.link.id).limit(MOST + len(place.stored))
    keys = {row[0] for row in connection.execute(apart)} - {row[0] for row in place.rows}
    if number is not None:
        keys.add(number)
    own = table.c[key.name]
    found = connection.execute(select(table).where(own.in_(sorted(keys)[:MOST])))
    return [tuple(row) for row in found]


def _grounds_gone(place: _Spot, found: ByTable) -> Flaw:
    """They are of an activation, one each: the first that has none has lost them."""
    there = {row[0] for row in place.rows}
    for fact in found.get("facts", ()):
        if fact[5] == "decided" and fact[0] not in there:
            named = f"the grounds of the decisions on fact {fact[0]}"
            return in_link(place.link, "removed", named, table="evaluations", number=fact[0])
    return in_link(place.link, "removed", "grounds of decisions", table="evaluations")


def _by_numbers(link: ChainLink, streams: Sequence[Stream], found: ByTable) -> Flaw | None:
    """Without marks: a gap in the numbers, or a number too many."""
    for stream in streams:
        if not stream.numbered:
            continue
        rows = found.get(stream.name, ())
        for wanted, row in enumerate(rows, start=stream.expected):
            if row[0] < wanted:
                return of_record(link, "added", stream.name, row)
            if row[0] > wanted:
                return _removed(link, stream.name, wanted)
        ahead, following = stream.head(), stream.expected + len(rows)
        if ahead is not None and ahead[0] > following:
            return _removed(link, stream.name, following)
    return None


def _removed(link: ChainLink, table: str, number: int) -> Flaw:
    named = f"record {number} of {table}"
    return in_link(link, "removed", named, table=table, number=number)
