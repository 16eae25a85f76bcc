"""CloudEvents as others send them: compressed, in batches, with data as text; and what is told."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import activation, body, event
from support.steps import counted

from router.domain.facts import MAX_BODY, Defect, Fact, parse, parse_all
from router.domain.identifiers import NO_MOMENT
from router.domain.words import QuarantineReason
from router.domain.wrapping import MOST_EVENTS, Room

PLAIN = body()
DATA = json.dumps(event()["data"])


def fact(raw: bytes) -> Fact:
    found = parse(raw)
    assert isinstance(found, Fact), found
    return found


def defect(raw: bytes) -> Defect:
    found = parse(raw)
    assert isinstance(found, Defect), found
    assert found.detail.isprintable()
    return found


def without_data(**more: Any) -> bytes:
    content = {**event(), **more}
    if "data" not in more:
        del content["data"]
    return json.dumps(content).encode()


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- compressed -----------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, partial(zlib.compress, level=3)])
def test_a_compressed_fact_is_kept_as_it_is_inside(pack: Callable[[bytes], bytes]) -> None:
    assert fact(pack(PLAIN)) == fact(PLAIN)
    assert fact(pack(b"\xef\xbb\xbf" + PLAIN)).content_digest == fact(PLAIN).content_digest


def test_what_expands_beyond_the_largest_body_is_too_large() -> None:
    bomb = gzip.compress(PLAIN + b" " * 50_000_000)
    found = defect(bomb)
    assert found.reason is QuarantineReason.TOO_LARGE
    assert found.body == bomb
    assert isinstance(parse(gzip.compress(PLAIN + b" " * (MAX_BODY - len(PLAIN)))), Fact)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (gzip.compress(PLAIN)[:-9], "compressed, and cut"),
        (gzip.compress(PLAIN)[:60] + b"\xff" * 60, "compressed, and broken"),
        (gzip.compress(PLAIN) + b"\n", "compressed, and more stands behind its end"),
        (zlib.compress(PLAIN) * 2, "compressed, and more stands behind its end"),
        (gzip.compress(PLAIN) * 2, "more than one JSON value, the next at character "),
        (gzip.compress(PLAIN) + gzip.compress(b"")[:-1], "compressed, and cut"),
        (gzip.compress(b"") * 13_000, "compressed, and more stands behind its end"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "compressed by zstd; send it as it is"),
        (gzip.compress(gzip.compress(PLAIN)), "not UTF-8"),
    ],
    ids=[
        *("cut", "broken", "line end", "zlib twice", "twice", "cut member", "members"),
        *("zstd", "nested"),
    ],
)
def test_what_can_not_be_decompressed_is_told(raw: bytes, words: str) -> None:
    found = defect(raw)
    assert found.reason is QuarantineReason.MALFORMED
    assert found.detail.startswith(words)


def test_members_of_gzip_are_one_body() -> None:
    """Those that compress in parallel, or append, write several (RFC 1952, 2.2)."""
    parts = [PLAIN[place : place + 40] for place in range(0, len(PLAIN), 40)]
    assert fact(b"".join(map(gzip.compress, parts))) == fact(PLAIN)
    assert fact(gzip.compress(PLAIN) + bytes(20) + gzip.compress(b" ") + bytes(3)).data
    room = Room()
    bomb = gzip.compress(b" " * 200_000)
    assert parse_all(bomb * 50, room=room)[0].body == bomb * 50
    assert room.used == MAX_BODY


# --- batches --------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [",", " , ", ",\r\n\t"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_each_event_of_a_batch_is_a_fact_with_its_own_bytes(
    between: str, pack: Callable[[bytes], bytes]
) -> None:
    bodies = [body(id=f"f-{number}", note="ü,]}[{\\") for number in range(3)]
    raw = b"\xef\xbb\xbf [" + between.encode().join(bodies) + b" ]\n"
    found = parse_all(pack(raw))
    assert [each.body for each in found] == bodies
    assert [each.id for each in found] == ["f-0", "f-1", "f-2"]
    assert all(isinstance(each, Fact) for each in found)


def test_one_bad_event_of_a_batch_is_told_alone() -> None:
    members = [PLAIN, b'{"id": 1, "id": 2}', b"[1]", b"7", body(specversion="0.3")]
    first, *others = parse_all(b"[" + b",".join(members) + b"]")
    assert isinstance(first, Fact)
    assert [each.body for each in others] == members[1:]
    assert [each.reason.value for each in others if isinstance(each, Defect)] == [
        *["malformed"] * 3,
        "invalid",
    ]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[]", "an empty batch"),
        (b" [ ] ", "an empty batch"),
        (b"[1, [{}]]", "not a JSON object, and no batch of them"),
        (b"[{}", "a batch that is not JSON: Expecting ',' or ']' at character 3"),
        (b"[{},]", "a batch that is not JSON: Expecting value at character 4"),
        (b"[{} {}]", "a batch that is not JSON: Expecting ',' or ']' at character 4"),
        (b"[{}]]", "a batch that is not JSON: Extra data at character 4"),
        (b"[{}]\n[{}]", "a batch that is not JSON: Extra data at character 5"),
        (
            b"[{}]\r\r [{}]",
            "a batch that is not JSON: Extra data at character 7; lines end by LF, not by CR alone",
        ),
        (b"[", "a batch that is not JSON: "),
        (b"[" * 100_000, "a batch that is not JSON: nested too deeply"),
        (b"[\xff]", "not UTF-8 at byte 1"),
        ("[{}]".encode("utf-16-le"), "UTF-16, not UTF-8: "),
        (b"[" + b"9" * 5_000 + b"]", "a batch that is not JSON: nested too deeply, or with huge"),
    ],
    ids=lambda each: str(each)[:12],
)
def test_a_batch_that_is_none_is_told_as_a_whole(raw: bytes, words: str) -> None:
    found = defect(raw)
    assert (found.reason, found.body) == (QuarantineReason.MALFORMED, raw)
    assert found.detail.startswith(words)


def test_the_events_of_a_batch_are_counted_as_they_come() -> None:
    raw = b"[" + b",".join([b"{}"] * (MOST_EVENTS + 1)) + b"]"
    found = defect(raw)
    assert found.reason is QuarantineReason.TOO_LARGE
    assert found.detail == "a batch of more than 1,000 events; send smaller ones"
    most = b"[" + b",".join([b"{}"] * 80_000) + b"]"
    assert counted(lambda: parse_all(most)) < 20 * MOST_EVENTS
    assert len(parse_all(b"[" + b",".join([b"{}"] * MOST_EVENTS) + b"]")) == MOST_EVENTS


def test_where_one_fact_is_wanted_a_batch_is_told() -> None:
    assert defect(b"[" + PLAIN + b"," + PLAIN + b"]").detail == "a batch of 2 events, not one"
    assert parse(b"[" + PLAIN + b"]") == fact(PLAIN)


@given(st.lists(st.binary(max_size=12), max_size=4), st.binary(max_size=6))
def test_whatever_a_batch_holds_something_is_given(members: list[bytes], end: bytes) -> None:
    assert parse_all(b"[" + b",".join(members) + end)
    assert parse_all(gzip.compress(b",".join(members))[:-1] + end)


# --- data -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        without_data(data_base64=coded(DATA.encode())),
        without_data(data_base64=coded(DATA.encode()), data=None),
        without_data(data_base64=coded(b"\xef\xbb\xbf" + DATA.encode())),
        without_data(data_base64=coded(gzip.compress(DATA.encode()))),
        without_data(data_base64="\n".join(coded(DATA.encode()))),
        without_data(data=DATA),
        without_data(data=f"\ufeff {DATA}\n", datacontenttype="text/plain"),
    ],
    ids=["base64", "beside null", "BOM", "gzip", "lines", "text", "text with a BOM"],
)
def test_data_in_another_form_is_the_same_fact(raw: bytes) -> None:
    found = fact(raw)
    assert found.data == fact(PLAIN).data
    assert found.content_digest == fact(PLAIN).content_digest
    assert found.body == raw


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "data: missing"),
        ({"data": None}, "data: missing"),
        ({"data": 7}, "data: must be a JSON object"),
        ({"data": []}, "data: must be a JSON object"),
        ({"data": "text"}, "data: holds no JSON object (not JSON: Expecting value at character 0)"),
        ({"data": "[1]"}, "data: holds no JSON object (not a JSON object)"),
        (
            {"data": json.dumps(DATA)},
            "data: holds no JSON object (not a JSON object; it is text, perhaps encoded twice)",
        ),
        (
            {"data": "<a/>", "datacontenttype": "application/xml"},
            "data: holds no JSON object (not JSON: Expecting value at character 0); "
            "datacontenttype is 'application/xml', and only JSON is read",
        ),
        ({"data_base64": 7}, "data_base64: must be text in quotes"),
        ({"data_base64": "a"}, "data_base64: is not Base64"),
        ({"data_base64": "e30_"}, "data_base64: is not Base64"),
        ({"data_base64": "ü"}, "data_base64: is not Base64"),
        ({"data_base64": ""}, "data_base64: holds no JSON object (not JSON: "),
        (
            {"data_base64": coded(b"\xff")},
            "data_base64: holds no JSON object (not UTF-8 at byte 0)",
        ),
        ({"data_base64": coded(b"{}"), "data": {}}, "data_base64: stands beside data; an event"),
        (
            {"data_base64": coded(gzip.compress(b" " * 1_000_000))},
            "data_base64: more than 262,144 bytes when it is decompressed",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_data_that_can_not_be_read_is_told(more: dict[str, Any], words: str) -> None:
    found = defect(without_data(**more))
    assert found.reason is QuarantineReason.INVALID
    assert found.detail.startswith(words)
    assert found.content_digest


def test_all_that_one_message_holds_packed_is_bounded() -> None:
    heavy = coded(gzip.compress(DATA.encode() + b" " * 100_000))
    members = [without_data(id=f"f-{number}", data_base64=heavy) for number in range(400)]
    room = Room()
    first, second, third, *others = parse_all(b"[" + b",".join(members) + b"]", room=room)
    assert isinstance(first, Fact)
    assert isinstance(second, Fact)
    assert room.used == MAX_BODY
    words = (
        "data_base64: more than 262,144 bytes when it is decompressed, with what its message"
        " held packed before it"
    )
    assert {each.detail for each in (third, *others) if isinstance(each, Defect)} == {words}
    assert len(others) == 397


@pytest.mark.parametrize("packed", [gzip.compress(b" " * 50_000_000), b"\x78\x9c" + bytes(9)])
def test_what_was_unpacked_is_counted(packed: bytes) -> None:
    room = Room()
    parse_all(packed, room=room)
    assert room.used == (MAX_BODY if packed[0] == 0x1F else 0)


MOMENTS = {
    "2026-06-01T24:00:00Z": "; hour must be in 0..23",
    "2026-02-30T12:00:00Z": "; day is out of range for month",
    "0000-01-01T12:00:00Z": "; year 0 is out of range",
    "2026-06-01T12:00:00+24:00": "; its offset must be less than 24 hours",
    "2026-06-01T12:00:00 Z": "",
    "2026-06-01T12:00:00+01:00:30": "",
    "2026-06-01T12:00Z": "",
    "\uff12\uff10\uff12\uff16-06-01T12:00:00Z": "",
}
# --- words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (body(specversion="0.3"), "specversion: must be 1.0"),
        (body(id="x" * 101), "id: must have at most 100 characters"),
        (body(id=""), "id: must have at least 1 character"),
        (body(id=None), "id: must be text; nothing stands there"),
        (
            body({**event()["data"], "outcome": "ok"}),
            "outcome: must be one of success, failure",
        ),
        (
            body({**event()["data"], "activated_at": "2026-06-01T12:00:00"}),
            "activated_at: must have an offset, such as Z or +01:00",
        ),
        *(
            (body({**event()["data"], "activated_at": text}), f"activated_at: {NO_MOMENT}{more}")
            for text, more in MOMENTS.items()
        ),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_is_wrong_is_told_in_our_words(raw: bytes, words: str) -> None:
    detail = defect(raw).detail
    assert detail.startswith(words)
    assert "Input should" not in detail


def test_lower_case_and_a_space_are_times_too() -> None:
    for moment in ("2026-06-01t11:00:00z", "2026-06-01 11:00:00Z", "2026-06-01T11:00:00,0+0000"):
        assert fact(body({**event()["data"], "activated_at": moment})).data == fact(PLAIN).data


# --- leap seconds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.5Z",
        "2017-01-01T00:59:60+01:00",
        "2016-12-31t18:59:60-05:00",
        "2017-01-01T05:29:60+05:30",
    ],
)
def test_a_leap_second_belongs_to_the_day_that_it_ends(moment: str) -> None:
    found = fact(body({**event()["data"], "activated_at": moment}))
    assert found.data == activation(activated_at="2016-12-31T23:59:59.999999Z")


@pytest.mark.parametrize(
    "moment", ["2016-12-31T22:59:60Z", "2016-12-31T23:59:60+01:00", "2016-12-31T23:58:60Z"]
)
def test_a_second_60_elsewhere_is_refused(moment: str) -> None:
    detail = defect(body(time=moment)).detail
    assert detail == "time: has a second 60, which there is only before midnight in UTC"


@pytest.mark.parametrize("moment", ["2016-12-31T23:59:61Z", "2016-12-31T23:59:60ZZ"])
def test_what_is_no_time_is_none_with_a_second_60_either(moment: str) -> None:
    assert defect(body(time=moment)).detail.startswith("time: ")


@pytest.mark.parametrize("fraction", [".1", ".1234567", ".123456789", ".123456789123"])
def test_fractions_of_seconds_may_be_longer_than_ours(fraction: str) -> None:
    found = fact(body(time=f"2026-01-31T02:15:00{fraction}Z"))
    assert found.time is not None
    assert found.time.microsecond == int(fraction[1:7].ljust(6, "0"))


def test_a_second_60_without_an_offset_lacks_that() -> None:
    detail = defect(body(time="2016-12-31T23:59:60")).detail
    assert detail == "time: must have an offset, such as Z or +01:00"
