"""When a lane next has something to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from router.lanes.lane import Lane

LONGEST = 60.0
"""Seconds after which it is looked again, whatever the lanes say."""


def pause(lanes: Iterable[Lane], now: datetime) -> float:
    """Seconds until one of these may have something to send, more than 0."""
    pauses = [LONGEST]
    for lane in lanes:
        if lane.closed is not None:
            if lane.probe_at is not None:
                pauses.append((lane.probe_at - now).total_seconds())
            continue
        if lane.rest_until is not None and lane.rest_until > now:
            pauses.append((lane.rest_until - now).total_seconds())
            if not lane.tries_others(now):
                continue
        if lane.next_due is not None and lane.next_due > now:
            pauses.append((lane.next_due - now).total_seconds())
        rate = lane.wait_for_rate()
        if rate is not None and lane.ready:
            pauses.append(rate)
    return max(min(pauses), 0.001)
