"""The time, in one place: the machine's, but for its steps.

When somebody sets the machine's clock by two days, what waits must neither burst nor stall. So the
clock follows the monotonic one over a step, until whoever keeps moments has moved them along; from
then on it goes by the machine's again. Small corrections, such as NTP makes, it takes along.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Gives the present moment, aware, UTC."""
STEP = timedelta(seconds=60)
"""What is more than this is no correction."""


class SteadyClock:
    """The present moment, UTC."""

    def __init__(
        self,
        wall: Clock = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall()
        self._started = monotonic()

    def __call__(self) -> datetime:
        """The present moment; over a step that has not been followed, as if there was none."""
        now = self._steady()
        drift = self._wall() - now
        if abs(drift) <= STEP:
            self._anchor += drift
            return now + drift
        return now

    def step(self) -> timedelta:
        """How far the machine's clock was set forward (or back); zero where it was not."""
        drift = self._wall() - self._steady()
        return drift if abs(drift) > STEP else timedelta()

    def follow(self, step: timedelta) -> None:
        """Go by the machine's clock again, which was set by `step`."""
        self._anchor += step

    def _steady(self) -> datetime:
        return self._anchor + timedelta(seconds=self._monotonic() - self._started)
