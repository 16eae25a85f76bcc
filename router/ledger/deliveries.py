"""The relay's side of the ledger: lanes, and the Alerts that wait on them.

One transaction settles what came back and claims what goes out next, for all lanes at once: one
sync to disk serves them all. An attempt is written before its send, so that a crash leaves
`unknown` and not nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)

from router.domain.timestamps import moment, stamp
from router.lanes.picking import REREAD, Picked, WaitingDelivery, pick
from router.lanes.values import (
    Claimed,
    DeliveryState,
    Exchanged,
    News,
    Settlement,
    Wish,
    Withdrawn,
)
from router.ledger.claims import FORM, claim
from router.ledger.database import Database
from router.ledger.driver import Parameters
from router.ledger.inventory import read_inventory
from router.ledger.lanes import PENDING, TOGETHER, change_lanes
from router.ledger.prepared import Prepared
from router.ledger.recorder import ROUTER, Chained, Recorder
from router.ledger.store import DOUBT, store_of
from router.ledger.tables import alerts, attempts, deliveries, facts, forms, links, outcomes

ENDING = 100
"""How much a lane that fails looks at, at least: their time may be up, all together."""
_ITS_OWN = deliveries.c.sent_by.is_not_distinct_from(bindparam("adapter"))
"""What the delivery's own columns say of its form is of the adapter that asks."""
_COLUMNS = {
    **{column.name: column for column in deliveries.c},
    **{name: alerts.c[name] for name in ("event", "device_id", "service_user_id")},
    **{name: case((_ITS_OWN, deliveries.c[name]), else_=forms.c[name]) for name in FORM},
    "sent": or_(_ITS_OWN, forms.c.delivery_id.is_not(None)),
    "received_at": facts.c.received_at,
}
_DELIVERIES = (
    select(*(_COLUMNS[name].label(name) for name in WaitingDelivery._fields))
    .select_from(deliveries)
    .join(alerts, alerts.c.id == deliveries.c.alert)
    .join(facts, facts.c.id == alerts.c.fact_id)
    .outerjoin(
        forms,
        and_(forms.c.delivery_id == deliveries.c.id, forms.c.adapter == bindparam("adapter")),
    )
    .order_by(deliveries.c.sequence)
)
_IN_ORDER = (deliveries.c.refusals == 0) & (deliveries.c.aside == 0)
_DUE = deliveries.c.due_at <= bindparam("now")
_OF_LANE = _DELIVERIES.where(
    deliveries.c.lane_id == bindparam("lane"),
    PENDING,
    deliveries.c.state != DeliveryState.SENDING.value,
).limit(bindparam("most"))
# a refusal is the Alert's own: others may pass while it waits for its next try
_ASKED = ("lane", "adapter", "now", "most")
_WAITING = Prepared(_OF_LANE.where(or_(_IN_ORDER, _DUE)), _ASKED)
_HELD = Prepared(_OF_LANE.where(_IN_ORDER), _ASKED)
_NEVER_TRIED = Prepared(_OF_LANE.where(_IN_ORDER, deliveries.c.attempts == 0), _ASKED)
_LEAST_TRIED = Prepared(
    _OF_LANE.where(_IN_ORDER, _DUE).order_by(None).order_by(deliveries.c.attempts, "sequence"),
    _ASKED,
)
_NAMES: BindParameter[str] = bindparam("names", expanding=True)
_TOGETHER = _DELIVERIES.where(
    deliveries.c.id.in_(
        select(deliveries.c.id)
        .where(deliveries.c.lane_id == bindparam("lane"), TOGETHER, deliveries.c.batch.in_(_NAMES))
        .union_all(select(forms.c.delivery_id).where(forms.c.batch.in_(_NAMES)))
    ),
    deliveries.c.lane_id == bindparam("lane"),
    deliveries.c.state.in_([DeliveryState.WAITING.value, DeliveryState.UNKNOWN.value]),
)
_NEXT_REFUSED = Prepared(
    select(func.min(deliveries.c.due_at)).where(
        deliveries.c.lane_id == bindparam("lane"),
        PENDING,
        deliveries.c.state == DeliveryState.WAITING.value,
        or_(deliveries.c.refusals > 0, deliveries.c.aside == 1),
    ),
    ("lane",),
)
# an operator may have taken it back while it was under way: then only an answer that it was
# received counts
_TAKEN_BACK = text("state IN ('withdrawn', 'delivered')") & (
    bindparam("to") != literal_column("'delivered'")
)
_SETTLED = Prepared(
    update(deliveries)
    .where(deliveries.c.id == bindparam("key"))
    .values(
        state=case((_TAKEN_BACK, deliveries.c.state), else_=bindparam("to")),
        due_at=func.coalesce(bindparam("due"), deliveries.c.due_at),
        refusals=bindparam("refused"),
        batch=bindparam("together"),
        aside=bindparam("aside"),
    ),
    ("key", "to", "due", "refused", "together", "aside"),
)
_SENDING = select(
    deliveries.c.id,
    deliveries.c.attempts,
    deliveries.c.refusals,
    deliveries.c.batch,
    deliveries.c.aside,
).where(PENDING, deliveries.c.state == DeliveryState.SENDING.value)
_ENDED = Prepared(
    update(deliveries).where(deliveries.c.id == bindparam("key")).values(state=bindparam("to")),
    ("key", "to"),
)


