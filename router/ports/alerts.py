"""The Alert: what one Service User is told about one activation.

An Alert is made once, when its fact is decided, and stored as the CloudEvents JSON below. Every
JSON channel sends exactly these bytes, however often; channels of other formats render from it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted

import orjson

from router.compact import compact

NAMESPACE = uuid.UUID("b8a5c7de-6f0c-5d0f-9f43-2f6f3e1f64a1")
"""The fixed namespace of Alert ids. Changing it would send every Alert again under a new id."""
_SPACE = NAMESPACE.bytes
EVENT_TYPE = "hubherald.alert.v1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
"""As CloudEvents 1.0 names them, for one event and for a JSON array of them."""


def alert_id(fact_source: str, fact_id: str, service_user_id: str, alert_code: str) -> uuid.UUID:
    """The same for the same fact, user and code, whatever rules or clock say."""
    # as the standard library's encoder writes them, which takes longer
    words = map(quoted, (fact_source, fact_id, service_user_id, alert_code))
    digest = hashlib.sha1(_SPACE + f"[{', '.join(words)}]".encode(), usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


@dataclass(frozen=True, slots=True)
class Alert:
    """One Alert to one Service User, as decided."""

    id: uuid.UUID
    alert_code: str
    """The DCC Alert code that the rule gave, such as N64."""
    dcc_id: str
    """EUI-64 of the DCC, who originates the Alert."""
    service_user_id: str
    device_id: str
    firmware_version: str
    previous_firmware_version: str | None
    activated_at: datetime
    decided_at: datetime
    roles: tuple[str, ...]
    """The alerted roles of this user, sorted."""
    rules: Mapping[str, str]
    """Role to the name of the rule that alerted it."""
    sequence: int
    """Gapless per Service User, from 1."""
    rules_digest: str

    def event(self) -> bytes:
        """CloudEvents 1.0 structured JSON; the bytes are a function of the fields alone."""
        data = {
            "alert_code": self.alert_code,
            "device_id": self.device_id,
            "firmware_version": self.firmware_version,
            "previous_firmware_version": self.previous_firmware_version,
            "activated_at": _moment(self.activated_at),
            "service_user_id": self.service_user_id,
            "roles": list(self.roles),
            "rules": dict(self.rules),
            "sequence": self.sequence,
            "rules_digest": self.rules_digest,
        }
        event = {
            "specversion": "1.0",
            "id": str(self.id),
            "type": EVENT_TYPE,
            "source": self.dcc_id,
            "subject": self.device_id,
            "time": _moment(self.decided_at),
            "datacontenttype": "application/json",
            "data": data,
        }
        return compact(event)

    @classmethod
    def from_event(cls, event: bytes) -> Alert:
        """The Alert again, from the bytes that `event` gave."""
        outer = orjson.loads(event)
        data = outer["data"]
        return cls(
            id=uuid.UUID(outer["id"]),
            alert_code=data["alert_code"],
            dcc_id=outer["source"],
            service_user_id=data["service_user_id"],
            device_id=data["device_id"],
            firmware_version=data["firmware_version"],
            previous_firmware_version=data["previous_firmware_version"],
            activated_at=datetime.fromisoformat(data["activated_at"]),
            decided_at=datetime.fromisoformat(outer["time"]),
            roles=tuple(data["roles"]),
            rules=data["rules"],
            sequence=data["sequence"],
            rules_digest=data["rules_digest"],
        )


def batch_id(alerts: Iterable[Alert]) -> uuid.UUID:
    """The same for the same members in the same order: a batch that comes again is known by it."""
    return uuid.uuid5(NAMESPACE, " ".join(str(alert.id) for alert in alerts))


def batch_body(events: Iterable[bytes]) -> bytes:
    """A CloudEvents batch of events, each as it was stored."""
    return b"[" + b",".join(events) + b"]"


def _moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
