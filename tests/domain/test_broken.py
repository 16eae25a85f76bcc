"""The hub that a body is about which is no fact."""

from __future__ import annotations

import pytest

from router.domain.broken import device_named

HUB = "90-B3-D5-1F-30-00-10-01"


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"device_id": "90-B3-D5-1F-30-00-10-01", "outcome": "succes',
        b'{"data": {"device_id": "90-b3-d5-1f-30-00-10-01"}',
        b"{'deviceId': '90:B3:D5:1F:30:00:10:01'}",
        b"device-id=90B3D51F30001001",
        b'"{\\"device_id\\": \\"90-B3-D5-1F-30-00-10-01\\"}"',
        b'\xff\xfe{"Device_ID" : "90-B3-D5-1F-30-00-10-01"}',
        b'[{"device_id":"90-B3-D5-1F-30-00-10-01"},{"device_id":"90-b3-d5-1f-30-00-10-01"},',
    ],
)
def test_one_that_is_named_is_read_however_it_is_spelled(body: bytes) -> None:
    assert device_named(body) == HUB


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a fact",
        b'{"device_id": "90-B3-D5-1F-30-00-10"}',
        b'{"device_id": "90-B3-D5-1F-30-00-10-01-02"}',
        b'{"replaced_by": "90-B3-D5-1F-30-00-10-01"}',
        b'{"device_id":"90-B3-D5-1F-30-00-10-01"},{"device_id":"90-B3-D5-1F-30-00-10-02"}',
    ],
)
def test_none_or_several_are_none(body: bytes) -> None:
    assert device_named(body) is None


def test_a_long_body_is_read_in_no_time_that_grows_with_its_square() -> None:
    assert device_named(b'"device_id": "' * 70_000 + b"90-B3-D5-" * 70_000) is None
