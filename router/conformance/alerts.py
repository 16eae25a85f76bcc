"""Alerts for tests of adapters: as the router makes them, told apart by a number."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from router.ports import Alert
from router.ports.alerts import alert_id

USER = "90-B3-D5-1F-30-01-00-01"
"""The Service User whom they are for."""
DCC = "90-B3-D5-1F-30-00-00-02"
MARKED = 9_999
"""The number of the Alert that `Situation.REFUSES_MARKED` is about."""
_DECIDED = datetime(2026, 6, 1, 12, tzinfo=UTC)
_ROLES = (
    "electricity_distributor",
    "export_supplier",
    "gas_supplier",
    "gas_transporter",
    "import_supplier",
)


def alert(number: int = 1, **fields: Any) -> Alert:
    """The Alert of this number, from 1 on, which is its sequence, too; `fields` stand instead of
    what an Alert has usually."""
    moment = _DECIDED + timedelta(seconds=number)
    made = Alert(
        id=alert_id("conformance", f"fact-{number}", USER, "N64"),
        alert_code="N64",
        dcc_id=DCC,
        service_user_id=USER,
        device_id=f"90-B3-D5-1F-30-02-{number // 256:02X}-{number % 256:02X}",
        firmware_version="01020304",
        previous_firmware_version=None,
        activated_at=moment - timedelta(hours=1),
        decided_at=moment,
        roles=("gas_supplier", "import_supplier"),
        rules={"gas_supplier": "alert-gas", "import_supplier": "alert-import"},
        sequence=number,
        rules_digest="0" * 64,
    )
    return replace(made, **fields)


def marked() -> Alert:
    """The one that `Situation.REFUSES_MARKED` refuses; its firmware is `0BADBAD0`."""
    return alert(MARKED, firmware_version="0BADBAD0")


def spelled_out(number: int = 1) -> Alert:
    """One with characters of one to four bytes, those that look like ends of lines among them."""
    rules = {
        "gas_supplier": "gáz — 瓦斯 \U0001d11e",
        "import_supplier": "'\"<&>\\ %s ${x} \u2028\u0085 שלום",
    }
    return alert(number, rules=rules)


def longest(number: int = 1) -> Alert:
    """One whose every part is as long as it can be: some 60 kB, most of it names of rules."""
    return alert(
        number,
        firmware_version="FFFFFFFF",
        previous_firmware_version="FFFFFFFE",
        roles=_ROLES,
        rules=dict.fromkeys(_ROLES, "\U0001d11e" * 1_000),
    )
