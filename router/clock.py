"""The time, in one place.

Retry times, holding times and decisions must not jump when somebody sets the machine's clock by
two days. The clock is read once and then follows the monotonic clock; it takes small
corrections (such as NTP makes) along, and says so once when the machine's clock has leapt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

Clock = Callable[[], datetime]
"""Gives the present moment, aware, UTC."""

_log = structlog.get_logger(__name__)
LEAP = timedelta(seconds=60)


class SteadyClock:
    """The present moment, UTC, without leaps."""

    def __init__(
        self,
        wall: Clock = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall()
        self._started = monotonic()
        self._leapt = False

    def __call__(self) -> datetime:
        """The present moment."""
        now = self._anchor + timedelta(seconds=self._monotonic() - self._started)
        drift = self._wall() - now
        if abs(drift) <= LEAP:
            self._anchor += drift
            self._leapt = False
            return now + drift
        if not self._leapt:
            self._leapt = True
            _log.warning(
                "clock.leapt",
                seconds=round(drift.total_seconds()),
                advice="Hubherald keeps its own time; restart it if the new time is right",
            )
        return now
