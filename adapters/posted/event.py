"""What was POSTed, as the core reads facts: one CloudEvent in JSON, or an array of them. Pure.

What is no CloudEvent is the sender's to mend, who is told here. A CloudEvent goes on, whatever it
holds: what can't be used of it waits in quarantine, as from every other source.

Sources: CloudEvents 1.0, HTTP protocol binding (3) and JSON event format (3, 4).
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from adapters.binary import structured

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")
_KINDS = f"{STRUCTURED}, {BATCH}, or the data itself with the headers ce-{', ce-'.join(REQUIRED)}"
_WHY = {
    "id": "with its source it is what a fact is known by",
    "source": "with its id it is what a fact is known by",
    "type": "such as hubherald.firmware.activated.v1",
}


class PostError(Exception):
    """What was POSTed can't be taken; the text says what, where and what to do."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def event_of(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The event, or events, in JSON. PostError where there is none."""
    given = {name.lower(): value for name, value in headers.items()}
    content_type = given.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    attributes = {name: _decoded(name, value) for name, value in given.items() if name[:3] == "ce-"}
    if kind == BATCH:
        _require_batch(_json(body))
    elif kind == STRUCTURED or (kind == "application/json" and not attributes):
        _require_event(_json(body), "the event")
    elif kind.startswith("application/cloudevents") or not attributes:
        raise PostError(415, f"Content-Type {kind or 'is missing'}: send {_KINDS}")
    else:
        for name in REQUIRED:
            if not attributes.get(f"ce-{name}"):
                raise PostError(400, f"header ce-{name}: missing; {_KINDS} are taken")
        if attributes["ce-specversion"] != "1.0":
            raise PostError(400, "header ce-specversion: must be 1.0")
        return structured(body, content_type or None, attributes)
    return body.removeprefix(BOM_UTF8)


def _decoded(name: str, value: str) -> str:
    """As it was before it was written for a header (3.1.3.2)."""
    try:
        text = unquote(value.strip('"'), errors="strict")
        text.encode()
    except UnicodeError:
        raise PostError(400, f"header {name}: must be UTF-8, percent-encoded") from None
    return text


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise PostError(400, f"body, byte {error.start}: is not UTF-8; encode it so") from None
    except json.JSONDecodeError as error:
        where = f"body, line {error.lineno}, column {error.colno}"
        raise PostError(400, f"{where}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise PostError(400, "body: is nested too deeply to be an event") from None
    except ValueError as error:
        raise PostError(400, f"body: is not JSON: {error}") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number there; leave it out, or send null")


def _require_batch(found: Any) -> None:
    if not isinstance(found, list) or not found:
        raise PostError(400, f"body: must be an array of events, one or more, to be {BATCH}")
    for number, event in enumerate(found, 1):
        _require_event(event, f"event {number}")


def _require_event(event: Any, where: str) -> None:
    if not isinstance(event, dict):
        said = "; for several events send " + BATCH if isinstance(event, list) else ""
        raise PostError(400, f"{where}: must be a JSON object with {', '.join(REQUIRED)}{said}")
    if event.get("specversion") != "1.0":
        raise PostError(400, f'{where}: specversion: must be "1.0", as CloudEvents have it')
    for name, why in _WHY.items():
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise PostError(400, f"{where}: {name}: must be a text that is not empty: {why}")
