"""The relay's side of the ledger: lanes, and the Alerts that wait on them.

One transaction settles what came back and claims what goes out next, for all lanes at once: one
sync to disk serves them all. An attempt is written before its send, so that a crash leaves
`unknown` and not nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, or_, select, update

from router.domain.timestamps import moment, stamp
from router.lanes.picking import Picked, WaitingDelivery, pick
from router.lanes.values import (
    Claimed,
    DeliveryState,
    Exchanged,
    LaneAnswer,
    LaneChange,
    Settlement,
    Wish,
    Withdrawn,
)
from router.ledger.database import Database
from router.ledger.inventory import read_inventory
from router.ledger.lanes import PENDING, change_lanes
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import alerts, attempts, deliveries, facts, outcomes
from router.ports import Alert, Delivery, Outcome

_COLUMNS = {
    **{column.name: column for column in deliveries.c},
    **{name: alerts.c[name] for name in ("event", "device_id", "service_user_id")},
    "received_at": facts.c.received_at,
}
_WAITING = (
    select(*(_COLUMNS[name] for name in WaitingDelivery._fields))
    .join(alerts, alerts.c.id == deliveries.c.alert)
    .join(facts, facts.c.id == alerts.c.fact_id)
    .where(
        deliveries.c.lane_id == bindparam("lane"),
        PENDING,
        deliveries.c.state != DeliveryState.SENDING.value,
        # a refusal is the Alert's own: others may pass while it waits for its next try
        or_(
            (deliveries.c.refusals == 0) & (deliveries.c.aside == 0),
            deliveries.c.due_at <= bindparam("now"),
        ),
    )
    .order_by(deliveries.c.sequence)
    .limit(bindparam("most"))
)
_NEXT_REFUSED = select(func.min(deliveries.c.due_at)).where(
    deliveries.c.lane_id == bindparam("lane"),
    PENDING,
    deliveries.c.state == DeliveryState.WAITING.value,
    or_(deliveries.c.refusals > 0, deliveries.c.aside == 1),
)
_SENT = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=DeliveryState.SENDING.value,
        attempts=bindparam("attempt"),
        batch=bindparam("together"),
        rendered=bindparam("bytes"),
        recheck=0,
    )
)
_SETTLED = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=bindparam("to"),
        due_at=func.coalesce(bindparam("due"), deliveries.c.due_at),
        refusals=bindparam("refused"),
        batch=bindparam("together"),
        aside=bindparam("aside"),
    )
)


def settle(connection: Connection, recorder: Recorder, settled: Iterable[Settlement]) -> None:
    """Write what became of deliveries."""
    rows: list[Row] = []
    for each in settled:
        recorder.add(
            outcomes,
            {
                "delivery_id": each.id,
                "attempt": each.attempt,
                "at": stamp(each.at),
                "outcome": each.outcome,
                "reason": each.reason,
                "detail": each.detail,
            },
        )
        rows.append(
            {
                "key": each.id,
                "to": each.state.value,
                "due": stamp(each.due_at) if each.due_at else None,
                "refused": each.refusals,
                "together": each.batch,
                "aside": int(each.aside),
            }
        )
    if rows:
        connection.execute(_SETTLED, rows)


def exchange(
    database: Database,
    *,
    settled: Sequence[Settlement],
    answers: Mapping[int, LaneAnswer],
    changes: Sequence[LaneChange],
    wishes: Sequence[Wish],
    now: datetime,
    withdrawn: Withdrawn,
) -> Exchanged:
    """Settle and claim in one transaction."""
    with database.transaction() as connection:
        recorder = Recorder(connection, "router", stamp(now))
        settle(connection, recorder, settled)
        change_lanes(connection, changes, answers, now)
        sends: dict[int, list[list[Claimed]]] = {}
        next_due: dict[int, datetime | None] = {}
        ended: dict[int, list[Settlement]] = {}
        for wish in wishes:
            picked = _picked(connection, wish, now, withdrawn)
            next_due[wish.lane_id] = picked.next_due
            if picked.requests:
                sends[wish.lane_id] = _claim(connection, recorder, wish, picked.requests, now)
            if picked.ended:
                ended[wish.lane_id] = picked.ended
                settle(connection, recorder, picked.ended)
        recorder.write()
        return Exchanged(sends, next_due, ended)


def _picked(connection: Connection, wish: Wish, now: datetime, withdrawn: Withdrawn) -> Picked:
    """What this lane may send of what waits on it."""
    most = max(wish.sends * wish.most, wish.span if wish.failing else 0)
    given = {"lane": wish.lane_id, "now": stamp(now), "most": most}
    waiting = [WaitingDelivery._make(row) for row in connection.execute(_WAITING, given)]
    pairs = [(each.device_id, each.service_user_id) for each in waiting if each.recheck]
    devices = {device for device, _ in pairs}
    gone = withdrawn(read_inventory(connection, devices), pairs) if pairs else set()
    picked = pick(waiting, wish, now, gone)
    if not picked.requests and picked.next_due is None and not picked.blocked:
        refused = connection.execute(_NEXT_REFUSED, {"lane": wish.lane_id}).scalar_one()
        picked.next_due = moment(refused) if refused is not None else None
    return picked


def _claim(
    connection: Connection,
    recorder: Recorder,
    wish: Wish,
    requests: Sequence[Sequence[WaitingDelivery]],
    now: datetime,
) -> list[list[Claimed]]:
    claimed: list[list[Claimed]] = []
    rows: list[Row] = []
    for members in requests:
        batch = members[0].batch
        if batch is None and len(members) > 1:
            batch = str(members[0].id)
        group = []
        for row in members:
            alert = Alert.from_event(row.event)
            rendered = row.rendered
            unrendered: Outcome | None = None
            if rendered is None and wish.render is not None:
                made = wish.render(alert)
                rendered, unrendered = (made, None) if isinstance(made, bytes) else (None, made)
            attempt = row.attempts + 1
            recorder.add(
                attempts,
                {"delivery_id": row.id, "at": stamp(now), "number": attempt, "batch": batch},
            )
            rows.append({"key": row.id, "attempt": attempt, "together": batch, "bytes": rendered})
            group.append(
                Claimed(
                    row.id,
                    wish.lane_id,
                    Delivery(alert, row.event if rendered is None else rendered),
                    moment(row.received_at),
                    attempt,
                    row.refusals,
                    moment(row.expires_at),
                    batch,
                    bool(row.aside),
                    unrendered,
                )
            )
        claimed.append(group)
    connection.execute(_SENT, rows)
    return claimed


def lost_attempts(database: Database, now: datetime) -> int:
    """After a crash: what was being sent is `unknown`, and due at once. Gives how many."""
    with database.transaction() as connection:
        rows = connection.execute(
            select(
                deliveries.c.id,
                deliveries.c.attempts,
                deliveries.c.refusals,
                deliveries.c.batch,
                deliveries.c.aside,
            ).where(PENDING, deliveries.c.state == DeliveryState.SENDING.value)
        ).all()
        recorder = Recorder(connection, "router", stamp(now))
        settle(
            connection,
            recorder,
            [
                Settlement(
                    row.id,
                    "unknown",
                    DeliveryState.UNKNOWN,
                    now,
                    row.attempts,
                    "crash",
                    "the router stopped before the answer came",
                    due_at=now,
                    refusals=row.refusals,
                    batch=row.batch,
                    aside=bool(row.aside),
                )
                for row in rows
            ],
        )
        recorder.write()
        return len(rows)
