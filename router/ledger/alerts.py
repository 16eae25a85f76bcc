"""What operators do to Alerts that are decided: retry, withdraw, send again.

A withdrawn Alert keeps its number: the sequence of its user is gapless in the ledger, and
`outcomes` says of which numbers nobody is told. One that is under way is told apart, as it may have
been received: what is answered then only counts where it says so. What goes again goes as it went.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nlargest
from itertools import chain
from typing import Any

from sqlalchemy import Connection, FromClause, Row, func, select, update

from router.domain.timestamps import moment, stamp
from router.errors import UsageError
from router.lanes.picking import HAD_IT, REREAD
from router.lanes.succession import Stranded
from router.lanes.values import DeliveryState, LaneKey, Settlement, Withdrawn
from router.ledger.actions import Operator
from router.ledger.database import Database
from router.ledger.deliveries import settle
from router.ledger.dialects import greatest
from router.ledger.dialects import numbers as as_list
from router.ledger.inventory import read_inventory
from router.ledger.queries.wanted import Filter, chosen
from router.ledger.recorder import OPERATOR, Recorder
from router.ledger.tables import alerts, deliveries, lanes, outcomes

RETRIED = (DeliveryState.PARKED, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.UNKNOWN)
"""What can be retried: the rest is settled or on its way."""
TAKEN_BACK = (*RETRIED, DeliveryState.SENDING)
"""What can be withdrawn: all that its user has not got."""
SENT_AGAIN = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)
"""What can be sent again: what was delivered, and what an operator has withdrawn."""
UNDER_WAY = (DeliveryState.SENDING, DeliveryState.UNKNOWN)
"""Nobody knows whether it was received."""
HOLD = timedelta(hours=48)
"""How long an Alert is held where its channel is in no file any more."""
AT_ONCE = 10_000
"""How many are changed in one transaction: nobody else writes meanwhile."""
TOLD = 100
"""How many are told one by one of what would be done."""
BY_OPERATOR = "operator"
"""The reason of what an operator has withdrawn."""

Terms = Mapping[LaneKey, timedelta]
"""How long each (user, channel) holds an Alert."""
_SENT = select(outcomes.c.id).where(
    outcomes.c.delivery_id == deliveries.c.id,
    outcomes.c.outcome == DeliveryState.DELIVERED.value,
)


@dataclass(frozen=True, slots=True)
class Reached:
    """What a change takes up, or would."""

    deliveries: int = 0
    under_way: int = 0
    """Of these: an answer is awaited, or was lost, so that they may have been received."""
    held: int = 0
    """Of these: their lane is closed."""
    gone: int = 0
    """Of these: their user is no longer responsible for the hub."""
    first: tuple[int, ...] = ()
    """The newest of those that `sends` counts, by number."""

    @property
    def sends(self) -> int:
        """How many of them are sent, now or when it is their turn."""
        return self.deliveries - self.held - self.gone


def states_of(
    wanted: Filter, able: Sequence[DeliveryState], done: str, usual: Sequence[DeliveryState]
) -> Sequence[DeliveryState]:
    """The states that a change under this filter takes up. UsageError when there is none."""
    if wanted.state is None:
        return usual
    if wanted.state not in able:
        names = ", ".join(able)
        raise UsageError(f"what is {wanted.state} can't be {done}; only what is {names}")
    return [wanted.state]


def retriable(wanted: Filter) -> Sequence[DeliveryState]:
    """The states that a retry under this filter takes up. UsageError when there is none."""
    return states_of(wanted, RETRIED, "retried", RETRIED)


def withdrawable(wanted: Filter) -> Sequence[DeliveryState]:
    """The states that a withdrawal under this filter takes up. UsageError when there is none."""
    return states_of(wanted, TAKEN_BACK, "withdrawn", TAKEN_BACK)


def resendable(wanted: Filter) -> Sequence[DeliveryState]:
    """The states that a resend under this filter takes up. UsageError when there is none."""
    return states_of(wanted, SENT_AGAIN, "sent again", [DeliveryState.DELIVERED])


# --- before ---------------------------------------------------------------------------------


def look_ahead(
    database: Database,
    wanted: Filter,
    states: Collection[DeliveryState],
    withdrawn: Withdrawn | None = None,
    *,
    sending: bool = True,
) -> Reached:
    """What a change of these would take up.

    `withdrawn` says who is no longer responsible; what is not for `sending` may be held.
    """
    with database.aside() as connection:
        which = _which(connection, wanted, states)
        statement = (
            select(which, lanes.c.closed, alerts.c.device_id, alerts.c.service_user_id)
            .join(alerts, alerts.c.id == which.c.alert)
            .join(lanes, lanes.c.id == which.c.lane_id)
        )
        found = Reached()
        for rows in connection.execute(statement).partitions(AT_ONCE):
            free = [row for row in rows if not sending or row.closed is None]
            pairs = {(row.device_id, row.service_user_id) for row in free}
            known = read_inventory(connection, {device for device, _ in pairs} if withdrawn else ())
            lost = withdrawn(known, sorted(pairs)) if withdrawn else set()
            goes = [each for each in free if (each.device_id, each.service_user_id) not in lost]
            found = Reached(
                found.deliveries + len(rows),
                found.under_way + sum(row.shown in UNDER_WAY for row in rows),
                found.held + len(rows) - len(free),
                found.gone + len(free) - len(goes),
                tuple(nlargest(TOLD, chain(found.first, (row.id for row in goes)))),
            )
        return found


def in_vain(
    database: Database, wanted: Filter, states: Collection[DeliveryState]
) -> list[Stranded]:
    """Of these, what is held all the same: service_users.yaml does not name its channel."""
    named = select(lanes.c.service_user_id, lanes.c.channel).where(lanes.c.unnamed_at.is_(None))
    with database.aside() as connection:
        which = _which(connection, wanted, states)
        counting = (
            select(
                *(lanes.c.service_user_id, lanes.c.channel),
                *(func.count(), func.min(alerts.c.decided_at)),
            )
            .select_from(which)
            .join(alerts, alerts.c.id == which.c.alert)
            .join(lanes, lanes.c.id == which.c.lane_id)
            .where(lanes.c.unnamed_at.is_not(None))
            .group_by(lanes.c.id)
        )
        others: dict[str, list[str]] = defaultdict(list)
        for user, channel in connection.execute(named):
            others[user].append(channel)
        return [
            Stranded(user, channel, count, moment(oldest), tuple(sorted(others[user])))
            for user, channel, count, oldest in connection.execute(counting)
        ]


# --- the changes ----------------------------------------------------------------------------


def retry(database: Database, wanted: Filter, operator: Operator, *, hold: Terms) -> int:
    """Make deliveries due now, with a new term; gives how many.

    Responsibility is read again before anything is sent. Attempts are records and stay.
    """
    return _again(database, wanted, retriable(wanted), operator, _Again("alerts retry", hold))


def resend(
    database: Database,
    wanted: Filter,
    operator: Operator,
    *,
    hold: Terms,
    reason: str | None = None,
) -> int:
    """Send what was delivered once more, in the same bytes; gives how many.

    What an operator has withdrawn is sent where the filter asks for that state: as any that was
    held, if its user is still responsible.
    """
    states = resendable(wanted)
    anew = DeliveryState.WITHDRAWN in states
    kind = _Again("alerts resend", hold, {"reason": reason}, anew=anew)
    return _again(database, wanted, states, operator, kind)


@dataclass(frozen=True, slots=True)
class _Again:
    """How deliveries are made to wait again."""

    action: str
    hold: Terms
    said: Mapping[str, object] = field(default_factory=dict)
    anew: bool = True
    """Its user has not got it: whether it may have it is read again, and the lane need not rest."""


def _again(
    database: Database,
    wanted: Filter,
    states: Sequence[DeliveryState],
    operator: Operator,
    kind: _Again,
) -> int:
    total = 0
    for numbers in _portions(database, wanted, states):
        with database.transaction() as connection:
            found = _rows(connection, numbers, states)
            for lane in {row.lane_id: row for row in found}.values():
                mine = [row.id for row in found if row.lane_id == lane.lane_id]
                term = kind.hold.get((lane.service_user_id, lane.channel), HOLD)
                _wait_again(connection, mine, operator, term, recheck=kind.anew)
                if kind.anew:  # it may work now, says the operator
                    rise = update(lanes).where(lanes.c.id == lane.lane_id)
                    connection.execute(rise.values(rest_until=None))
            if found:
                detail = {**wanted.said(), **kind.said, "deliveries": len(found)}
                operator.record(connection, kind.action, detail)
            total += len(found)
    return total


def _wait_again(
    connection: Connection,
    numbers: Sequence[int],
    operator: Operator,
    term: timedelta,
    *,
    recheck: bool,
) -> None:
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(as_list(numbers)))
        .values(
            state=DeliveryState.WAITING.value,
            refusals=0,
            due_at=stamp(operator.now),
            expires_at=stamp(operator.now + term),
            recheck=greatest(deliveries.c.recheck, REREAD) if recheck else HAD_IT,
        )
    )


def withdraw(
    database: Database, wanted: Filter, operator: Operator, *, reason: str | None = None
) -> Reached:
    """Take back what its user has not got; gives how many, and how many may have been received.

    What was delivered once and waits to go again is `delivered` again.
    """
    total = Reached()
    states = withdrawable(wanted)
    for numbers in _portions(database, wanted, states):
        with database.transaction() as connection:
            found = _rows(connection, numbers, states)
            under_way = sum(row.state in UNDER_WAY for row in found)
            if found:
                recorder = Recorder(connection, OPERATOR, stamp(operator.now))
                settle(connection, recorder, [_taken_back(row, operator, reason) for row in found])
                counts = Counter(f"{row.service_user_id}/{row.channel}" for row in found)
                detail = {"reason": reason, "deliveries": len(found), "under_way": under_way}
                told = {**wanted.said(), **detail, "lanes": counts}
                operator.add(recorder, "alerts withdraw", told)
                recorder.write()
        total = Reached(total.deliveries + len(found), total.under_way + under_way)
    return total


def _taken_back(row: Row[Any], operator: Operator, reason: str | None) -> Settlement:
    said = f"by {operator.name}" + (f": {reason}" if reason else "")
    if row.state in UNDER_WAY:
        said += "; it was under way, and may have been received"
    state = DeliveryState.DELIVERED if row.had_it else DeliveryState.WITHDRAWN
    outcome = DeliveryState.WITHDRAWN.value
    return Settlement(row.id, outcome, state, operator.now, reason=BY_OPERATOR, detail=said)


def _portions(
    database: Database, wanted: Filter, states: Sequence[DeliveryState]
) -> Iterator[Sequence[int]]:
    """The numbers of those that are meant now."""
    with database.aside() as connection:
        which = _which(connection, wanted, states)
        numbers = sorted(connection.execute(select(which.c.id)).scalars())
    for start in range(0, len(numbers), AT_ONCE):
        yield numbers[start : start + AT_ONCE]


def _which(connection: Connection, wanted: Filter, states: Collection[DeliveryState]) -> FromClause:
    """Those that are meant; of what is withdrawn, what an operator has withdrawn."""
    which = chosen(connection, wanted, states).subquery()
    if DeliveryState.WITHDRAWN not in states:
        return which
    ends = (outcomes.c.delivery_id == which.c.id, outcomes.c.attempt.is_(None))
    last = select(outcomes.c.reason).where(*ends)  # an answer that came late ends nothing
    reason = last.order_by(outcomes.c.id.desc()).limit(1).scalar_subquery()
    return select(which).where(reason == BY_OPERATOR).subquery()


def _rows(
    connection: Connection, numbers: Sequence[int], states: Sequence[DeliveryState]
) -> Sequence[Row[Any]]:
    """Those of them that are still in these states, as they are stored."""
    stored = {DeliveryState.WAITING if each is DeliveryState.HELD else each for each in states}
    if DeliveryState.HELD in states:
        stored.add(DeliveryState.UNKNOWN)
    return connection.execute(
        select(
            *(deliveries.c.id, deliveries.c.state, deliveries.c.lane_id),
            *(lanes.c.service_user_id, lanes.c.channel),
            _SENT.exists().label("had_it"),
        )
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(
            deliveries.c.id.in_(as_list(numbers)),
            deliveries.c.state.in_([each.value for each in stored]),
        )
    ).all()
