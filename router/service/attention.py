"""What the ledger says needs a person, a line for each thing: for the page and `status`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.timestamps import lasting, rfc3339
from router.domain.words import QuarantineReason
from router.files.counts import plural
from router.lanes.values import ClosedReason
from router.ledger.queries.lanes import LaneState
from router.ledger.queries.overview import Overview

LATE = timedelta(hours=4)
"""An Alert that waits longer on an open lane needs a person; the alarm says so, too."""
FAILING = 4
"""From so many failures in a row on a lane needs a person; the alarm says so, too."""
TOLD = 10
"""Lanes, or mistakes, that are told one by one."""


class Attention(StrEnum):
    """What something needs of a person."""

    OK = "ok"
    WAITS = "waits"
    """It ends by itself, or somebody has wanted it."""
    ACT = "act"


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One thing."""

    part: str
    state: Attention
    detail: str
    alarm: str | None = None
    """That rings for it, too, or will; None where none does."""


def of_intake(seen: Overview, now: datetime) -> Iterator[StatusLine]:
    """The newest fact, and what waits in quarantine."""
    last = seen.last_fact
    detail = "no fact yet" if last is None else f"last fact {_ago(last, now)}"
    yield StatusLine("intake", Attention.OK, detail)
    waiting = seen.quarantined
    if not waiting:
        yield StatusLine("quarantine", Attention.OK, "empty")
        return
    by_reason = ", ".join(f"{count:,} {reason}" for reason, count in sorted(waiting.items()))
    early = waiting.keys() <= {QuarantineReason.UNKNOWN_HUB, QuarantineReason.NO_REGISTRATION}
    state = Attention.WAITS if early else Attention.ACT
    detail = f"{plural(sum(waiting.values()), 'fact')}: {by_reason}; hubherald quarantine list"
    alarm = None if early else "HubheraldQuarantineGrowing"
    yield StatusLine("quarantine", state, detail, alarm)


def of_lanes(seen: Overview, names: Mapping[str, str], now: datetime) -> Iterator[StatusLine]:
    """All of them in numbers; those that are closed or fail, one by one."""
    closed = [lane for lane in seen.lanes if lane.state == "closed"]
    failing = [lane for lane in seen.lanes if lane.state == "open" and lane.failures]
    detail = f"{len(seen.lanes) - len(closed):,} open, {len(closed):,} closed"
    detail += f"; {len(failing):,} failing" if failing else ""
    yield StatusLine("lanes", Attention.OK, detail)
    closed.sort(key=lambda lane: (_closed(lane) is not Attention.ACT, -lane.waiting))
    for lane in closed[:TOLD]:
        detail = f"{_name(lane, names)} closed, {(lane.reason or '').replace('_', ' ')}"
        detail += f" since {_ago(lane.since, now)}" if lane.since else ""
        detail += f", holds {plural(lane.waiting, 'Alert')}" if lane.waiting else ""
        detail += f": {lane.detail}" if lane.detail else ""
        yield StatusLine("lane", _closed(lane), detail, _alarm(lane))
    if rest := closed[TOLD:]:
        state = max((_closed(lane) for lane in rest), key=list(Attention).index)
        yield StatusLine("lane", state, f"and {len(rest):,} more: hubherald lanes list --closed")
    yield from _failing(sorted(failing, key=lambda lane: -lane.failures), names, now)


def _failing(
    lanes: Sequence[LaneState], names: Mapping[str, str], now: datetime
) -> Iterator[StatusLine]:
    for lane in lanes[:TOLD]:
        detail = f"{_name(lane, names)} failed {plural(lane.failures, 'time')} in a row"
        if lane.next_try and lane.next_try > now:
            detail += f", next try {rfc3339(lane.next_try, 'seconds')}"
        detail += f", holds {plural(lane.waiting, 'Alert')}: {lane.last_answer or ''}"
        if lane.failures < FAILING:
            yield StatusLine("lane", Attention.WAITS, detail)
        else:
            yield StatusLine("lane", Attention.ACT, detail, "HubheraldRecipientFailing")
    if more := len(lanes[TOLD:]):
        yield StatusLine("lane", Attention.WAITS, f"and {more:,} more: hubherald lanes list")


def _alarm(lane: LaneState) -> str | None:
    """The one that rings for a closed lane that holds Alerts."""
    if not lane.waiting:
        return None
    if lane.reason == ClosedReason.OPERATOR.value:
        return "HubheraldLaneForgotten" if lane.until is None else None
    by_itself = {ClosedReason.SUSPENDED.value, ClosedReason.USER_REMOVED.value}
    return None if lane.reason in by_itself else "HubheraldLaneClosed"


def of_alerts(seen: Overview, now: datetime) -> Iterator[StatusLine]:
    """What waits, and what was given up."""
    waiting = [lane for lane in seen.lanes if lane.state == "open" and lane.waiting]
    oldest = min((lane.oldest for lane in waiting if lane.oldest), default=None)
    if oldest is None:
        yield StatusLine("Alerts", Attention.OK, "none waits")
    else:
        count = plural(sum(lane.waiting for lane in waiting), "Alert")
        late = now - oldest > LATE
        detail = f"{count} wait, the oldest since {_ago(oldest, now)}"
        state = Attention.ACT if late else Attention.WAITS
        yield StatusLine("Alerts", state, detail, "HubheraldAlertsLate" if late else None)
    if parked := sum(seen.parked.values()):
        detail = f"{plural(parked, 'Alert')} given up; hubherald alerts list --state parked"
        yield StatusLine("parked", Attention.ACT, detail, "HubheraldAlertsParked")


def _closed(lane: LaneState) -> Attention:
    """A user who is suspended holds what is theirs, and a pause may have an end: nobody need do
    anything."""
    if lane.reason == ClosedReason.SUSPENDED.value or lane.until is not None:
        return Attention.WAITS
    deliberate = {ClosedReason.OPERATOR.value, ClosedReason.USER_REMOVED.value}
    return Attention.WAITS if lane.reason in deliberate and not lane.waiting else Attention.ACT


def _name(lane: LaneState, names: Mapping[str, str]) -> str:
    name = names.get(lane.service_user_id)
    return (
        f"{name} {lane.service_user_id} {lane.channel}"
        if name
        else f"{lane.service_user_id} {lane.channel}"
    )


def _ago(at: datetime, now: datetime) -> str:
    return f"{rfc3339(at, 'seconds')} ({lasting(now - at)} ago)"
