"""Routing keys from a template: text with an Alert's fields in braces, no code. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator

from adapters.rabbitmq.names import LONGEST
from router.ports import Alert

FIELDS = {"alert_code": 10, "device_id": 23, "firmware_version": 8, "service_user_id": 23}
"""What a template may name, and the most bytes that stand there in an Alert."""
_FIELD = re.compile(r"\{([^{}]*)\}")


def _usable(template: str) -> str:
    """The template, if every Alert makes a routing key of it."""
    named = _FIELD.findall(template)
    text = _FIELD.sub("", template)
    for name in named:
        if name not in FIELDS:
            raise ValueError(f"has no field {{{name}}}{_meant(name)}")
    if "{" in text or "}" in text:
        raise ValueError("has a brace without its partner; a field is written {alert_code}")
    if not text.isprintable():
        raise ValueError("must not hold control or invisible characters")
    longest = len(text.encode()) + sum(FIELDS[name] for name in named)
    if longest > LONGEST:
        raise ValueError(
            f"must make routing keys of at most {LONGEST} bytes; this one makes up to {longest}"
        )
    return template


def _meant(name: str) -> str:
    close = get_close_matches(name.strip().lower(), FIELDS, n=1)
    if close:
        return f"; did you mean {{{close[0]}}}?"
    return f"; there are {', '.join(f'{{{known}}}' for known in FIELDS)}"


def _name(exchange: str) -> str:
    if len(exchange.encode()) > LONGEST or not exchange.isprintable():
        raise ValueError(f"must be at most {LONGEST} bytes without control characters")
    return exchange


RoutingKey = Annotated[str, AfterValidator(_usable)]
"""Such as `{alert_code}` or `firmware.{service_user_id}`."""
ExchangeName = Annotated[str, AfterValidator(_name)]
"""May be empty: the default exchange, whose routing keys are names of queues."""


def keys(template: str, alerts: Sequence[Alert]) -> Mapping[str, Sequence[int]]:
    """The routing keys of these Alerts, with the places of those that have each, in order."""
    if "{" not in template:
        return {template: list(range(len(alerts)))}
    found: dict[str, list[int]] = {}
    for place, alert in enumerate(alerts):
        found.setdefault(fill(template, alert), []).append(place)
    return found


def fill(template: str, alert: Alert) -> str:
    """The routing key of one Alert."""
    return _FIELD.sub(lambda found: str(getattr(alert, found[1])), template)
