"""What a step of the machine's clock means for moments that the ledger keeps.

What waits is moved along, so that it is due as long after now as it was before. Nothing that is
known of the inventory stays ahead of the clock: it would make every later right fact stale. Records
are left as they are: they say what the clock said.

The time without a router is like a step for what waits for a registration, which could not come
meanwhile: what has come is read only after the start. Nobody can tell the one from the other.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, bindparam, select, update

from router.domain.timestamps import moment, stamp
from router.domain.words import QuarantineReason
from router.ledger.database import Database
from router.ledger.dialects import least, upsert
from router.ledger.lanes import PENDING
from router.ledger.recorder import ROUTER, Recorder
from router.ledger.tables import (
    actions,
    deliveries,
    holding,
    hubs,
    lanes,
    links,
    lives,
    registrations,
)

_NEWEST = (
    select(links.c.at)
    .where(links.c.writer == bindparam("writer"))
    .order_by(links.c.number.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class MovedAlong:
    """How much was moved along with a step of the clock."""

    deliveries: int
    hubs: int
    registrations: int
    activations: int = 0
    """Those that wait for a registration."""


def newest_moment(database: Database, writer: str) -> datetime | None:
    """What the clock said when this writer (`router`, `operator`) last wrote; None: never."""
    with database.transaction() as connection:
        found = connection.execute(_NEWEST, {"writer": writer}).scalar_one_or_none()
        return None if found is None else moment(found)


def resume(database: Database, now: datetime, step: timedelta) -> None:
    """At the start: what waits for a registration has waited for as long as when a router last ran.

    What is no longer ago than `step` counts; nothing moves where no router ever ran.
    """
    with database.transaction() as connection:
        seen = connection.execute(select(lives.c.seen_at)).scalar_one_or_none()
        newest = connection.execute(_NEWEST, {"writer": ROUTER}).scalar_one_or_none()
        last = max((at for at in (seen, newest) if at is not None), default=stamp(now))
        if abs(now - moment(last)) > step:
            _move_waits(connection, stamp(now) - last)
        write = upsert(lives).values(id=1, running=0, deaths=0, seen_at=stamp(now))
        connection.execute(
            write.on_conflict_do_update(
                index_elements=["id"], set_={"seen_at": write.excluded.seen_at}
            )
        )


def move_along(
    database: Database,
    step: timedelta,
    now: datetime,
    *,
    known: datetime | None = None,
    resumed: bool = False,
) -> MovedAlong:
    """The clock was set by `step`, and says `now`. Recorded as an action.

    What is known of the inventory from moments ahead of `now` is known from `step` earlier, or
    from `known`: then nothing else moves. What waits for a registration stays where it has been
    `resumed`.
    """
    by = step // timedelta(microseconds=1)
    with database.transaction() as connection:
        waiting = _move_deliveries(connection, by) if known is None else 0
        of_hubs = _not_ahead(connection, hubs, now, by, known)
        others = _not_ahead(connection, registrations, now, by, known)
        waits = 0 if resumed else _move_waits(connection, by)
        connection.execute(lives.update().values(seen_at=stamp(now)))
        moved = MovedAlong(waiting, of_hubs, others, waits)
        recorder = Recorder(connection, ROUTER, stamp(now))
        detail = {"step_s": round(step.total_seconds(), 3), **asdict(moved)}
        row = {"operator": "router", "action": "clock step", "detail": json.dumps(detail)}
        recorder.add(actions, {"at": stamp(now), **row})
        recorder.write()
        return moved


def _move_deliveries(connection: Connection, by: int) -> int:
    connection.execute(
        update(lanes).values(closed_at=lanes.c.closed_at + by, rest_until=lanes.c.rest_until + by)
    )
    return connection.execute(
        update(deliveries)
        .where(PENDING)
        .values(due_at=deliveries.c.due_at + by, expires_at=deliveries.c.expires_at + by)
    ).rowcount


def _move_waits(connection: Connection, by: int) -> int:
    statement = (
        update(holding)
        .where(holding.c.reason == QuarantineReason.NO_REGISTRATION.value)
        .values(waits_since=holding.c.waits_since + by)
    )
    return connection.execute(statement).rowcount


def _not_ahead(
    connection: Connection, table: Table, now: datetime, by: int, known: datetime | None
) -> int:
    if by > 0:
        return 0
    at = stamp(now)
    earlier = least(at, table.c.updated_at + by) if known is None else stamp(known)
    statement = update(table).where(table.c.updated_at > at).values(updated_at=earlier)
    return connection.execute(statement).rowcount
