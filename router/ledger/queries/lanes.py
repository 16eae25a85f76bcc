"""What operators ask about lanes: each with how it stands, flat; asked of the driver alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from router.domain.timestamps import moment
from router.lanes.values import ClosedReason
from router.ledger.backlog import PENDING, count_aside
from router.ledger.driver import Parameters, read

if TYPE_CHECKING:
    from router.ledger.driver import Asked
    from router.ledger.reader import Readable


@dataclass(frozen=True, slots=True)
class LaneState:
    """One user's channel as it stands."""

    service_user_id: str
    channel: str
    adapter: str
    state: str
    """`open` or `closed`."""
    reason: str | None
    detail: str | None
    since: datetime | None
    until: datetime | None
    """When a pause ends by itself; None: with a resume."""
    waiting: int
    oldest: datetime | None
    """When the oldest Alert that waits was decided."""
    oldest_alert: str | None
    """The id of the Alert that goes next and holds the others up; of those set aside none does."""
    failures: int
    """How often that one was tried in vain."""
    next_try: datetime | None
    """When it is tried again; None where it never failed, or nothing is sent."""
    set_aside: int
    """How many of those that wait fail by their own fault, and hold nobody up."""
    rests_until: datetime | None
    """Nothing is sent before: it fails, or the other side asked to be left alone."""
    last_answer: str | None
    last_answer_at: datetime | None


_LANES = """
SELECT id, service_user_id, channel, adapter, closed, closed_detail, closed_at,
    closed_until, unnamed_at, rest_until, last_answer, last_answer_at
FROM lanes ORDER BY service_user_id, channel
"""
_VAIN = """(
    SELECT count(*) FROM outcomes
    WHERE outcomes.delivery_id = deliveries.id AND outcome IN ('retry', 'refused')
    AND outcomes.id > coalesce((
        SELECT max(past.id) FROM outcomes AS past WHERE past.delivery_id = deliveries.id
        AND past.outcome = 'delivered'
    ), 0)
)"""
_ALERT = f"alerts.alert_id, {_VAIN}, deliveries.due_at"
# counted in the index alone, as in backlog.py
_OLDEST = f"""
SELECT gathered.lane_id, gathered.number, alerts.decided_at, deliveries.aside, {_ALERT}
FROM (
    SELECT lane_id, count(*) AS number, min(sequence) AS first
    FROM deliveries WHERE {PENDING} GROUP BY lane_id
) AS gathered
JOIN deliveries ON deliveries.lane_id = gathered.lane_id
JOIN stored_alerts AS alerts ON alerts.id = deliveries.alert
WHERE deliveries.sequence = gathered.first AND {PENDING}
"""  # noqa: S608 - our own words
_NEXT = f"""
SELECT {_ALERT} FROM deliveries JOIN stored_alerts AS alerts ON alerts.id = deliveries.alert
WHERE deliveries.lane_id = ? AND {PENDING} AND deliveries.aside = 0
ORDER BY deliveries.sequence LIMIT 1
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class _Queued:
    """What waits on a lane."""

    number: int = 0
    oldest: datetime | None = None
    next_: Parameters = (None, 0, None)
    """Of the Alert that goes next: its id, how often it failed, not to be sent before."""


def list_lanes(database: Readable) -> list[LaneState]:
    """Every lane, by user and channel."""
    with database.transaction() as connection:
        waiting = dict(_waiting(connection, row) for row in read(connection, _OLDEST))
        aside = count_aside(connection)
        rows = read(connection, _LANES)
    return [_lane_state(row, waiting.get(row[0], _Queued()), aside.get(row[0], 0)) for row in rows]


def _waiting(connection: Asked, row: Parameters) -> tuple[int, _Queued]:
    lane, number, decided_at, aside, *next_ = row
    oldest = moment(decided_at)
    if not aside:
        return lane, _Queued(number, oldest, tuple(next_))
    # a few at the most, which stand before the one that goes
    for found in read(connection, _NEXT, (lane,)):
        return lane, _Queued(number, oldest, found)
    return lane, _Queued(number, oldest)


def _lane_state(row: Parameters, waiting: _Queued, aside: int) -> LaneState:
    _, user, channel, adapter, closed, detail, closed_at, until, unnamed_at, *said = row
    rests, answer, at = said
    # a pause outlasts it, and is of no use where no file names the channel
    reason = closed if unnamed_at is None else ClosedReason.USER_REMOVED.value
    alert, failures, due_at = waiting.next_
    again = max(filter(None, (due_at, rests)), default=None) if failures and not reason else None
    return LaneState(
        service_user_id=user,
        channel=channel,
        adapter=adapter,
        state="closed" if reason else "open",
        reason=reason,
        detail=detail,
        since=_maybe(closed_at),
        until=_maybe(until),
        waiting=waiting.number,
        oldest=waiting.oldest,
        oldest_alert=alert,
        failures=failures,
        next_try=_maybe(again),
        set_aside=aside,
        rests_until=_maybe(rests),
        last_answer=answer,
        last_answer_at=_maybe(at),
    )


def _maybe(stamped: int | None) -> datetime | None:
    return None if stamped is None else moment(stamped)
