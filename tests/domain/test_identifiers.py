"""Identifiers: what passes, and how it is compared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.domain.identifiers import eui64


@given(st.binary(min_size=8, max_size=8))
def test_an_eui64_is_compared_without_case(octets: bytes) -> None:
    text = octets.hex("-")
    assert eui64(text) == eui64(text.upper()) == text.upper()
