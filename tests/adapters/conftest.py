"""What the tests of the adapters share: Alerts to deliver."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from router.ports import Alert, Delivery
from router.ports.alerts import alert_id

USER = "90-B3-D5-1F-30-01-00-01"


@pytest.fixture
def delivery() -> Callable[[int], Delivery]:
    """Makes the Delivery of a user's nth Alert."""

    def make(sequence: int) -> Delivery:
        alert = Alert(
            id=alert_id("dsp", f"fact-{sequence}", USER, "N64"),
            alert_code="N64",
            dcc_id="90-B3-D5-1F-30-00-00-02",
            service_user_id=USER,
            device_id="90-B3-D5-1F-30-02-00-01",
            firmware_version="01020304",
            previous_firmware_version=None,
            activated_at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
            decided_at=datetime(2026, 2, 1, 0, 1, tzinfo=UTC),
            roles=("gas_supplier", "import_supplier"),
            rules={"gas_supplier": "alert-gas", "import_supplier": "alert-import"},
            sequence=sequence,
            rules_digest="0" * 64,
        )
        return Delivery(alert, alert.event())

    return make
