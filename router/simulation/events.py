"""The facts of a simulation, as the bytes of CloudEvents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone

from router.simulation.homes import CsvHub, CsvRegistration

ACTIVATED = "hubherald.firmware.activated.v1"
HUB = "hubherald.hub.updated.v1"
REGISTRATION = "hubherald.registration.updated.v1"

Json = dict[str, object]

_SUMMER = timezone(timedelta(hours=1))
_VERSIONS = ("9010", "1.10.2", "R7_b-2")
_FIRST_VERSION = 0x01020400
_CAMPAIGN = timedelta(hours=36)
VALID_DAYS = 28
"""Facts that change the inventory carry a `time` so many days ahead: they must be newer than an
import of the estate, whenever in these days that is done."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact."""

    source: str
    id: str
    type: str
    time: datetime | None
    data: Json

    def line(self, **attributes: object) -> bytes:
        """One line of JSON."""
        event: Json = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
        }
        if self.time is not None:
            event["time"] = _text(self.time)
        event |= {"datacontenttype": "application/json", **attributes, "data": self.data}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"

    def reworded(self) -> bytes:
        """The same fact by another writer: other key order and spaces, an attribute more."""
        event: Json = {
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "data": dict(reversed(self.data.items())),
            "type": self.type,
            "source": self.source,
            "id": self.id,
            "specversion": "1.0",
        }
        if self.time is not None:
            event["time"] = _text(self.time)
        return json.dumps(event, separators=(", ", ": ")).encode() + b"\r\n"

    @property
    def device_id(self) -> str:
        """The hub, as the router must write it."""
        return str(self.data["device_id"]).upper()

    @property
    def firmware_version(self) -> str:
        return str(self.data["firmware_version"])

    @property
    def success(self) -> bool:
        return self.data["outcome"] == "success"

    def with_data(self, **changes: object) -> Event:
        """The same attributes around other data."""
        return replace(self, data=self.data | changes)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_summer_time(event: Event) -> Event:
    """The same moment of activation, written with another offset."""
    moment = datetime.fromisoformat(str(event.data["activated_at"]))
    return event.with_data(activated_at=moment.astimezone(_SUMMER).isoformat())


class Events:
    """Makes facts, each with an id of its own."""

    def __init__(self, *, seed: int, today: date, activations: int) -> None:
        midnight = datetime.combine(today, time(), UTC)
        self._begin = midnight - timedelta(hours=48)
        # Even milliseconds here and an odd one where minutes are added: no two activations of
        # one hub are ever at the same time by chance.
        milliseconds = _CAMPAIGN // timedelta(milliseconds=max(1, activations))
        self._step = timedelta(milliseconds=max(2, milliseconds // 2 * 2))
        self.soon = midnight + timedelta(days=VALID_DAYS + 1, hours=12)
        """Later than any import of the estate."""
        self.long_ago = midnight - timedelta(days=60)
        self.yesterday = midnight - timedelta(days=1)
        self._seed = seed
        self._ids = 0
        self._activations = 0

    def new_id(self) -> str:
        self._ids += 1
        return f"s{self._seed}-{self._ids:08d}"

    def activation(self, hub: CsvHub, *, success: bool = True, minutes: int = 0) -> Event:
        """`hub` has activated firmware, `minutes` after its turn in the campaign."""
        number = self._activations
        self._activations += 1
        at = self._begin + self._step * number
        if minutes:
            at += timedelta(minutes=minutes, milliseconds=1)
        version = f"{_FIRST_VERSION + minutes:08X}"
        if number % 20 == 7:
            version = _VERSIONS[number // 20 % len(_VERSIONS)]
        data: Json = {
            "device_id": hub.device_id,
            "firmware_version": version,
            "activated_at": _text(at),
            "outcome": "success" if success else "failure",
        }
        if number % 4:
            data["previous_firmware_version"] = "01020304"
        if not success:
            data["failure_reason"] = "image verification failed"
        when = at + timedelta(seconds=2) if number % 10 else None
        return Event(self._source(hub), self.new_id(), ACTIVATED, when, data)

    def hub(self, hub: CsvHub, at: datetime) -> Event:
        """What is true of `hub` from `at` on."""
        data: Json = {
            "device_id": hub.device_id,
            "status": hub.status,
            "smets_version": hub.smets_version,
            "csp_region": hub.csp_region,
            "model": hub.model,
            "hardware_version": hub.hardware_version,
            "groups": list(hub.groups),
        }
        if hub.replaced_by is not None:
            data["replaced_by"] = hub.replaced_by
        return Event(self._source(hub), self.new_id(), HUB, at, data)

    def registration(self, row: CsvRegistration, at: datetime) -> Event:
        """Who is registered, known from `at` on."""
        data: Json = {
            "device_id": row.device_id,
            "mpxn": row.mpxn,
            "point": row.point,
            "supplier_id": row.supplier_id,
            "network_operator_id": row.network_operator_id,
            "effective_from": row.effective_from.isoformat(),
            "effective_to": row.effective_to.isoformat() if row.effective_to else None,
        }
        return Event("urn:dcc:registration", self.new_id(), REGISTRATION, at, data)

    def registrations(self, rows: Sequence[CsvRegistration], at: datetime) -> list[Event]:
        return [self.registration(row, at) for row in rows]

    def _source(self, hub: CsvHub) -> str:
        return f"urn:dcc:dsp:{hub.csp_region}"
