"""What operators ask about lanes: each with how it stands, flat; asked of the driver alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from router.domain.timestamps import moment
from router.lanes.values import ClosedReason
from router.ledger.backlog import count_aside, pending_by_lane
from router.ledger.driver import Parameters, read

if TYPE_CHECKING:
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


def list_lanes(database: Readable) -> list[LaneState]:
    """Every lane, by user and channel."""
    with database.transaction() as connection:
        pending = pending_by_lane(connection)
        aside = count_aside(connection)
        rows = read(connection, _LANES)
    return [_lane_state(row, pending.get(row[0]), aside.get(row[0], 0)) for row in rows]


def _lane_state(row: Parameters, pending: tuple[int, datetime] | None, aside: int) -> LaneState:
    _, user, channel, adapter, closed, detail, closed_at, until, unnamed_at, *said = row
    rests, answer, at = said
    waiting, oldest = pending or (0, None)
    # a pause outlasts it, and is of no use where no file names the channel
    reason = closed if unnamed_at is None else ClosedReason.USER_REMOVED.value
    return LaneState(
        service_user_id=user,
        channel=channel,
        adapter=adapter,
        state="closed" if reason else "open",
        reason=reason,
        detail=detail,
        since=_maybe(closed_at),
        until=_maybe(until),
        waiting=waiting,
        oldest=oldest,
        set_aside=aside,
        rests_until=_maybe(rests),
        last_answer=answer,
        last_answer_at=_maybe(at),
    )


def _maybe(stamped: int | None) -> datetime | None:
    return None if stamped is None else moment(stamped)
