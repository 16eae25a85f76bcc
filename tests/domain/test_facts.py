"""Whatever a body holds, it becomes a Fact or a Defect that names the reason."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import body, event

from router.domain.facts import DATA, MAX_BODY, Activation, Defect, Fact, Hub, Registration, parse
from router.domain.words import HubStatus, Point, QuarantineReason

ACTIVATED: dict[str, Any] = event()["data"]
HUB_DATA = {"device_id": "90-b3-d5-1f-30-00-00-01", "status": "Pending", "smets_version": "SMETS2"}
REGISTRATION_DATA = {
    "device_id": "90-B3-D5-1F-30-00-00-01",
    "mpxn": "3938424403",
    "point": "mprn",
    "supplier_id": "90-B3-D5-1F-30-01-00-01",
    "network_operator_id": None,
    "effective_from": "2026-01-01",
    "effective_to": None,
}
EVENTS = [
    event(),
    event(HUB_DATA, type="hubherald.hub.updated.v1", time="2026-01-01T00:00:00Z"),
    event(REGISTRATION_DATA, type="hubherald.registration.updated.v1", time="2026-01-01T00:00:00Z"),
]


def fact(raw: bytes) -> Fact:
    found = parse(raw)
    assert isinstance(found, Fact), found
    return found


def defect(raw: bytes) -> Defect:
    found = parse(raw)
    assert isinstance(found, Defect), found
    return found


def with_data(**changes: object) -> bytes:
    return body({**ACTIVATED, **changes})


def without(key: str) -> bytes:
    return body({name: value for name, value in ACTIVATED.items() if name != key})


# --- good facts -----------------------------------------------------------------------------


def test_an_activation_is_read() -> None:
    raw = with_data(
        device_id="90-b3-d5-1f-30-00-00-0a",
        activated_at="2026-06-01T12:30:00.123456+01:00",
        previous_firmware_version="1.10",
    )
    found = fact(raw)
    assert found.key == ("dsp", "f-1")
    assert found.time is None
    assert found.body == raw
    assert isinstance(found.data, Activation)
    assert found.data.device_id == "90-B3-D5-1F-30-00-00-0A"
    assert found.data.activated_at == datetime(2026, 6, 1, 11, 30, 0, 123456, tzinfo=UTC)
    assert found.data.activated_at.tzinfo is UTC
    assert found.data.previous_firmware_version == "1.10"


def test_a_hub_is_read() -> None:
    found = fact(
        body(
            {**HUB_DATA, "groups": ["pilot", "north"], "replaced_by": None, "unheard_of": 1},
            type="hubherald.hub.updated.v1",
            time="2026-01-01T01:00:00+01:00",
            unheardof="kept in the body",
        )
    )
    assert isinstance(found.data, Hub)
    assert found.data.status is HubStatus.PENDING
    assert found.data.groups == ("pilot", "north")
    assert found.time == datetime(2026, 1, 1, tzinfo=UTC)
    assert b"unheardof" in found.body


def test_a_registration_is_read() -> None:
    found = fact(json.dumps(EVENTS[2]).encode())
    assert isinstance(found.data, Registration)
    assert found.data.point is Point.MPRN
    assert found.data.network_operator_id is None
    assert found.data.effective_to is None


def test_each_type_has_its_model() -> None:
    assert [type(fact(json.dumps(each).encode()).data) for each in EVENTS] == list(DATA.values())


def test_escaped_and_unescaped_letters_are_the_same_fact() -> None:
    raw = with_data(failure_reason="Zähler 🏠")
    written_out = json.dumps(json.loads(raw), ensure_ascii=False).encode()
    assert raw != written_out
    assert fact(raw).content_digest == fact(written_out).content_digest


def test_a_redelivery_has_the_same_digest_whatever_the_order_of_its_keys() -> None:
    forward = event({**ACTIVATED, "extra": {"a": 1, "b": [1, {"c": 2, "d": 3}]}})
    backward = dict(reversed(forward.items()))
    backward["data"] = dict(reversed(forward["data"].items()))
    backward["data"]["extra"] = {"b": [1, {"d": 3, "c": 2}], "a": 1}
    first = fact(json.dumps(forward).encode())
    second = fact(json.dumps(backward, indent=3).encode())
    assert first.content_digest == second.content_digest
    assert first.body != second.body


@pytest.mark.parametrize(
    "more",
    [{}, {"note": "\x7f Zähler"}, {"note": True}, {"note": 1e22}, {"n": {"b": 1, "a": None}}],
)
def test_the_digest_is_what_it_has_always_been(more: dict[str, Any]) -> None:
    """Whoever sends a fact again that an older Hubherald has recorded sends what is known."""
    raw = with_data(**more)
    sent = json.loads(raw)
    content = json.dumps([sent["type"], sent["data"]], sort_keys=True, separators=(",", ":"))
    assert fact(raw).content_digest == hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        with_data(firmware_version="9003"),
        with_data(unheard_of=1),
        body(HUB_DATA, type="hubherald.hub.updated.v1", time="2026-01-01T00:00:00Z"),
    ],
)
def test_other_type_or_data_has_another_digest(changed: bytes) -> None:
    assert fact(changed).content_digest != fact(body()).content_digest


def test_other_attributes_leave_the_digest_alone() -> None:
    digests = {
        fact(each).content_digest
        for each in (
            body(),
            body(id="f-2"),
            body(source="other"),
            body(time="2026-01-01T00:00:00Z"),
        )
    }
    assert len(digests) == 1


# --- bodies that are no fact ----------------------------------------------------------------

MALFORMED = {
    "nothing": b"",
    "not JSON": b"{no",
    "two values": b"{} {}",
    "bad UTF-8": body().replace(b"dsp", b"\xff\xfe"),
    "UTF-16": body().decode().encode("utf-16"),
    "UTF-16 without a mark": body().decode().encode("utf-16-le"),
    "a second half of UTF-16": body().decode().encode("utf-16-be")[1:],
    "a byte order mark alone": b"\xef\xbb\xbf",
    "a byte order mark within": body().replace(b": ", b": \xef\xbb\xbf", 1),
    "lines of an old Mac": body() + b"\r" + body(),
    "NaN": with_data(extra=1).replace(b'"extra": 1', b'"extra": NaN'),
    "Infinity": with_data(extra=1).replace(b'"extra": 1', b'"extra": -Infinity'),
    "a duplicate key": b'{"id": "1", ' + body()[1:],
    "a duplicate key deep inside": with_data(extra=1).replace(b"1}}", b'{"a": 1, "a": 2}}}'),
    "a lone surrogate": with_data(failure_reason="\ud800"),
    "a lone surrogate in what is ignored": with_data(extra="\udfff"),
    "a lone surrogate in a key": with_data(**{"\ud800": 1}),
    "100,000 lists in each other": b"[" * 100_000 + b"]" * 100_000,
    "100,000 lists in ignored data": with_data(extra=1).replace(
        b": 1}}", b": " + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    ),
    "40,000 objects in each other": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "a number of 5,000 digits": with_data(extra=1).replace(b": 1}}", b": " + b"9" * 5_000 + b"}}"),
    "a control character in text": body().replace(b"dsp", b"d\x00sp"),
    "a list": b"[]",
    "a word": b'"fact"',
    "null": b"null",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_not_json_is_malformed(raw: bytes) -> None:
    found = defect(raw)
    assert found.reason is QuarantineReason.MALFORMED
    assert found.detail.isprintable()
    assert found.body == raw


def test_thousands_of_keys_with_one_twice_are_looked_through_once() -> None:
    # once for each key it took ten seconds, in which nobody was told anything
    keys = ",".join(f'"{number:x}":1' for number in range(26_000))
    assert "duplicate key '658f'" in defect(f'{{{keys},"658f":1}}'.encode()).detail


def test_ten_megabytes_are_too_large_and_not_kept_whole() -> None:
    found = defect(with_data(failure_reason="x" * 10_000_000))
    assert found.reason is QuarantineReason.TOO_LARGE
    assert len(found.body) == MAX_BODY + 1
    assert defect(found.body).reason is QuarantineReason.TOO_LARGE


def test_the_largest_body_is_read() -> None:
    raw = body()
    assert isinstance(parse(raw + b" " * (MAX_BODY - len(raw))), Fact)
    assert isinstance(parse(raw + b" " * (MAX_BODY - len(raw) + 1)), Defect)


INVALID = {
    "specversion": body(specversion="0.3"),
    "id": body(id=""),
    "id ": body(id=7),
    "id  ": body(id="x" * 101),
    "id   ": body(id="a\nb"),
    "source": body(source=""),
    "source ": body(source="s" * 301),
    "source  ": body(source=None),
    "type": body(type=None),
    "time": body(time="yesterday"),
    "time ": body(time=1_700_000_000),
    "time  ": body(time="2026-01-01T00:00:00"),  # no offset
    "data": body("text"),
    "data ": body([]),
    "device_id": without("device_id"),
    "device_id ": with_data(device_id="90-B3-D5-1F-30-00-00"),
    "device_id  ": with_data(device_id="90-B3-D5-1F-30-00-00-0\ufb00"),
    "device_id   ": with_data(device_id="90B3D51F30000001"),
    "device_id    ": with_data(device_id="90-B3-D5-1F-30-00-00-01\n"),
    "device_id     ": with_data(device_id=None),
    "firmware_version": without("firmware_version"),
    "firmware_version ": with_data(firmware_version="123456789"),
    "firmware_version  ": with_data(firmware_version=""),
    "firmware_version   ": with_data(firmware_version=9002),
    "firmware_version    ": with_data(firmware_version=1.10),
    "firmware_version     ": with_data(firmware_version="90\x0002"),
    "firmware_version      ": with_data(firmware_version="9002\n"),
    "firmware_version       ": with_data(firmware_version="<9002>"),
    "firmware_version        ": with_data(firmware_version="９００２"),
    "firmware_version         ": with_data(firmware_version=["9002"]),
    "previous_firmware_version": with_data(previous_firmware_version="9 002"),
    "failure_reason": with_data(failure_reason="a\x1b[31mb"),
    "failure_reason ": with_data(failure_reason="\u202etxet"),
    "failure_reason  ": with_data(failure_reason="x" * 101),
    "activated_at": without("activated_at"),
    "activated_at ": with_data(activated_at="2026-06-01T12:00:00"),
    "activated_at  ": with_data(activated_at="2026-06-01T12:00Z"),
    "activated_at   ": with_data(activated_at="2026-06-01"),
    "activated_at    ": with_data(activated_at="2026-02-30T12:00:00Z"),
    "activated_at     ": with_data(activated_at=1_780_000_000),
    "activated_at      ": with_data(activated_at="0001-01-01T00:00:00+01:00"),
    "activated_at       ": with_data(activated_at="9999-12-31T23:59:59-01:00"),
    "outcome": with_data(outcome="Success"),
    "outcome ": with_data(outcome=True),
}


@pytest.mark.parametrize(("key", "raw"), INVALID.items())
def test_what_is_not_allowed_is_invalid_and_named(key: str, raw: bytes) -> None:
    found = defect(raw)
    assert found.reason is QuarantineReason.INVALID
    assert f"{key.strip()}: " in found.detail
    assert found.detail.isprintable()


@pytest.mark.parametrize("which", [1, 2])
def test_hub_and_registration_facts_need_their_time(which: int) -> None:
    raw = {key: value for key, value in EVENTS[which].items() if key != "time"}
    assert defect(json.dumps(raw).encode()).detail.startswith("time: missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"mpxn": 3938424403},
        {"mpxn": "1800021679848"},  # a good MPAN is no MPRN
        {"mpxn": "12345"},
        {"mpxn": "393842440312"},
        {"mpxn": "00000000000"},
        {"mpxn": "３９３８４２４４０３"},
        {"mpxn": "3938424403 "},
        {"mpxn": "3938424403", "point": "export_mpan"},
        {"point": "import_mpan"},
        {"point": "water"},
        {"supplier_id": "Acme"},
        {"effective_from": "2026-1-1"},
        {"effective_from": "2026-01-01T00:00:00Z"},
        {"effective_from": None},
        {"effective_from": 20_000},
        {"effective_to": "2025-12-31"},
    ],
    ids=str,
)
def test_a_registration_that_can_not_be_is_invalid(changes: dict[str, object]) -> None:
    raw = {**EVENTS[2], "data": {**REGISTRATION_DATA, **changes}}
    assert defect(json.dumps(raw).encode()).reason is QuarantineReason.INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "commissioned"},
        {"smets_version": 2},
        {"groups": "pilot"},
        {"groups": ["two words"]},
        {"groups": ["pilot"] * 101},
        {"replaced_by": "nobody"},
        {"model": ""},
        {"csp_region": "North\x07"},
    ],
    ids=str,
)
def test_a_hub_that_can_not_be_is_invalid(changes: dict[str, object]) -> None:
    raw = {**EVENTS[1], "data": {**HUB_DATA, **changes}}
    assert defect(json.dumps(raw).encode()).reason is QuarantineReason.INVALID


def test_an_unknown_type_is_named_with_the_known_ones() -> None:
    found = defect(body(type="hubherald.firmware.halted.v1"))
    assert found.reason is QuarantineReason.UNKNOWN_TYPE
    assert "'hubherald.firmware.halted.v1'" in found.detail
    assert all(kind in found.detail for kind in DATA)


def test_a_defect_keeps_what_could_be_read() -> None:
    found = defect(with_data(firmware_version="123456789"))
    assert (found.source, found.id) == ("dsp", "f-1")
    assert found.type == "hubherald.firmware.activated.v1"
    assert found.content_digest


def test_a_defect_shows_nothing_hostile() -> None:
    found = defect(body(source="a\x1bb", id="x" * 5000, type="\u202e"))
    assert (found.source, found.id, found.type) == (None, None, None)
    assert len(found.detail) <= 500
    assert found.detail.isprintable()


# --- nothing makes it raise -----------------------------------------------------------------


@given(st.binary(max_size=300))
def test_parse_never_raises_for_bytes(raw: bytes) -> None:
    assert isinstance(parse(raw), Fact | Defect)


@given(st.sampled_from(EVENTS), st.data())
def test_parse_never_raises_for_a_broken_fact(good: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(json.dumps(good).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=8))
    found = parse(bytes(raw))
    assert isinstance(found, Fact | Defect)
    if isinstance(found, Defect):
        assert found.detail.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=6,
)
MOMENTS = st.datetimes().map(lambda at: at.isoformat() + "-09:00")


@given(st.sampled_from(EVENTS), st.data())
def test_parse_never_raises_for_wrong_values(good: dict[str, Any], data: st.DataObject) -> None:
    broken = {**good, "data": dict(good["data"])}
    target = data.draw(st.sampled_from([broken, broken["data"]]))
    key = data.draw(st.sampled_from(sorted(target)))
    target[key] = data.draw(JSON | MOMENTS)
    found = parse(json.dumps(broken).encode())
    if isinstance(found, Defect):
        assert found.detail.isprintable()
    else:
        assert found.key == (broken["source"], broken["id"])
