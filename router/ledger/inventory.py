"""Hubs and registrations in the ledger: what is true now, from facts and from imports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from router.domain.facts import Hub, Registration
from router.domain.inventory import Inventory, Running
from router.domain.timestamps import moment, stamp
from router.domain.words import HubStatus, Point, SmetsVersion
from router.ledger.driver import change, change_each
from router.ledger.prepared import Prepared, among, listed
from router.ledger.tables import firmware, hubs, registrations

HubRow = tuple[str, str, str, str | None, str | None, str | None, str | None, str]
"""device_id, status, smets_version, csp_region, model, hardware_version, replaced_by, groups
(JSON)."""
RegistrationRow = tuple[str, str, str, str, str | None, str | None, str | None]
"""device_id, mpxn, effective_from, point, supplier_id, network_operator_id, effective_to."""


_HUBS = Prepared(
    select(hubs, firmware.c.version, firmware.c.activated_at)
    .select_from(hubs.outerjoin(firmware, firmware.c.device_id == hubs.c.device_id))
    .where(hubs.c.device_id.in_(among("devices"))),
    ("devices",),
)
_REGISTRATIONS = Prepared(
    select(registrations).where(
        registrations.c.mpxn.in_(
            select(registrations.c.mpxn).where(registrations.c.device_id.in_(among("devices")))
        )
    ),
    ("devices",),
)
_BY_MPXN = Prepared(
    select(registrations).where(registrations.c.mpxn.in_(among("points"))), ("points",)
)


def read_inventory(
    connection: Connection, devices: Iterable[str], points: Iterable[str] = ()
) -> Inventory:
    """What is known about hubs `devices`, and about meter points that a batch is going to name."""
    wanted = listed(sorted(devices))
    found = Inventory()
    for *row, updated_at, version, activated_at in _HUBS.ask(connection, wanted):
        hub = _hub(*row)
        found.put_hub(hub, moment(updated_at))
        if version is not None:
            found.running[hub.device_id] = Running(version, moment(activated_at))
    rows = _REGISTRATIONS.ask(connection, wanted)
    if named := sorted(points):
        rows += _BY_MPXN.ask(connection, listed(named))
    for *row, updated_at in rows:
        found.put_registration(_registration(*row), moment(updated_at))
    return found


# The ledger holds only what passed validation, so reading builds the values without it. The order
# is that of the tables' columns.

_Model = TypeVar("_Model", Hub, Registration)
_set = object.__setattr__


def _made(model: type[_Model], /, **values: Any) -> _Model:
    """As its `model_construct`, given all fields in their order, in a third of the time."""
    made = model.__new__(model)
    _set(made, "__dict__", values)
    _set(made, "__pydantic_fields_set__", set(values))
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


def _hub(  # noqa: PLR0917
    device_id: str,
    status: str,
    smets_version: str,
    csp_region: str | None,
    model: str | None,
    hardware_version: str | None,
    replaced_by: str | None,
    groups: str,
) -> Hub:
    return _made(
        Hub,
        device_id=device_id,
        status=HubStatus(status),
        smets_version=SmetsVersion(smets_version),
        csp_region=csp_region,
        model=model,
        hardware_version=hardware_version,
        replaced_by=replaced_by,
        groups=tuple(json.loads(groups)) if groups != "[]" else (),
    )


def _registration(  # noqa: PLR0917
    device_id: str,
    mpxn: str,
    effective_from: str,
    point: str,
    supplier_id: str | None,
    network_operator_id: str | None,
    effective_to: str | None,
) -> Registration:
    return _made(
        Registration,
        device_id=device_id,
        mpxn=mpxn,
        point=Point(point),
        supplier_id=supplier_id,
        network_operator_id=network_operator_id,
        effective_from=date.fromisoformat(effective_from),
        effective_to=date.fromisoformat(effective_to) if effective_to else None,
    )


# Raw SQL: an import of 20 million homes goes through here, too.
REPLACE_HUB = """
ON CONFLICT (device_id) DO UPDATE SET
    status = excluded.status, smets_version = excluded.smets_version,
    csp_region = excluded.csp_region, model = excluded.model,
    hardware_version = excluded.hardware_version, replaced_by = excluded.replaced_by,
    "groups" = excluded."groups", updated_at = excluded.updated_at
"""
REPLACE_REGISTRATION = """
ON CONFLICT (device_id, mpxn, effective_from) DO UPDATE SET
    point = excluded.point, supplier_id = excluded.supplier_id,
    network_operator_id = excluded.network_operator_id,
    effective_to = excluded.effective_to, updated_at = excluded.updated_at
"""
_PUT_HUB = """
INSERT INTO hubs (device_id, status, smets_version, csp_region, model, hardware_version,
                  replaced_by, "groups", updated_at) VALUES (?,?,?,?,?,?,?,?,?)
"""
_PUT_REGISTRATION = """
INSERT INTO registrations (device_id, mpxn, effective_from, point, supplier_id,
                           network_operator_id, effective_to, updated_at) VALUES (?,?,?,?,?,?,?,?)
"""
_PUT_FIRMWARE = """
INSERT INTO firmware (device_id, version, activated_at) VALUES (?,?,?)
ON CONFLICT (device_id) DO UPDATE SET
    version = excluded.version, activated_at = excluded.activated_at
"""
# What facts say never goes over what is newer, whatever its writer has read before.
_UPDATE_HUB = f"{_PUT_HUB} {REPLACE_HUB} WHERE excluded.updated_at >= hubs.updated_at"
_UPDATE_REGISTRATION = (
    f"{_PUT_REGISTRATION} {REPLACE_REGISTRATION}"
    " WHERE excluded.updated_at >= registrations.updated_at"
)
_UPDATE_FIRMWARE = f"{_PUT_FIRMWARE} WHERE excluded.activated_at > firmware.activated_at"


def write_hubs(connection: Connection, found: Iterable[tuple[Hub, datetime]]) -> None:
    """Insert hubs, or replace what is older, each with the moment that it is known from."""
    rows = [
        (
            hub.device_id,
            hub.status.value,
            hub.smets_version.value,
            hub.csp_region,
            hub.model,
            hub.hardware_version,
            hub.replaced_by,
            json.dumps(hub.groups) if hub.groups else "[]",
            stamp(at),
        )
        for hub, at in found
    ]
    if rows:
        change_each(connection, _UPDATE_HUB, rows)


def write_registrations(
    connection: Connection, found: Iterable[tuple[Registration, datetime]]
) -> None:
    """Insert registrations, or replace what is older, each with the moment it is known from."""
    rows = [
        (
            each.device_id,
            each.mpxn,
            each.effective_from.isoformat(),
            each.point.value,
            each.supplier_id,
            each.network_operator_id,
            each.effective_to.isoformat() if each.effective_to else None,
            stamp(at),
        )
        for each, at in found
    ]
    if rows:
        change_each(connection, _UPDATE_REGISTRATION, rows)


def write_running(connection: Connection, found: Mapping[str, Running]) -> None:
    """Insert what hubs run, or replace what was activated before."""
    rows = [(device, each.version, stamp(each.activated_at)) for device, each in found.items()]
    if rows:
        change_each(connection, _UPDATE_FIRMWARE, rows)


def write_correction(connection: Connection, device_id: str, running: Running | None) -> None:
    """What a hub runs, by an operator's word; None: nobody knows."""
    if running is None:
        connection.execute(firmware.delete().where(firmware.c.device_id == device_id))
    else:
        row = (device_id, running.version, stamp(running.activated_at))
        change(connection, _PUT_FIRMWARE, row)
