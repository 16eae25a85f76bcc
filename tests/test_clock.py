"""The router's time follows the machine's, but not when it leaps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs
from support.samples import NOW

from router.clock import LEAP, SteadyClock


class Machine:
    """A machine whose time passes when told to."""

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


def test_it_says_what_the_machine_says() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock() == NOW
    machine.passes(3600)
    assert clock() == NOW + timedelta(hours=1)


def test_it_takes_small_corrections_along() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(10):  # together far more than a leap
        machine.wall += LEAP
        assert clock() == machine.wall
    machine.wall -= LEAP
    assert clock() == machine.wall


@pytest.mark.parametrize("days", [2, -2])
def test_it_does_not_leap_and_says_so_once(days: int) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += timedelta(days=days)
    with capture_logs() as logs:
        machine.passes(10)
        assert clock() == NOW + timedelta(seconds=10)
        machine.passes(10)
        assert clock() == NOW + timedelta(seconds=20)
    assert [(each["event"], each["seconds"]) for each in logs] == [("clock.leapt", days * 86400)]


def test_it_follows_again_when_the_machine_is_back() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(2):
        machine.wall += timedelta(days=2)
        with capture_logs() as logs:
            assert clock() == NOW
        assert len(logs) == 1
        machine.wall -= timedelta(days=2)
        assert clock() == NOW
    machine.wall += timedelta(seconds=1)
    assert clock() == NOW + timedelta(seconds=1)


def test_it_is_aware_and_utc() -> None:
    moment = SteadyClock()()
    assert isinstance(moment, datetime)
    assert moment.utcoffset() == timedelta()
