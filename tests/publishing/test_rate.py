"""A rate is kept evenly, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.publishing.rate import CHUNK, EvenRate

STEP_S = 0.05
"""Seconds in which came what goes at once: a broker, and who reads from it, see no gusts."""


def gone(
    rate: float, seconds: float, *, took: float = 0.0, stall: float = 0.0
) -> list[tuple[float, int]]:
    """When how many go, with a broker that takes so long for a step and once stalls besides."""
    now, found = 0.0, []
    even = EvenRate(rate)
    while now < seconds:
        count = even.allowed(now)
        if not count:
            now += even.wait() + 0.000_1
            continue
        found.append((now, count))
        even.gone(count)
        now += took
        if stall and now > seconds / 2:
            now, stall = now + stall, 0.0
    return found


@given(rate=st.floats(0.1, 20_000), took=st.floats(0, 0.2))
def test_never_more_than_the_rate(rate: float, took: float) -> None:
    at_once = max(1.0, rate * STEP_S)
    total = 0
    for now, count in gone(rate, min(200 / rate, 20), took=took):
        total += count
        assert 0 < count <= min(at_once, CHUNK)
        assert total <= at_once + now * rate + 1e-6


@pytest.mark.parametrize("took", [0.0, STEP_S / 2])
@pytest.mark.parametrize("rate", [0.5, 3, 100, 1_000, 5_000])
def test_the_rate_is_reached_in_even_steps(rate: float, took: float) -> None:
    found = gone(rate, 1_000 / rate, took=took)
    assert 950 <= sum(count for _, count in found) <= 1_100
    assert max(count for _, count in found) <= max(1, rate * STEP_S)


def test_a_step_is_a_chunk_at_most() -> None:
    rate = CHUNK / STEP_S * 3
    first, *rest = (count for _, count in gone(rate, 1, took=STEP_S))
    assert first == 1
    assert set(rest) == {CHUNK}


def test_lost_time_is_not_caught_up() -> None:
    rate, step = 1_000, 1_000 * STEP_S
    found = gone(rate, 2, stall=0.5)
    assert max(count for _, count in found) <= step
    assert 1_500 * 0.95 <= sum(count for _, count in found) <= 1_500 + 2 * step


def test_a_slow_rate_begins_with_one_and_waits() -> None:
    even = EvenRate(0.5)
    assert even.allowed(77.0) == 1
    even.gone(1)
    assert even.allowed(77.0) == 0
    assert even.wait() == pytest.approx(2.0)
    assert even.allowed(79.1) == 1


def test_without_a_rate_whole_chunks_go() -> None:
    even = EvenRate(None)
    for now in range(3):
        assert (even.wait(), even.allowed(now)) == (0, CHUNK)
        even.gone(CHUNK)
