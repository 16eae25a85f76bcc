"""A ledger that is older than one that was already routed on: no number is given twice.

Whoever puts a backup back loses what was recorded since, the numbers of Alerts among it. So each
user's numbers, of which DUIS makes its ResponseIDs, jump past any that may have been given, and the
jump is on record. An older state is known by its own mark, where `ledger backup` made it, and by
heads: the one beside the ledger, and those in `operations.heads`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from router.domain.timestamps import moment, rfc3339, stamp
from router.ledger.actions import JUMP
from router.ledger.database import Database
from router.ledger.dialects import upsert
from router.ledger.proof.heads import ChainEnd, Ends, ends, hash_of
from router.ledger.recorder import ROUTER, Recorder
from router.ledger.tables import actions, lives, sequences

MARGIN = 10_000_000
"""Numbers that are left out: more Alerts than one user gets between a backup and its use."""
WHOEVER_COMES = ""
"""Whose row says from where users begin who have no numbers yet: they may have had some."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done about an older ledger."""

    why: str
    """By what it was known."""
    users: int
    """How many users' numbers jumped."""


def set_ahead(database: Database, heads: Sequence[Ends], now: datetime) -> Restored | None:
    """Let all numbers jump when this ledger is older than what these heads know; else None."""
    with database.transaction() as connection:
        why = _why_older(connection, heads)
        if why is None:
            return None
        connection.execute(lives.update().values(copied_at=None))
        highest = connection.execute(select(func.max(sequences.c.last))).scalar_one() or 0
        connection.execute(sequences.update().values(last=sequences.c.last + MARGIN))
        floor = upsert(sequences).values(service_user_id=WHOEVER_COMES, last=highest + MARGIN)
        connection.execute(
            floor.on_conflict_do_update(["service_user_id"], set_={"last": floor.excluded.last})
        )
        rows = connection.execute(select(sequences).order_by(sequences.c.service_user_id))
        following = {row.service_user_id or "others": row.last + 1 for row in rows}
        detail = {"why": why, "margin": MARGIN, "next": following}
        row = {"operator": "router", "action": JUMP, "detail": json.dumps(detail)}
        recorder = Recorder(connection, ROUTER, stamp(now))
        recorder.add(actions, {"at": stamp(now), **row})
        recorder.write()
        return Restored(why, len(following) - 1)


def begin_numbers(connection: Connection, users: Iterable[str]) -> None:
    """Where numbers have jumped, users who had none by then begin behind the jump, too."""
    own = sequences.c.service_user_id == WHOEVER_COMES
    floor = connection.execute(select(sequences.c.last).where(own)).scalar_one_or_none()
    rows = [{"service_user_id": user, "last": floor} for user in sorted(set(users))]
    if floor is not None and rows:
        connection.execute(upsert(sequences).on_conflict_do_nothing(), rows)


def _why_older(connection: Connection, heads: Sequence[Ends]) -> str | None:
    copied = connection.execute(select(lives.c.copied_at)).scalar_one_or_none()
    if copied is not None:
        return f"it is the backup of {rfc3339(moment(copied), 'seconds')}"
    now = {each.writer: each for each in ends(connection)}
    ledger = next((each.ledger for each in now.values()), None)
    for each in (end for head in heads for end in head if end.ledger == ledger):
        if why := _lost(connection, each, now.get(each.writer)):
            return f"the head of {rfc3339(each.at, 'seconds')} knows {why}"
    return None


def _lost(connection: Connection, known: ChainEnd, last: ChainEnd | None) -> str | None:
    chain = f"the chain of {known.writer}"
    if last is None or last.link < known.link:
        found = f"link {last.link:,}" if last else "nothing"
        return f"{chain} up to link {known.link:,}, and in the ledger there is {found}"
    if hash_of(connection, known) != known.hash:
        return f"another link {known.link:,} of {chain} than the ledger"
    return None
