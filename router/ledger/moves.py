"""What waits on one lane goes to another lane of the same user, as an operator says.

Each delivery keeps its sequence, its attempts and the form in which it may have been taken; the
time that it spent behind a closed lane is given back, and responsibility is read again. The other
lane may have a delivery of the same Alert, as every channel gets every Alert: then that one goes
on, and this one is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    exists,
    func,
    not_,
    select,
    update,
)

from router.domain.timestamps import stamp
from router.errors import UsageError
from router.files.suggestions import closest
from router.lanes.picking import REREAD
from router.lanes.values import (
    ClosedReason,
    DeliveryState,
    LaneKey,
    Settlement,
)
from router.ledger.actions import Operator
from router.ledger.database import Database
from router.ledger.deliveries import settle
from router.ledger.dialects import greatest, numbers, texts
from router.ledger.lanes import PENDING, TOGETHER, behind
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import alerts, deliveries, lanes

AT_ONCE = 10_000
"""How many are withdrawn in one transaction: each leaves a record."""
GETS_IT = (
    DeliveryState.WAITING,
    DeliveryState.SENDING,
    DeliveryState.UNKNOWN,
    DeliveryState.DELIVERED,
)
"""A delivery in one of these reaches its user, or has."""
_others = deliveries.alias("others")


# --- by an operator -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneMoved:
    """What a move did, or would do."""

    service_user_id: str
    from_channel: str
    to_channel: str
    moved: int
    withdrawn: int
    """The other channel sends these Alerts already, or has."""
    under_way: int
    """Left where they are: an answer is awaited, for them or for another Alert of their hub."""
    closed: ClosedReason | None
    """Why the other lane is closed; None where it is open."""


def move_lane(
    database: Database, old: LaneKey, new: LaneKey, operator: Operator, *, dry_run: bool = False
) -> LaneMoved:
    """Move what waits. UsageError when the lanes are not two of one user that are to be had."""
    with database.transaction() as connection:
        gone, come = _two(connection, old, new)
        busy = _under_way(connection, gone)
        waits = _free(gone, busy)
        goes_to = waits & has_it(come.id, *GETS_IT)
        total = _count(connection, waits)
        withdrawn = _count(connection, goes_to)
        done = LaneMoved(
            service_user_id=gone.service_user_id,
            from_channel=gone.channel,
            to_channel=come.channel,
            moved=total - withdrawn,
            withdrawn=withdrawn,
            under_way=len(busy),
            closed=ClosedReason(come.closed) if come.closed else None,
        )
        if dry_run or not total:
            return done
        moved = move(connection, gone, come, operator.now, waits & not_(has_it(come.id)))
        told = {"user": old[0], "from": old[1], "to": new[1], "deliveries": moved}
        left = _merge(connection, waits, (gone, come), told, operator)
    while left:
        told = {**told, "deliveries": 0}
        with database.transaction() as connection:
            left = _merge(connection, waits, (gone, come), told, operator)
    return done


def _two(connection: Connection, old: LaneKey, new: LaneKey) -> tuple[Row[Any], Row[Any]]:
    if old[0] != new[0]:
        raise UsageError(
            f"{old[0]} and {new[0]} are two users; what was decided for one is for no other"
        )
    gone, come = lane_row(connection, old), lane_row(connection, new)
    if gone.id == come.id:
        raise UsageError(f"{'/'.join(old)} is both; name the channel that it goes to")
    if come.unnamed_at is not None:
        raise UsageError(
            f"service_users.yaml does not name {'/'.join(new)} any more; "
            f"{_those(connection, new[0])}, and a new one has its lane after `hubherald reload`"
        )
    return gone, come


def _those(connection: Connection, user: str) -> str:
    named = select(lanes.c.channel).where(
        lanes.c.service_user_id == user, lanes.c.unnamed_at.is_(None)
    )
    found = sorted(connection.execute(named).scalars())
    return f"it has {', '.join(found)}" if found else "the user has no channel"


def lane_row(connection: Connection, key: LaneKey) -> Row[Any]:
    """A lane by its name. UsageError with what was probably meant."""
    rows = connection.execute(select(lanes)).all()
    for row in rows:
        if (row.service_user_id, row.channel) == key:
            return row
    own = [row for row in rows if row.service_user_id == key[0]] or rows
    near = closest("/".join(key), [f"{row.service_user_id}/{row.channel}" for row in own])
    hint = f"did you mean {near}?" if near else "`hubherald lanes list` shows those there are"
    raise UsageError(f"there is no lane {'/'.join(key)}; {hint}")


def _under_way(connection: Connection, lane: Row[Any]) -> set[int]:
    """What must stay while answers are awaited: there are never two for one hub at once."""
    pending = (
        select(deliveries.c.id, deliveries.c.batch, alerts.c.device_id)
        .join(alerts, alerts.c.id == deliveries.c.alert)
        .where(deliveries.c.lane_id == lane.id, PENDING)
    )
    sending = pending.where(deliveries.c.state == DeliveryState.SENDING.value)
    hubs = {row.device_id for row in connection.execute(sending)}
    rows = connection.execute(pending.where(alerts.c.device_id.in_(texts(hubs)))).all()
    batches = {row.batch for row in rows if row.batch is not None}
    together = select(deliveries.c.id).where(
        deliveries.c.lane_id == lane.id, TOGETHER, deliveries.c.batch.in_(texts(batches))
    )
    return {row.id for row in rows} | {*connection.execute(together).scalars()}


def _free(lane: Row[Any], busy: set[int]) -> ColumnElement[bool]:
    """What waits on the lane, but for these."""
    return and_(
        deliveries.c.lane_id == lane.id,
        PENDING,
        deliveries.c.state != DeliveryState.SENDING.value,
        deliveries.c.id.not_in(numbers(busy)),
    )


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    counting = select(func.count()).select_from(deliveries).where(which)
    return int(connection.execute(counting).scalar_one())


def _merge(
    connection: Connection,
    waits: ColumnElement[bool],
    lanes_of: tuple[Row[Any], Row[Any]],
    told: Mapping[str, object],
    operator: Operator,
) -> bool:
    """Some of what waits for which the other lane has a delivery of its own: that is the one that
    goes on, and is taken up again where it was given up. Leaves the record of the move, and says
    whether there may be more."""
    gone, come = lanes_of
    both = select(deliveries.c.id, deliveries.c.alert).where(waits, has_it(come.id))
    rows = connection.execute(both.limit(AT_ONCE)).all()
    revived = _revive(connection, gone, come, [row.alert for row in rows], operator.now)
    state, detail = DeliveryState.WITHDRAWN, f"it goes by channel {come.channel}"
    recorder = Recorder(connection, OPERATOR, stamp(operator.now))
    settle(
        connection,
        recorder,
        [
            Settlement(row.id, state.value, state, operator.now, reason="moved", detail=detail)
            for row in rows
        ],
    )
    operator.add(recorder, "lanes move", {**told, "withdrawn": len(rows), "revived": revived})
    recorder.write()
    return len(rows) == AT_ONCE


def _revive(
    connection: Connection, gone: Row[Any], come: Row[Any], of: Sequence[int], now: datetime
) -> int:
    """Let wait again on the lane what was parked or withdrawn there. Gives how many."""
    at = stamp(now)
    left = select(_others.c.expires_at + behind(gone, at, of=_others)).where(
        _others.c.lane_id == gone.id, _others.c.alert == deliveries.c.alert
    )
    revived = connection.execute(
        update(deliveries)
        .where(deliveries.c.alert.in_(numbers(of)), deliveries.c.lane_id == come.id)
        .where(deliveries.c.state.not_in([state.value for state in GETS_IT]))
        .values(
            state=DeliveryState.WAITING.value,
            due_at=at,
            refusals=0,
            aside=0,
            recheck=greatest(deliveries.c.recheck, REREAD),
            expires_at=greatest(deliveries.c.expires_at, left.scalar_subquery() - behind(come, at)),
        )
    )
    return int(revived.rowcount)


# --- by whoever moves -----------------------------------------------------------------------


def has_it(lane: int, *states: DeliveryState) -> ColumnElement[bool]:
    """The lane has a delivery of the same Alert, in one of these states if any are given."""
    same = and_(_others.c.alert == deliveries.c.alert, _others.c.lane_id == lane)
    there = exists().where(same)
    return there.where(_others.c.state.in_([each.value for each in states])) if states else there


def move(
    connection: Connection, old: Row[Any], new: Row[Any], now: datetime, which: ColumnElement[bool]
) -> int:
    """Move these to a lane that has no delivery of their Alerts; each may go at once, in its
    order. Gives how many."""
    at = stamp(now)
    # when the new lane opens, it gives all the time back since it was closed: what was before is
    # taken off here, as it was spent on the old one
    lost = behind(old, at) - behind(new, at)
    changed = connection.execute(
        update(deliveries)
        .where(deliveries.c.lane_id == old.id, which)
        .values(
            lane_id=new.id,
            due_at=at,
            refusals=0,  # the other side there has refused nothing
            aside=0,
            recheck=greatest(deliveries.c.recheck, REREAD),
            expires_at=deliveries.c.expires_at + lost,
        )
    )
    return int(changed.rowcount)
