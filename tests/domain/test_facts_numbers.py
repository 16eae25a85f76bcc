"""Device IDs and meter point numbers: what passes, and the check digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import mpan, mprn

from router.domain.identifiers import check_mpan, check_mprn, eui64


def test_an_mpan_has_a_check_digit() -> None:
    assert check_mpan("1800021679848") == "1800021679848"
    for last in "012345679":
        with pytest.raises(ValueError, match="check digit"):
            check_mpan("180002167984" + last)


def test_an_mprn_has_two_check_digits() -> None:
    assert check_mprn("3938424403") == "3938424403"
    for last in range(100):
        if last != 3:
            with pytest.raises(ValueError, match="check digits"):
                check_mprn(f"39384244{last:02d}")


@pytest.mark.parametrize("text", ["", "12345", "12345678901", "39384244０３", " 3938424403"])
def test_an_mprn_has_6_to_10_digits(text: str) -> None:
    with pytest.raises(ValueError, match="6 to 10 digits"):
        check_mprn(text)


@pytest.mark.parametrize("text", ["", "180002167984", "18000216798480", "180002167984٨"])
def test_an_mpan_has_13_digits(text: str) -> None:
    with pytest.raises(ValueError, match="13 digits"):
        check_mpan(text)


@given(st.integers(0, 10**9))
def test_made_numbers_pass(number: int) -> None:
    check_mpan(mpan(number))
    check_mprn(mprn(number % 10**7))


@given(st.binary(min_size=8, max_size=8))
def test_an_eui64_is_compared_without_case(octets: bytes) -> None:
    text = octets.hex("-")
    assert eui64(text) == eui64(text.upper()) == text.upper()
