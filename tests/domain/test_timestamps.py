"""Moments keep every microsecond in the ledger, and their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from support.samples import NOW

from router.domain.timestamps import moment, stamp

OFFSETS = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
FIRST, LAST = datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-01-01")
MOMENTS = st.datetimes(FIRST, LAST, timezones=OFFSETS)


@given(MOMENTS)
def test_a_moment_comes_back_in_utc(given_moment: datetime) -> None:
    again = moment(stamp(given_moment))
    assert again == given_moment
    assert again.tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_stamps_have_the_order_of_moments(first: datetime, second: datetime) -> None:
    assert (stamp(first) < stamp(second)) == (first < second)


def test_a_stamp_is_microseconds_since_1970() -> None:
    assert stamp(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005
    assert stamp(NOW) == int(NOW.timestamp()) * 1_000_000
