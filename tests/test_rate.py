"""A rate that is kept evenly, on a clock of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rate import TokenBucket


def gone(rate: float, seconds: float, stall: float = 0.0) -> list[tuple[float, int]]:
    """When how many go, with a receiver that takes no time but once stalls for a while."""
    now, found = 0.0, []
    bucket, most = TokenBucket(), rate * 0.05
    while now < seconds:
        count = bucket.refill(now, rate=rate, most=most)
        if not count:
            now += bucket.wait(rate=rate) + 0.000_1
            continue
        found.append((now, count))
        bucket.take(count)
        if stall and now > seconds / 2:
            now, stall = now + stall, 0.0
    return found


@given(rate=st.floats(0.1, 5_000))
def test_never_more_than_the_rate(rate: float) -> None:
    at_once = max(1.0, rate * 0.05)
    total = 0
    for now, count in gone(rate, min(200 / rate, 20)):
        total += count
        assert total <= at_once + now * rate + 1e-6


@pytest.mark.parametrize("rate", [0.5, 3, 100, 1_000, 5_000])
def test_the_rate_is_reached_in_small_steps(rate: float) -> None:
    found = gone(rate, 1_000 / rate)
    assert 950 <= sum(count for _, count in found) <= 1_100
    assert max(count for _, count in found) <= max(1, rate * 0.05)


def test_lost_time_is_not_caught_up() -> None:
    found = gone(1_000, 2, stall=60)
    assert max(count for _, count in found) <= 50


def test_a_bucket_begins_with_one() -> None:
    bucket = TokenBucket()
    assert bucket.wait(rate=5) == 0
    assert bucket.refill(77.0, rate=5, most=5) == 1
    bucket.take(1)
    assert bucket.wait(rate=5) == pytest.approx(0.2)
