"""Routing keys from a template: text with an Alert's fields in braces, no code. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator

from router.alerts import Alert

LONGEST = 255
"""Bytes in a routing key (AMQP 0-9-1, shortstr)."""
FIELDS = ("alert_code", "device_id", "firmware_version", "service_user_id")
_ROOM = 150
"""Bytes that the text around the fields may have: the rest is for what stands in them."""
_FIELD = re.compile(r"\{([^{}]*)\}")


def _usable(template: str) -> str:
    named = _FIELD.findall(template)
    text = _FIELD.sub("", template)
    unknown = [name for name in named if name not in FIELDS]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise ValueError(f"has no field {{{unknown[0]}}}; there are {known}")
    if "{" in text or "}" in text:
        raise ValueError("has a brace without its partner; a field is written {alert_code}")
    if len(text.encode()) > _ROOM or not text.isprintable():
        raise ValueError(f"must be at most {_ROOM} bytes without control characters")
    return template


RoutingKey = Annotated[str, AfterValidator(_usable)]
"""Such as `{alert_code}` or `firmware.{service_user_id}`."""


def keys(template: str, alerts: Sequence[Alert]) -> dict[str, list[int]]:
    """The routing keys of these Alerts, with the places of those that have each, in order."""
    found: dict[str, list[int]] = {}
    for place, alert in enumerate(alerts):
        found.setdefault(_fill(template, alert), []).append(place)
    return found


def _fill(template: str, alert: Alert) -> str:
    key = _FIELD.sub(lambda found: str(getattr(alert, found[1])), template)
    return key.encode()[:LONGEST].decode(errors="ignore")
