"""The fast encoder gives the same bytes as the one that old ledgers were hashed with."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.compact import compact

PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@example("\x7f")
@given(VALUES)
def test_the_bytes_are_those_of_the_standard_library(value: object) -> None:
    expected = json.dumps(value, separators=(",", ":"), default=bytes.hex)
    assert compact(value) == expected.encode()


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1, "Grüße", "\x7f\x1f\u2028"])
def test_what_the_fast_encoder_has_no_form_for(value: object) -> None:
    assert json.loads(compact([value])) == [value]
    assert compact(value).isascii()


def test_what_has_no_form_is_an_error() -> None:
    with pytest.raises(TypeError):
        compact(object())
