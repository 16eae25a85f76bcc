"""Facts in the bytes that other systems write."""

from __future__ import annotations

import pytest
from support.samples import body, hub
from support.steps import counted

from router.domain.facts import MAX_BODY, Defect, Fact, parse
from router.domain.words import FactType


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
    words = "; lines end by LF, not by CR alone"
    for between in (b"\r", b"\r\r ", b" \r\t"):
        assert defect(body() + between + body()).detail.endswith(words)
    assert defect((body() + b"\r") * 2_000).detail == f"more than {MAX_BODY:,} bytes{words}"
    assert "CR" not in defect(body() + b"\r\n" + body()).detail


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not JSON: nothing stands there"),
        (b"\xef\xbb\xbf \r\n", "not JSON: nothing stands there"),
        (bytes(50), "begins with zero bytes, which are no text: "),
        (bytes(50) + body(), "begins with zero bytes, which are no text: "),
        (body() + b"\0", "zero bytes stand behind its JSON value, at character "),
        (body() + b"\xef\xbb\xbf" + body(), "more than one JSON value, with a byte order mark be"),
        (b'"' + body().replace(b'"', b'\\"') + b'"', "not a JSON object; it is text, perhaps en"),
        (body(note="\0").replace(b"\\u0000", b"\0"), "not JSON: Invalid control character at char"),
        (body(note="x").replace(b'"x"', b'"\\ud800"'), "not JSON: a \\u escape in it is half of a"),
        (b'{"a', "not JSON: Unterminated string starting at character 1"),
    ],
)
def test_what_is_wrong_with_bytes_is_told_in_true_words(raw: bytes, words: str) -> None:
    assert defect(raw).detail.startswith(words)


# --- what the largest cost ------------------------------------------------------------------


@pytest.mark.parametrize(
    "member",
    ['"!"', '"a"', "{}", "[]", "0", "null", '"' + "x" * 41 + '"'],
    ids=lambda each: each[:5],
)
@pytest.mark.parametrize("key", ["groups", "device_id", "status", "model", "replaced_by"])
def test_a_long_list_is_measured_before_it_is_looked_at(key: str, member: str) -> None:
    members = ",".join([member] * ((MAX_BODY - 400) // (len(member) + 1)))
    data = {**hub().model_dump(mode="json"), key: "HERE"}
    raw = body(data, type=FactType.HUB.value, time="2026-01-01T00:00:00Z")
    raw = raw.replace(b'"HERE"', f"[{members}]".encode())
    objects = raw.count(b"{")  # each is looked at for keys that stand twice
    assert counted(lambda: parse(raw)) < 2_000 + 8 * objects
    assert defect(raw).detail.startswith(f"{key}: ")


def test_a_few_wrong_members_are_all_told() -> None:
    data = {**hub().model_dump(mode="json"), "groups": ["a", "!", "b", "?"]}
    detail = defect(body(data, type=FactType.HUB.value, time="2026-01-01T00:00:00Z")).detail
    assert "groups.1: " in detail
    assert "groups.3: " in detail
