"""What is decoded of properties, whatever their sender made of them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from adapters.rabbitmq.properties import HEADERS, LARGE, thinned


def decoded(properties: bytes) -> Basic.Properties:
    header = ContentHeader()
    header.unmarshal(struct.pack(">HHQ", 60, 0, 0) + properties)
    return header.properties


def encoded(**given_: Any) -> bytes:
    return Basic.Properties(**given_).marshal()


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50) | st.integers(0, 2**31)))
def test_what_is_not_large_is_left_alone(headers: dict[str, Any]) -> None:
    properties = encoded(headers=headers, message_id="id")
    assert thinned(properties) == properties


def test_of_large_ones_the_first_headers_are_kept_and_all_other_properties() -> None:
    many = {f"{number:05}": True for number in range(9_000)}
    found = decoded(
        thinned(encoded(headers=many, content_type="a", content_encoding="b", message_id="id"))
    )
    assert (found.content_type, found.content_encoding, found.message_id) == ("a", "b", "id")
    assert found.headers is not None
    told = found.headers.pop("headers left out")
    assert list(found.headers) == list(many)[:HEADERS]
    assert told == f"{(9_000 - HEADERS) * 8} bytes"


def test_one_large_value_is_left_out_whatever_is_in_it() -> None:
    nested: dict[str, Any] = {"deep": {f"{number}": True for number in range(9_000)}}
    found = decoded(thinned(encoded(headers={"a": "kept", **nested})))
    assert found.headers is not None
    assert found.headers["a"] == "kept"
    assert "deep" not in found.headers


@given(st.binary(max_size=60), st.integers(0, 255))
def test_rubbish_is_never_larger_and_never_raises(start: bytes, filled: int) -> None:
    found = thinned(start + bytes([filled]) * (LARGE * 2))
    assert len(found) <= LARGE * 2 + 100
    decoded(found)


@pytest.mark.parametrize("fill", [b"\x00V", b"\x00t\x01", b"\x00F\x00\x00\x00\x00"])
def test_what_is_decoded_is_bounded_by_the_number_of_values(
    fill: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = fill * (100_000 // len(fill))
    properties = struct.pack(">HI", 1 << 13, len(table)) + table
    seen = []
    honest = decode.embedded_value

    def counting(value: bytes) -> Any:
        seen.append(value)
        return honest(value)

    monkeypatch.setattr(decode, "embedded_value", counting)
    decoded(thinned(properties))
    assert len(seen) <= HEADERS + 1
