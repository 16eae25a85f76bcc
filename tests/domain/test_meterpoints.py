"""Meter point numbers: what passes, the one spelling of each, and the check digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import mpan, mprn

from router.domain import meterpoints

DIGITS = st.text("0123456789", min_size=6, max_size=11).filter(lambda text: text.strip("0"))


def test_an_mpan_has_a_check_digit() -> None:
    assert meterpoints.mpan_misfit("1800021679848") is None
    for last in "012345679":
        assert "check digit" in (meterpoints.mpan_misfit("180002167984" + last) or "")


def test_an_mprn_has_two_check_digits() -> None:
    assert meterpoints.mprn_misfit("3938424403") is None
    for last in range(100):
        if last != 3:
            assert "check digits" in (meterpoints.mprn_misfit(f"39384244{last:02d}") or "")


def test_a_number_that_does_not_check_is_a_number() -> None:
    assert meterpoints.mpan("1234567890123") == "1234567890123"
    assert meterpoints.mprn("1234567890") == "1234567890"


@pytest.mark.parametrize("text", ["", "12345", "123456789012", "39384244０３", " 3938424403"])
def test_an_mprn_has_6_to_11_digits(text: str) -> None:
    with pytest.raises(ValueError, match="6 to 11 digits"):
        meterpoints.mprn(text)


@pytest.mark.parametrize("text", ["", "180002167984", "18000216798480", "180002167984٨"])
def test_an_mpan_has_13_digits(text: str) -> None:
    with pytest.raises(ValueError, match="13 digits"):
        meterpoints.mpan(text)


@pytest.mark.parametrize("zeros", range(6, 12))
def test_zeros_alone_are_no_mprn(zeros: int) -> None:
    with pytest.raises(ValueError, match="zeros only"):
        meterpoints.mprn("0" * zeros)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("3938424403", "3938424403"),
        ("03938424403", "3938424403"),
        ("0012345601", "12345601"),
        ("012345601", "12345601"),
        ("12345601", "12345601"),
        ("00000123400", "123400"),
        ("10000000000", "10000000000"),
        # what makes up six digits stays: without it the number could not come in again
        ("00000012304", "012304"),
        ("00012304", "012304"),
        ("012304", "012304"),
        ("00000000007", "000007"),
    ],
)
def test_an_mprn_is_kept_in_one_spelling(written: str, kept: str) -> None:
    assert meterpoints.mprn(written) == kept


@given(DIGITS)
def test_whatever_is_kept_comes_in_again_as_the_same_number(written: str) -> None:
    kept = meterpoints.mprn(written)
    assert int(kept) == int(written)
    assert meterpoints.mprn(kept) == kept
    padded = {kept.zfill(width) for width in range(len(kept), 12)}
    assert {meterpoints.mprn(each) for each in padded} == {kept}


@given(DIGITS)
def test_leading_zeros_do_not_change_whether_an_mprn_checks(written: str) -> None:
    kept = meterpoints.mprn(written)
    assert meterpoints.mprn_misfit(written) == meterpoints.mprn_misfit(kept)
    assert meterpoints.mprn_misfit(kept.zfill(30)) == meterpoints.mprn_misfit(kept)


@given(st.integers(0, 10**9))
def test_made_numbers_check(number: int) -> None:
    for written, kept, misfit in (
        (mpan(number), meterpoints.mpan, meterpoints.mpan_misfit),
        (mprn(number % 10**7), meterpoints.mprn, meterpoints.mprn_misfit),
    ):
        assert kept(written) == written
        assert misfit(written) is None
