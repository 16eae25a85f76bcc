"""Identities, homes and facts for the tests of the core, as values and as bytes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from router.domain.facts import Activation, Hub, Registration
from router.domain.words import ActivationOutcome, HubStatus, Point
from router.domain.words import SmetsVersion as Smets
from router.ports import Alert
from router.ports.alerts import alert_id

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DCC = "90-B3-D5-1F-30-00-00-02"


def device(number: int) -> str:
    """The Device ID of hub `number`."""
    return f"90-B3-D5-1F-30-00-{number // 256:02X}-{number % 256:02X}"


def user(number: int) -> str:
    """The User ID of Service User `number`."""
    return f"90-B3-D5-1F-30-01-{number // 256:02X}-{number % 256:02X}"


def mpan(number: int) -> str:
    """An MPAN with its check digit."""
    digits = f"{100_000_000_000 + number}"
    weights = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
    total = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))
    return digits + str(total % 11 % 10)


def mprn(number: int) -> str:
    """An MPRN of ten digits with its check digits."""
    digits = f"{10_000_000 + number}"
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(8, 0, -1), strict=True))
    return f"{digits}{total % 11:02d}"


HUB = device(1)
ELECTRICITY, EXPORT, GAS = mpan(1), mpan(2), mprn(1)


def hub(device_id: str = HUB, **more: Any) -> Hub:
    """A commissioned SMETS2 hub unless said otherwise."""
    usual = {"status": HubStatus.COMMISSIONED, "smets_version": Smets.SMETS2}
    return Hub(device_id=device_id, **{**usual, **more})


def registration(
    mpxn: str = ELECTRICITY,
    supplier: str | None = user(1),
    *,
    point: Point = Point.IMPORT_MPAN,
    device_id: str = HUB,
    since: date = date(2020, 1, 1),
    until: date | None = None,
    operator: str | None = None,
) -> Registration:
    """Who supplies a meter point of a hub, from 2020 on unless said otherwise."""
    return Registration(
        device_id=device_id,
        mpxn=mpxn,
        point=point,
        supplier_id=supplier,
        network_operator_id=operator,
        effective_from=since,
        effective_to=until,
    )


def activation(device_id: str = HUB, version: str = "9002", **more: Any) -> Activation:
    """A successful activation an hour before NOW unless said otherwise."""
    usual = {"activated_at": "2026-06-01T11:00:00Z", "outcome": ActivationOutcome.SUCCESS}
    return Activation(device_id=device_id, firmware_version=version, **{**usual, **more})


ALERT = Alert(
    id=alert_id("dsp", "f-1", user(1), "N64"),
    alert_code="N64",
    dcc_id=DCC,
    service_user_id=user(1),
    device_id=HUB,
    firmware_version="9002",
    previous_firmware_version=None,
    activated_at=NOW - timedelta(hours=1),
    decided_at=NOW,
    roles=("gas_supplier", "import_supplier"),
    rules={"gas_supplier": "alert-gas-supplier", "import_supplier": "alert-import-supplier"},
    sequence=1,
    rules_digest="0" * 64,
)
"""An Alert to Service User 1 about that activation."""


def event(data: object = None, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent with an activation in it unless said otherwise."""
    return {
        "specversion": "1.0",
        "id": "f-1",
        "source": "dsp",
        "type": "hubherald.firmware.activated.v1",
        "data": json.loads(activation().model_dump_json()) if data is None else data,
        **attributes,
    }


def body(data: object = None, **attributes: Any) -> bytes:
    """The same as bytes."""
    return json.dumps(event(data, **attributes)).encode()
