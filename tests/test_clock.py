"""The router's time is the machine's; over a step it waits until what waits was moved along."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.machine import Machine
from support.samples import NOW

from router.clock import STEP, SteadyClock


def test_it_says_what_the_machine_says() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock() == NOW
    machine.passes(3600)
    assert clock() == NOW + timedelta(hours=1)


def test_it_takes_small_corrections_along() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(10):  # together far more than a step
        machine.wall += STEP
        assert clock() == machine.wall
        assert clock.step() == timedelta()
    machine.wall -= STEP
    assert clock() == machine.wall


@pytest.mark.parametrize("days", [2, -2])
def test_a_step_is_seen_and_followed_when_it_is_told_to(days: int) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += timedelta(days=days)
    machine.passes(10)
    assert clock() == NOW + timedelta(seconds=10)
    assert clock.step() == timedelta(days=days)
    clock.follow(clock.step())
    assert clock() == machine.wall
    assert clock.step() == timedelta()
    machine.passes(10)
    assert clock() == machine.wall


def test_a_step_that_is_taken_back_was_none() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += timedelta(days=2)
    assert clock() == NOW
    machine.wall -= timedelta(days=2)
    assert (clock(), clock.step()) == (NOW, timedelta())


def test_it_is_aware_and_utc() -> None:
    moment = SteadyClock()()
    assert isinstance(moment, datetime)
    assert moment.utcoffset() == timedelta()
