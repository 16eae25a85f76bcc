"""An Alert survives its bytes, and its id never changes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from support.samples import ALERT, DCC, HUB, NOW, user

from router.ports import EVENT_TYPE, Alert
from router.ports.alerts import alert_id

MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_the_id_of_an_alert_is_what_it_has_always_been() -> None:
    # written out: whoever changes how ids are made would send every stored Alert under a new one
    expected = UUID("94947905-241d-5125-8a77-38d8c7ae9b19")
    assert alert_id("dsp", "f-1", "90-B3-D5-1F-30-01-00-01", "N64") == expected


def test_the_id_tells_apart_what_must_be_told_apart() -> None:
    ids = {
        alert_id("dsp", "f-1", user(1), "N64"),
        alert_id("dsp", "f-2", user(1), "N64"),
        alert_id("other", "f-1", user(1), "N64"),
        alert_id("dsp", "f-1", user(2), "N64"),
        alert_id("dsp", "f-1", user(1), "N65"),
        alert_id('dsp", "f', "1", user(1), "N64"),
        alert_id("dsp", 'f", "1', user(1), "N64"),
    }
    assert len(ids) == 7


def test_an_alert_is_a_cloudevent() -> None:
    event = json.loads(ALERT.event())
    assert event.pop("data") == {
        "alert_code": "N64",
        "device_id": HUB,
        "firmware_version": "9002",
        "previous_firmware_version": None,
        "activated_at": "2026-06-01T11:00:00Z",
        "service_user_id": user(1),
        "roles": ["gas_supplier", "import_supplier"],
        "rules": dict(ALERT.rules),
        "sequence": 1,
        "rules_digest": "0" * 64,
    }
    assert event == {
        "specversion": "1.0",
        "id": str(ALERT.id),
        "type": EVENT_TYPE,
        "source": DCC,
        "subject": HUB,
        "time": "2026-06-01T12:00:00Z",
        "datacontenttype": "application/json",
    }


@given(
    st.builds(
        replace,
        st.just(ALERT),
        id=st.uuids(),
        previous_firmware_version=st.none() | st.from_regex(r"[0-9A-Za-z._-]{1,8}", fullmatch=True),
        activated_at=MOMENTS,
        decided_at=MOMENTS,
        sequence=st.integers(1, 2**63 - 1),
        rules=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    )
)
def test_an_alert_is_read_back_from_its_bytes(alert: Alert) -> None:
    event = alert.event()
    again = Alert.from_event(event)
    assert again == alert
    assert again.event() == event


def test_an_alert_keeps_the_moment_of_another_offset() -> None:
    local = datetime(2026, 6, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert Alert.from_event(replace(ALERT, decided_at=local).event()).decided_at == NOW