def settle(connection: Connection, recorder: Recorder, settled: Iterable[Settlement]) -> None:
    """Write what became of deliveries."""
    rows: list[Parameters] = []
    ended: list[Parameters] = []
    for each in settled:
        number, at = recorder.number(outcomes), stamp(each.at)
        row = (each.id, each.attempt, at, each.outcome, each.reason, each.detail)
        recorder.put(outcomes, (number, *row, recorder.link))
        if each.attempt is None:  # as it was sent before it goes again, when it is retried
            ended.append((each.id, each.state.value))
            continue
        due = stamp(each.due_at) if each.due_at else None
        rows.append((each.id, each.state.value, due, each.refusals, each.batch, int(each.aside)))
    _SETTLED.run(connection, rows)
    _ENDED.run(connection, ended)


def take_in(connection: Connection, recorder: Recorder, news: News, now: datetime) -> None:
    """Write what came back from the other sides of lanes."""
    settle(connection, recorder, news.settled)
    change_lanes(connection, news.changes, news.answers, now)


def exchange(
    database: Database,
    *,
    news: News,
    wishes: Sequence[Wish],
    now: datetime,
    withdrawn: Withdrawn,
) -> Exchanged:
    """Settle and claim in one transaction."""
    with database.transaction() as connection:
        recorder = Recorder(connection, ROUTER, stamp(now))
        _settle_doubt(connection, recorder, now)
        take_in(connection, recorder, news, now)
        sends: dict[int, list[list[Claimed]]] = {}
        next_due: dict[int, datetime | None] = {}
        idle: list[int] = []
        ended: dict[int, list[Settlement]] = {}
        for wish in wishes:
            picked, all_of_it = _picked(connection, wish, now, withdrawn)
            next_due[wish.lane_id] = picked.next_due
            if picked.requests:
                sends[wish.lane_id] = claim(connection, recorder, wish, picked.requests)
            if picked.ended:
                ended[wish.lane_id] = picked.ended
                settle(connection, recorder, picked.ended)
            if all_of_it:
                idle.append(wish.lane_id)
        recorder.write()
        idle_at = dict.fromkeys(idle, recorder.version)
    database.store.memory.pop(DOUBT, None)
    return Exchanged(sends, next_due, ended, idle_at)


def _picked(
    connection: Connection, wish: Wish, now: datetime, withdrawn: Withdrawn
) -> tuple[Picked, bool]:
    """What this lane may send of what waits on it, and whether that is all."""
    waiting, whole = _waiting(connection, wish, now)
    pairs = [(each.device_id, each.service_user_id) for each in waiting if each.recheck == REREAD]
    devices = {device for device, _ in pairs}
    gone = withdrawn(read_inventory(connection, devices), pairs) if pairs else set()
    picked = pick(waiting, wish, now, gone)
    whole = whole and not picked.ended and sum(map(len, picked.requests)) == len(waiting)
    if (whole or not picked.requests) and picked.next_due is None and not picked.blocked:
        ((refused,),) = _NEXT_REFUSED.ask(connection, wish.lane_id)
        picked.next_due = moment(refused) if refused is not None else None
    return picked, whole and picked.next_due is None and not picked.blocked


def _waiting(
    connection: Connection, wish: Wish, now: datetime
) -> tuple[list[WaitingDelivery], bool]:
    """Enough of what waits on the lane, with all that goes together with it.

    And whether that is all, but for what was refused or set aside and is not due.
    """
    most = max(wish.sends * wish.most, ENDING if wish.failing else 0)

    def read(statement: Prepared, most: int = most) -> list[WaitingDelivery]:
        rows = statement.ask(connection, wish.lane_id, wish.adapter, stamp(now), most)
        return [*map(WaitingDelivery._make, rows)]

    found = read(_HELD) if wish.failing else []
    found = found or read(_WAITING)
    mine = [each for each in found if each.on_its_own]
    full = len(found) == most
    if full and mine and not wish.failing:  # they leave room for others
        found += read(_HELD)
    if wish.meanwhile is not None:
        found += read(_NEVER_TRIED, 2) or read(_LEAST_TRIED, 2)  # one may be the oldest
    names = {each.batch for each in found if each.batch is not None}
    if names and (full or mine):  # all of it, though the adapter takes fewer by now
        given = {"lane": wish.lane_id, "adapter": wish.adapter, "names": sorted(names)}
        more = map(WaitingDelivery._make, connection.execute(_TOGETHER, given))
        found += [each for each in more if each.batch in names]
    in_order = sorted({each.id: each for each in found}.values(), key=lambda each: each.sequence)
    return in_order, not (full or wish.failing)


def lost_attempts(database: Database, now: datetime) -> int:
    """After a crash: what was being sent is `unknown`, and due at once. Gives how many."""
    with database.transaction() as connection:
        recorder = Recorder(connection, ROUTER, stamp(now))
        count = _lose(connection, recorder, _SENDING, "the router stopped", now)
        recorder.write()
        return count


def _lose(
    connection: Connection, recorder: Recorder, which: Select[Any], why: str, now: datetime
) -> int:
    rows = connection.execute(which).all()
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
                f"{why} before the answer came",
                due_at=now,
                refusals=row.refusals,
                batch=row.batch,
                aside=bool(row.aside),
            )
            for row in rows
        ],
    )
    return len(rows)


def _settle_doubt(connection: Connection, recorder: Recorder, now: datetime) -> None:
    """What was claimed in a transaction whose commit got no answer, and was one, was not sent."""
    end: Chained | None = store_of(connection).memory.get(DOUBT)
    if end is None:
        return
    committed = select(links.c.id).where(
        links.c.writer == ROUTER, links.c.number == end[0], links.c.hash == end[1]
    )
    which = _SENDING.join(attempts, attempts.c.delivery_id == deliveries.c.id).where(
        attempts.c.link.in_(committed), attempts.c.number == deliveries.c.attempts
    )
    _lose(connection, recorder, which, "the ledger's server was lost", now)
