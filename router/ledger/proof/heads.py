"""Heads: the ends of all chains at a moment, kept where nobody who can change the ledger can.

Against a head also a tail that was cut is seen, a chain that was dropped, and one that was written
anew from some record on: by itself such a chain is as sound as any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from router.domain.timestamps import moment, rfc3339
from router.errors import UsageError
from router.ledger.database import Database
from router.ledger.prepared import Prepared
from router.ledger.proof.flaws import Flaw, written_at
from router.ledger.store import store_of
from router.ledger.tables import links

LARGEST = 1_000_000
"""Bytes of a file with a head."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last link of a chain."""

    ledger: int
    """The number that tells this ledger from others; copies of it have the same."""
    writer: str
    link: int
    """Its number in the chain."""
    at: datetime
    """When it was written."""
    hash: str


Ends = Sequence[ChainEnd]
_FOLLOWING = Prepared(
    select(func.min(links.c.writer)).where(links.c.writer > bindparam("writer")), ("writer",)
)
_LAST = Prepared(
    select(links.c.number, links.c.at, links.c.hash)
    .where(links.c.writer == bindparam("writer"))
    .order_by(links.c.number.desc())
    .limit(1),
    ("writer",),
)


def ends(connection: Connection) -> list[ChainEnd]:
    """The end of every chain, in order of the writers' names."""
    ledger = store_of(connection).number(connection)
    found, writer = [], ""
    # from writer to writer by the index, which holds every link
    while (following := _FOLLOWING.ask(connection, writer)[0][0]) is not None:
        writer = following
        ((number, at, hash_),) = _LAST.ask(connection, writer)
        found.append(ChainEnd(ledger, writer, number, written_at(at) or moment(0), hash_))
    return found


def ends_of(database: Database) -> list[ChainEnd]:
    """The same, in a transaction of its own."""
    with database.transaction() as connection:
        return ends(connection)


def ends_aside(database: Database) -> list[ChainEnd]:
    """The same, of the router's own ledger, without a lock that others wait for."""
    with database.aside() as connection:
        return ends(connection)


def as_text(found: Ends) -> str:
    """A head as it is kept: a JSON array, a chain an object."""
    rows = [
        {
            "ledger": each.ledger,
            "writer": each.writer,
            "link": each.link,
            "at": rfc3339(each.at),
            "hash": each.hash,
        }
        for each in found
    ]
    return json.dumps(rows, indent=1) + "\n"


def read_head(file: Path) -> list[ChainEnd]:
    """A head from where it is kept. UsageError where none stands in the file."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST)
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from None
    try:
        return [_end(row) for row in json.loads(content)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(
            f"{file} is no head of a ledger; `hubherald ledger head > FILE` writes one"
        ) from None


def _end(row: Mapping[str, Any]) -> ChainEnd:
    writer, link, hash_ = row["writer"], row["link"], row["hash"]
    if not (isinstance(writer, str) and isinstance(link, int) and isinstance(hash_, str)):
        raise TypeError(row)
    return ChainEnd(int(row["ledger"]), writer, link, datetime.fromisoformat(row["at"]), hash_)


def against(connection: Connection, head: Ends) -> Flaw | None:
    """What the ledger no longer has of what a head says that it had."""
    now = {each.writer: each for each in ends(connection)}
    for each in head:
        named = f"the chain of {each.writer}"
        kept = f"at {rfc3339(each.at)} it went to link {each.link:,} with hash {each.hash[:12]}..."
        last = now.get(each.writer)
        if last is None:
            return Flaw("dropped", named, writer=each.writer, detail=f"{kept}; now there is none")
        if last.link < each.link:
            detail = f"{kept}; now it ends at link {last.link:,}"
            return Flaw("cut", named, writer=each.writer, detail=detail)
        if hash_of(connection, each) != each.hash:
            detail = f"{kept}; now that link has another one: it, or one before, is another"
            return Flaw("rewritten", named, writer=each.writer, detail=detail)
    return None


def hash_of(connection: Connection, end: ChainEnd) -> str | None:
    """The hash that the link of a head has now; None where there is none."""
    own = (links.c.writer == end.writer) & (links.c.number == end.link)
    return connection.execute(select(links.c.hash).where(own)).scalar_one_or_none()
