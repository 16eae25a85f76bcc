"""What waits on one lane goes to another lane of the same user.

The router does it by itself where one channel takes over from another, in the transaction that
takes up the files; an operator does it with a command, beside a router that may be running. Each
delivery keeps its sequence, its attempts and the form in which it may have been taken; the time
that it spent behind a closed lane is given back, and responsibility is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
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
from router.lanes.succession import successions
from router.lanes.values import (
    ClosedReason,
    DeliveryState,
    LaneKey,
    LaneRow,
    Settlement,
    TakenOver,
)
from router.ledger.actions import Operator
from router.ledger.database import Database
from router.ledger.deliveries import settle
from router.ledger.lanes import PENDING, TOGETHER, behind, put_lanes, read_lanes
from router.ledger.recorder import Recorder
from router.ledger.tables import actions, alerts, deliveries, lanes

AT_ONCE = 10_000
"""How many are withdrawn in one transaction: each leaves a record."""
_others = deliveries.alias("others")


# --- by the router itself -------------------------------------------------------------------


def fit_lanes(
    connection: Connection,
    recorder: Recorder,
    wanted: Sequence[tuple[str, str, str]],
    now: datetime,
    *,
    trigger: str,
) -> dict[LaneKey, LaneRow]:
    """Make the lanes of (user, channel, adapter) that are new, and have them take over.

    Gives every lane there is. `trigger` says in the record what the files were read for.
    """
    before = read_lanes(connection)
    taken = successions(before, [(user, channel) for user, channel, _ in wanted])
    put_lanes(connection, wanted, now)
    took: dict[LaneKey, TakenOver] = {}
    for old, new in taken.items():
        took[new] = _take_over(connection, before[old], new, now)
        _record(recorder, old, new, took[new], trigger)
    after = read_lanes(connection)
    return {key: replace(row, took_over=took.get(key)) for key, row in after.items()}


def _take_over(connection: Connection, old: LaneRow, new: LaneKey, now: datetime) -> TakenOver:
    gone, come = _row(connection, (old.service_user_id, old.channel)), _row(connection, new)
    # what is under way goes along: the router has its answers brought to where it is then
    count = _move(connection, gone, come, now, PENDING & not_(_there(come.id)))
    paused = gone.closed == ClosedReason.OPERATOR
    if paused:
        closed = {"closed": gone.closed, "closed_detail": gone.closed_detail}
        _change(connection, come.id, {**closed, "closed_at": stamp(now)})
        _change(connection, gone.id, {"closed": ClosedReason.USER_REMOVED.value})
    return TakenOver(old.id, old.channel, count, paused)


def _record(recorder: Recorder, old: LaneKey, new: LaneKey, took: TakenOver, trigger: str) -> None:
    if not took.deliveries and not took.paused:
        return
    told = {"user": old[0], "from": old[1], "to": new[1], "deliveries": took.deliveries}
    detail = json.dumps({"trigger": trigger, **told, "paused": took.paused})
    row = {"operator": "router", "action": "lanes move", "detail": detail}
    recorder.add(actions, {"at": recorder.at, **row})


# --- by an operator -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneMoved:
    """What a move did, or would do."""

    service_user_id: str
    from_channel: str
    to_channel: str
    moved: int
    withdrawn: int
    """The other channel has these Alerts already: they would reach its user twice."""
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
        moving, twice = waits & not_(_there(come.id)), waits & _there(come.id)
        done = LaneMoved(
            service_user_id=gone.service_user_id,
            from_channel=gone.channel,
            to_channel=come.channel,
            moved=_count(connection, moving),
            withdrawn=_count(connection, twice),
            under_way=len(busy),
            closed=ClosedReason(come.closed) if come.closed else None,
        )
        if dry_run or not done.moved + done.withdrawn:
            return done
        told = {"user": old[0], "from": old[1], "to": new[1]}
        moved = _move(connection, gone, come, operator.now, moving)
        left = _withdraw(connection, twice, {**told, "deliveries": moved}, operator)
    while left:
        with database.transaction() as connection:
            left = _withdraw(connection, twice, told, operator)
    return done


def _two(connection: Connection, old: LaneKey, new: LaneKey) -> tuple[Row[Any], Row[Any]]:
    if old[0] != new[0]:
        raise UsageError(
            f"{old[0]} and {new[0]} are two users; what was decided for one is for no other"
        )
    gone, come = _row(connection, old), _row(connection, new)
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


def _row(connection: Connection, key: LaneKey) -> Row[Any]:
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
    rows = connection.execute(pending.where(alerts.c.device_id.in_(_values(hubs)))).all()
    batches = {row.batch for row in rows if row.batch is not None}
    together = select(deliveries.c.id).where(
        deliveries.c.lane_id == lane.id, TOGETHER, deliveries.c.batch.in_(_values(batches))
    )
    return {row.id for row in rows} | {*connection.execute(together).scalars()}


def _free(lane: Row[Any], busy: set[int]) -> ColumnElement[bool]:
    """What waits on the lane, but for these."""
    return and_(
        deliveries.c.lane_id == lane.id,
        PENDING,
        deliveries.c.state != DeliveryState.SENDING.value,
        deliveries.c.id.not_in(_values(busy)),
    )


def _values(found: Iterable[int | str]) -> Select[Any]:
    """As many as there may be, in one bound value."""
    return select(func.json_each(json.dumps(list(found))).table_valued("value").c.value)


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    counting = select(func.count()).select_from(deliveries).where(which)
    return int(connection.execute(counting).scalar_one())


def _withdraw(
    connection: Connection,
    which: ColumnElement[bool],
    told: Mapping[str, object],
    operator: Operator,
) -> bool:
    """End some of these, and leave the record of the move; whether there may be more."""
    recorder = Recorder(connection, "operator", stamp(operator.now))
    found = connection.execute(select(deliveries.c.id).where(which).limit(AT_ONCE)).scalars().all()
    state, detail = DeliveryState.WITHDRAWN, f"channel {told['to']} has this Alert already"
    ended = [
        Settlement(each, state.value, state, operator.now, reason="moved", detail=detail)
        for each in found
    ]
    settle(connection, recorder, ended)
    operator.add(recorder, "lanes move", {**told, "withdrawn": len(found)})
    recorder.write()
    return len(found) == AT_ONCE


# --- by both --------------------------------------------------------------------------------


def _there(lane: int) -> ColumnElement[bool]:
    """The lane has had a delivery of the same Alert: every channel gets every Alert once."""
    return exists().where(_others.c.alert == deliveries.c.alert, _others.c.lane_id == lane)


def _move(
    connection: Connection, old: Row[Any], new: Row[Any], now: datetime, which: ColumnElement[bool]
) -> int:
    """Move these; each may go at once, in its order. Gives how many."""
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
            recheck=1,
            expires_at=deliveries.c.expires_at + lost,
        )
    )
    return int(changed.rowcount)


def _change(connection: Connection, lane: int, values: Mapping[str, object]) -> None:
    connection.execute(update(lanes).where(lanes.c.id == lane).values(**values))
