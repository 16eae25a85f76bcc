"""Pauses of lanes: by an operator, with a reason and an end if there is one.

The router keeps the end, by its own clock, and opens a lane at its next start where it was not
running then. It is the moment that was said: a setting of the clock does not move it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from router.domain.timestamps import moment, rfc3339, stamp
from router.errors import UsageError
from router.lanes.values import BY_ITSELF, ClosedReason, LaneChange, LaneKey
from router.ledger.actions import Operator
from router.ledger.database import Database
from router.ledger.lanes import change_lane
from router.ledger.recorder import ROUTER
from router.ledger.tables import lanes

RESUMED = BY_ITSELF | {ClosedReason.OPERATOR}
"""Why a lane may be closed for an operator to open it; the other reasons stand in files."""


@dataclass(frozen=True, slots=True)
class LaneChanged:
    """What an action did to a lane; `refused` says why it did nothing."""

    service_user_id: str
    channel: str
    refused: str | None = None
    until: datetime | None = None
    """When its pause ends by itself."""


@dataclass(frozen=True, slots=True)
class PauseTerms:
    """What an operator says of a pause."""

    reason: str | None = None
    until: datetime | None = None

    def words(self, name: str) -> str:
        """As lists and pages show it."""
        end = f" until {rfc3339(self.until, 'seconds')}" if self.until else ""
        return f"paused by {name}{end}" + (f": {self.reason}" if self.reason else "")

    def said(self) -> dict[str, object]:
        """For the record."""
        return {"reason": self.reason, "until": rfc3339(self.until) if self.until else None}


PLAIN = PauseTerms()
"""Until a resume, for no reason given."""


def pause_lanes(
    database: Database,
    user: str,
    channel: str | None,
    operator: Operator,
    pause: PauseTerms = PauseTerms(),
) -> list[LaneChanged]:
    """Close a user's lanes, or one of them: their Alerts are held until the end, or a resume.

    A lane that is paused already gets the new reason and end; the one that is not given stays. One
    that closed by itself takes no pause with an end, which would open it unmended.
    """
    return _change(database, (user, channel), operator, pause, closes=True)


def resume_lanes(
    database: Database,
    user: str,
    channel: str | None,
    operator: Operator,
    *,
    reason: str | None = None,
) -> list[LaneChanged]:
    """Open a user's lanes, or one of them."""
    return _change(database, (user, channel), operator, PauseTerms(reason), closes=False)


def end_pauses(database: Database, now: datetime) -> list[LaneKey]:
    """Open the lanes whose pause is over; gives which."""
    over = select(lanes).where(
        lanes.c.closed == ClosedReason.OPERATOR.value, lanes.c.closed_until <= stamp(now)
    )
    router = Operator(ROUTER, now)
    with database.transaction() as connection:
        found = connection.execute(over).all()
        for lane in found:
            change_lane(connection, LaneChange(lane.id, None, "", now))
            told = {"user": lane.service_user_id, "channels": [lane.channel]}
            detail = {**told, "reason": f"the end of: {lane.closed_detail}"}
            router.record(connection, "lanes resume", detail, writer=ROUTER)
        return [(lane.service_user_id, lane.channel) for lane in found]


def _change(
    database: Database,
    of: tuple[str, str | None],
    operator: Operator,
    pause: PauseTerms,
    *,
    closes: bool,
) -> list[LaneChanged]:
    closed = ClosedReason.OPERATOR if closes else None
    with database.transaction() as connection:
        found = []
        changed: dict[PauseTerms, list[str]] = defaultdict(list)
        for lane in _lanes(connection, *of):
            terms = _with_what_stands(pause, lane, operator.now) if closes else pause
            refused = _refused(lane, closed, pause)
            found.append(LaneChanged(lane.service_user_id, lane.channel, refused, terms.until))
            if refused is None:
                detail = terms.words(operator.name) if closes else ""
                change_lane(connection, LaneChange(lane.id, closed, detail, operator.now))
                _set_end(connection, lane.id, terms.until)
                changed[terms].append(lane.channel)
        for terms, channels in changed.items():
            told: Mapping[str, object] = {"user": of[0], "channels": channels, **terms.said()}
            operator.record(connection, "lanes pause" if closes else "lanes resume", told)
        return found


def _with_what_stands(pause: PauseTerms, lane: Row[Any], now: datetime) -> PauseTerms:
    """A reason or an end that is not said is that of the pause that stands."""
    if lane.closed != ClosedReason.OPERATOR.value:
        return pause
    reason = lane.closed_detail.partition(": ")[2]  # no name of a system user has a colon
    ends = lane.closed_until is not None and lane.closed_until > stamp(now)
    end = moment(lane.closed_until) if ends else None
    return PauseTerms(pause.reason or reason or None, pause.until or end)


def _set_end(connection: Connection, lane: int, until: datetime | None) -> None:
    statement = update(lanes).where(lanes.c.id == lane)
    connection.execute(statement.values(closed_until=stamp(until) if until else None))


def _lanes(connection: Connection, user: str, channel: str | None) -> Sequence[Row[Any]]:
    rows = connection.execute(select(lanes).where(lanes.c.service_user_id == user)).all()
    if not rows:
        raise UsageError(f"{user} has no lane; `hubherald lanes list` shows those there are")
    if channel is None:
        return rows
    found = [row for row in rows if row.channel == channel]
    if not found:
        names = ", ".join(sorted(row.channel for row in rows))
        raise UsageError(f"{user} has no channel {channel!r}; it has {names}")
    return found


def _refused(lane: Row[Any], closed: ClosedReason | None, pause: PauseTerms) -> str | None:
    reason = ClosedReason(lane.closed) if lane.closed else None
    if lane.unnamed_at is not None:
        return _NOT_NAMED
    if reason in BY_ITSELF and pause.until is not None:
        return f"closed by itself ({reason}), and its Alerts are held: {_MEND_IT}"
    if closed is not None and reason is closed and pause != PLAIN:
        return None
    return _why_not(reason, closed)


def _why_not(reason: ClosedReason | None, closed: ClosedReason | None) -> str | None:
    """Why a lane that is closed for `reason` can't be paused or resumed."""
    if reason is closed:
        return "is open already" if closed is None else "is paused already"
    if reason is None or reason in RESUMED:
        return None
    where = "install its adapter" if reason is ClosedReason.ADAPTER_MISSING else _IN_THE_FILE
    verb = "opens" if closed is None else "is closed already, and opens"
    return f"{verb} only when its reason is gone ({reason}): {where}"


_MEND_IT = (
    "mend what `hubherald lanes list` says of it, and `hubherald lanes resume` it; the end of a "
    "pause would open it unmended"
)
_NOT_NAMED = (
    "is not in service_users.yaml any more; what waits there goes out when it is there again, or "
    "by `hubherald lanes move`"
)
_IN_THE_FILE = "mend service_users.yaml and run `hubherald reload`"
