"""CloudEvents whose attributes stand in the message's headers and the data in its body. Pure.

The core reads events that are JSON as a whole, so such a message is put together to one; its
headers stay with it as evidence. AMQP 0-9-1 has no binding of its own: prefixes are those of the
one for AMQP 1.0, and those that bridges from HTTP leave.

Sources: CloudEvents 1.0, AMQP protocol binding (3.1.3.1); HTTP protocol binding (3.1.3).
"""

from __future__ import annotations

import base64
import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from router.ports import MAX_BODY

PREFIXES = ("cloudevents:", "cloudevents_", "ce-", "ce_")
LARGE = 65_536
"""Bytes of a body that is not looked at here, as that is done on the event loop."""
_ENOUGH = {"id", "source", "type"}
_BODY = {"data", "data_base64"}


def structured(body: bytes, content_type: str | None, headers: Mapping[str, Any]) -> bytes:
    """The event as JSON, where its attributes are in the headers; else the body as it is."""
    found = _attributes(headers)
    whole = (content_type or "").lower().startswith("application/cloudevents")
    if whole or len(body) > MAX_BODY or not ("specversion" in found or found.keys() >= _ENOUGH):
        return body
    body = body.removeprefix(BOM_UTF8)
    known = _decoded(body)
    if isinstance(known, dict) and "specversion" in known:
        return body  # a structured one, with attributes in its headers for who routes it
    if content_type:
        found["datacontenttype"] = content_type
    start = json.dumps(found).encode()[:-1]
    if not body:
        return start + b"}"
    if known is None and not _whole_if_large(body):
        return start + b', "data_base64": "' + base64.b64encode(body) + b'"}'
    return start + b', "data": ' + body + b"}"  # as it was sent


def _decoded(body: bytes) -> Any:
    """What the body holds as JSON; None when it holds none, or is too large to look at."""
    if len(body) > LARGE:
        return None
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return None


def _whole_if_large(body: bytes) -> bool:
    """Whether it goes as it is, for the core to read: Base64 would make it too large for a fact."""
    return len(body) > LARGE and body.startswith(b"{")


def _attributes(headers: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for header in sorted(headers):
        prefix = next((each for each in PREFIXES if header.lower().startswith(each)), None)
        text = _as_text(headers[header])
        name = header[len(prefix or "") :].lower()
        if prefix is not None and text is not None and name not in _BODY:
            found[name] = text
    return found


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")  # two that differ stay two
    return str(value) if isinstance(value, str | int | float) else None
