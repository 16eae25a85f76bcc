"""How everything stands, a line for each thing, and whether it needs a person. Pure."""

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


@dataclass(frozen=True, slots=True)
class Heard:
    """What the router says of itself."""

    ready: bool
    reason: str
    """Why it is not ready."""
    digests: frozenset[str] = frozenset()
    """Of the rules that are live."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The files that operators edit."""

    mistakes: Sequence[str]
    warnings: Sequence[str]
    digest: str | None
    """Of the rules; None where they have mistakes."""
    names: Mapping[str, str]
    """Of the Service Users, by id."""


def of_router(heard: Heard | str) -> StatusLine:
    """Whether it takes facts; as text, why it can't be asked."""
    if isinstance(heard, str):
        return StatusLine("router", Attention.ACT, heard)
    if heard.ready:
        return StatusLine("router", Attention.OK, "ready: facts are taken")
    return StatusLine("router", Attention.ACT, f"not ready: {'; '.join(heard.reason.splitlines())}")


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
    yield StatusLine("quarantine", state, detail)


def of_lanes(seen: Overview, names: Mapping[str, str], now: datetime) -> Iterator[StatusLine]:
    """All of them in numbers; those that are closed, one by one."""
    closed = [lane for lane in seen.lanes if lane.state == "closed"]
    detail = f"{len(seen.lanes) - len(closed):,} open, {len(closed):,} closed"
    yield StatusLine("lanes", Attention.OK, detail)
    closed.sort(key=lambda lane: (_closed(lane) is not Attention.ACT, -lane.waiting))
    for lane in closed[:TOLD]:
        detail = f"{_name(lane, names)} closed, {(lane.reason or '').replace('_', ' ')}"
        detail += f" since {_ago(lane.since, now)}" if lane.since else ""
        detail += f", holds {plural(lane.waiting, 'Alert')}" if lane.waiting else ""
        detail += f": {lane.detail}" if lane.detail else ""
        yield StatusLine("lane", _closed(lane), detail)
    if rest := closed[TOLD:]:
        state = max((_closed(lane) for lane in rest), key=list(Attention).index)
        yield StatusLine("lane", state, f"and {len(rest):,} more: hubherald lanes list")


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
        yield StatusLine("Alerts", Attention.ACT if late else Attention.WAITS, detail)
    if parked := sum(seen.parked.values()):
        detail = f"{plural(parked, 'Alert')} given up; hubherald alerts list --state parked"
        yield StatusLine("parked", Attention.ACT, detail)


def of_files(found: OnDisk, heard: Heard | str) -> Iterator[StatusLine]:
    """Whether the rules on disk are those that are live, and what is wrong with the files."""
    for kind, texts in (("mistake", found.mistakes), ("warning", found.warnings)):
        for text in texts[:TOLD]:
            yield StatusLine(
                "files", Attention.ACT, text if kind == "mistake" else f"warning: {text}"
            )
        if more := len(texts[TOLD:]):
            detail = f"{plural(more, f'more {kind}')}: hubherald check"
            yield StatusLine("files", Attention.ACT, detail)
    if found.digest is None:
        return
    live = heard.digests if isinstance(heard, Heard) else frozenset()
    if live and found.digest not in live:
        detail = (
            f"{found.digest[:12]} on disk is not what is live ({min(live)[:12]}); hubherald reload"
        )
        yield StatusLine("rules", Attention.ACT, detail)
    else:
        yield StatusLine("rules", Attention.OK, f"{found.digest[:12]}{' is live' if live else ''}")


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
