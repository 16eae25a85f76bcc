"""Facts in the bytes that other systems write."""

from __future__ import annotations

import pytest
from support.samples import body

from router.domain.facts import Defect, Fact, parse


def fact(raw: bytes) -> Fact:
    found = parse(raw)
    assert isinstance(found, Fact), found
    return found


def defect(raw: bytes) -> Defect:
    found = parse(raw)
    assert isinstance(found, Defect), found
    return found


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 2], ids=["once", "twice"])
def test_a_byte_order_mark_in_front_is_no_part_of_a_fact(mark: bytes) -> None:
    raw = mark + body() + b"\r"
    assert fact(raw).body == raw
    assert fact(raw).content_digest == fact(body()).content_digest


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(encoding: str) -> None:
    detail = defect(body().decode().encode(encoding)).detail
    assert detail.startswith(f"{encoding[:6].upper()}, not UTF-8: ")


def test_line_ends_of_an_old_mac_are_named() -> None:
    assert defect(body() + b"\r" + body()).detail.endswith("; lines end by LF, not by CR alone")
