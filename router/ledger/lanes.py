"""The lanes in the ledger: open or closed and why, and what waits on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    bindparam,
    literal,
    select,
    text,
    update,
)

from router.domain.timestamps import stamp
from router.lanes.picking import REREAD
from router.lanes.values import (
    ClosedReason,
    LaneAnswer,
    LaneChange,
)
from router.ledger import backlog
from router.ledger.database import Database
from router.ledger.dialects import greatest, upsert
from router.ledger.prepared import Prepared
from router.ledger.tables import alerts, deliveries, lanes

# Literal, letter for letter as in the partial indexes: with bound values SQLite would not use them.
PENDING = text(backlog.PENDING)
PARKED = text("deliveries.state = 'parked'")
TOGETHER = text("deliveries.batch IS NOT NULL AND deliveries.state IN ('waiting', 'unknown')")

_ANSWERED = Prepared(
    update(lanes)
    .where(lanes.c.id == bindparam("key"))
    .values(
        last_answer=bindparam("answer"),
        last_answer_at=bindparam("when"),
        rest_until=bindparam("rest"),
    ),
    ("key", "answer", "when", "rest"),
)


def change_lanes(
    connection: Connection,
    changes: Sequence[LaneChange],
    answers: Mapping[int, LaneAnswer],
    now: datetime,
) -> None:
    """Write what became of lanes, and what their other sides last said.

    A lane that an operator paused stays paused until an operator resumes it.
    """
    paused = ClosedReason.OPERATOR.value
    for change in changes:
        closed = select(lanes.c.closed).where(lanes.c.id == change.lane_id)
        if connection.execute(closed).scalar_one() != paused:
            change_lane(connection, change)
    rows = [
        (lane, answer.words, stamp(now), stamp(answer.rest_until) if answer.rest_until else None)
        for lane, answer in answers.items()
    ]
    _ANSWERED.run(connection, rows)


def behind(lane: Row[Any], at: int, *, of: FromClause = deliveries) -> ColumnElement[int]:
    """How long each delivery has been behind this lane: not at all where it is open, and from its
    decision on where that came later."""
    if not lane.closed:
        return literal(0)
    decided = select(alerts.c.decided_at).where(alerts.c.id == of.c.alert)
    held: ColumnElement[int] = greatest(0, at - greatest(lane.closed_at, decided.scalar_subquery()))
    return held


def change_lane(connection: Connection, change: LaneChange) -> None:
    """Close a lane, or open it: then its Alerts get the time back in which it was closed."""
    row = connection.execute(select(lanes).where(lanes.c.id == change.lane_id)).one()
    if change.closed is not None:
        connection.execute(
            update(lanes)
            .where(lanes.c.id == change.lane_id)
            .values(
                closed=change.closed.value,
                closed_detail=change.detail,
                closed_at=row.closed_at if row.closed else stamp(change.at),
                closed_until=None,
            )
        )
        return
    if row.closed is None:
        return
    connection.execute(
        update(deliveries)
        .where(deliveries.c.lane_id == change.lane_id, PENDING)
        .values(
            recheck=greatest(deliveries.c.recheck, REREAD),
            expires_at=deliveries.c.expires_at + behind(row, stamp(change.at)),
        )
    )
    connection.execute(
        update(lanes)
        .where(lanes.c.id == change.lane_id)
        .values(closed=None, closed_detail=None, closed_at=None, closed_until=None, rest_until=None)
    )


def put_lanes(
    connection: Connection, wanted: Iterable[tuple[str, str, str]], now: datetime
) -> None:
    """Make the lanes of (user, channel, adapter) that are new, and note which nobody names."""
    rows = [
        {"service_user_id": user, "channel": channel, "adapter": adapter}
        for user, channel, adapter in wanted
    ]
    unnamed = update(lanes).where(lanes.c.unnamed_at.is_(None)).values(unnamed_at=stamp(now))
    connection.execute(unnamed)
    if not rows:
        return
    write = upsert(lanes)
    write = write.on_conflict_do_update(
        index_elements=["service_user_id", "channel"],
        set_={"adapter": write.excluded.adapter, "unnamed_at": None},
    )
    connection.execute(write, rows)


def why_closed(database: Database) -> dict[int, ClosedReason | None]:
    """By lane: why it is closed; None where it is open."""
    with database.transaction() as connection:
        rows = connection.execute(select(lanes.c.id, lanes.c.closed))
        return {row.id: ClosedReason(row.closed) if row.closed else None for row in rows}


def resting(database: Database) -> set[int]:
    """The lanes that rest; an operator may have woken others."""
    with database.transaction() as connection:
        rows = connection.execute(select(lanes.c.id).where(lanes.c.rest_until.is_not(None)))
        return set(rows.scalars())
