"""A machine whose time passes, and is set, when told to."""

from __future__ import annotations

from datetime import timedelta

from router.clock import SteadyClock
from support.samples import NOW


class Machine:
    """Its wall clock and its monotonic one."""

    def __init__(self) -> None:
        self.wall = NOW
        self.monotonic = 500.0

    def passes(self, seconds: float) -> None:
        """Time goes by on both clocks."""
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds

    def clock(self) -> SteadyClock:
        """A clock on this machine."""
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)
