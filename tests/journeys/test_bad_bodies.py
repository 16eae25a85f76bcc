"""Every kind of bad body ends in quarantine, in one row, and the good facts around it go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.estate import ACTIVATED, HUB, S1, SUPPLIER, Estate

pytestmark = pytest.mark.once

GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "bad",
    "source": "dsp",
    "type": "hubherald.firmware.activated.v1",
    "data": {
        "device_id": HUB,
        "firmware_version": "9002",
        "activated_at": ACTIVATED,
        "outcome": "success",
    },
}


def with_data(**changes: Any) -> bytes:
    """A good activation, but for these keys of `data` (None takes one away)."""
    data = {key: value for key, value in {**GOOD["data"], **changes}.items() if value is not None}
    return json.dumps({**GOOD, "data": data}).encode()


def with_attribute(**changes: Any) -> bytes:
    """A good activation, but for these attributes (None takes one away)."""
    event = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps(event).encode()


BODIES = {
    "not JSON": (b"firmware activated", "malformed"),
    "cut off": (with_data()[:-9], "malformed"),
    "not an object": (b"[1, 2]", "malformed"),
    "bad UTF-8": (with_data().replace(b"dsp", b"d\xffp"), "malformed"),
    "NaN": (with_data().replace(b'"9002"', b"NaN"), "malformed"),
    "duplicate keys": (with_data().replace(b'"id":', b'"id": "x", "id":'), "malformed"),
    "a lone surrogate": (with_data().replace(b"9002", rb"\ud800"), "malformed"),
    "100,000 deep": (b"[" * 100_000, "malformed"),
    "10 MB": (b'{"id": "' + b"x" * 10_000_000 + b'"}', "too_large"),
    "an array for text": (with_data(device_id=[HUB]), "invalid"),
    "a number for a version": (with_data(firmware_version=9002), "invalid"),
    "an unknown outcome": (with_data(outcome="maybe"), "invalid"),
    "a local time": (with_data(activated_at="2026-06-01T12:00:00"), "invalid"),
    "a missing key": (with_data(outcome=None), "invalid"),
    "no data": (with_attribute(data=None), "invalid"),
    "no id": (with_attribute(id=None), "invalid"),
    "a control character": (with_data(firmware_version="90\x0002"), "invalid"),
    "nine characters": (with_data(firmware_version="123456789"), "invalid"),
    "right to left": (with_data(firmware_version="\u202e9002"), "invalid"),
    "markup": (with_data(firmware_version="<a>&'\""), "invalid"),
    "a bad Device ID": (with_data(device_id="90-B3-D5"), "invalid"),
    "an unknown type": (with_attribute(type="hubherald.weather.v1"), "unknown_type"),
}


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    return estate


@pytest.mark.parametrize("kind", BODIES)
def test_each_kind_lands_in_quarantine_and_its_neighbours_are_delivered(
    estate: Estate, kind: str
) -> None:
    body, reason = BODIES[kind]
    estate.activation("V1", activated_at="2026-06-01T10:00:00Z")
    estate.line(body)
    estate.line(body)
    estate.activation("V2", activated_at="2026-06-01T11:00:00Z")
    estate.run()
    assert estate.ask("SELECT reason FROM quarantined") == [(reason,)]
    assert estate.ask("SELECT reason FROM holding") == [(reason,)]
    assert [event["data"]["firmware_version"] for event in estate.sent(S1)] == ["V1", "V2"]


def test_the_same_id_with_other_data_is_quarantined(estate: Estate) -> None:
    estate.activation("V1", id="twice")
    estate.activation("V2", id="twice")
    estate.activation("V1", id="twice")
    estate.run()
    assert estate.ask("SELECT reason FROM quarantined") == [("conflicting_id",)]
    assert [event["data"]["firmware_version"] for event in estate.sent(S1)] == ["V1"]


def test_all_kinds_at_once_and_once_more_are_one_row_each(estate: Estate) -> None:
    for _ in range(2):
        for body, _reason in BODIES.values():
            estate.line(body)
        estate.activation(id="good")
    estate.run()
    expected = sorted(reason for _, reason in BODIES.values())
    assert sorted(row[0] for row in estate.ask("SELECT reason FROM quarantined")) == expected
    assert len(estate.sent(S1)) == 1
