"""Lines that can't be used, one of every sort that a stream of facts has been seen to bring."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from router.simulation.events import HUB, Event

_TOO_LARGE = 300_000


def _text(event: Event) -> str:
    return event.line().decode().rstrip("\n")


def _data(**changes: object) -> Callable[[Event], bytes]:
    return lambda event: event.with_data(**changes).line()


def _attribute(name: str, value: object) -> Callable[[Event], bytes]:
    """An attribute set to another value; None leaves it out."""

    def make(event: Event) -> bytes:
        content = json.loads(event.line())
        if value is None:
            del content[name]
        else:
            content[name] = value
        return json.dumps(content).encode() + b"\n"

    return make


def _replaced(old: str, new: str) -> Callable[[Event], bytes]:
    """The text changed behind JSON's back; `surrogateescape` lets bytes be written as text."""
    return lambda event: _text(event).replace(old, new).encode(errors="surrogateescape") + b"\n"


def _without(name: str) -> Callable[[Event], bytes]:
    def make(event: Event) -> bytes:
        content = json.loads(event.line())
        del content["data"][name]
        return json.dumps(content).encode() + b"\n"

    return make


def _cut(event: Event) -> bytes:
    return _text(event)[:120].encode() + b"\n"


def _nested(event: Event) -> bytes:
    return _replaced('"success"', "[" * 100_000)(event)


def _list(event: Event) -> bytes:
    """Not a batch of one, which would be taken, but of a list with one."""
    return b"[[" + _text(event).encode() + b"]]\n"


RUBBISH: Mapping[str, tuple[str, Callable[[Event], bytes]]] = {
    "cut off": ("malformed", _cut),
    "a log line": ("malformed", lambda event: f"INFO sent {event.id}\n".encode()),
    "not UTF-8": ("malformed", _replaced("success", "\udcff\udcfe")),
    "NaN": ("malformed", _replaced('"success"', "NaN")),
    "duplicate key": ("malformed", _replaced('"outcome"', '"outcome":"failure","outcome"')),
    "nested 100,000 deep": ("malformed", _nested),
    "a list in a batch": ("malformed", _list),
    "version of nine": ("invalid", _data(firmware_version="010203040")),
    "version a number": ("invalid", _data(firmware_version=9001)),
    "version with a control character": ("invalid", _data(firmware_version="90\u001b01")),
    "lone surrogate": ("malformed", _replaced('"success"', '"\\ud800"')),
    "bad Device ID": ("invalid", _data(device_id="00-DB-12-34-XX-00-00-01")),
    "no offset": ("invalid", _data(activated_at="2026-01-31T10:00:00")),
    "no outcome": ("invalid", _without("outcome")),
    "unknown outcome": ("invalid", _data(outcome="maybe")),
    "another CloudEvents version": ("invalid", _attribute("specversion", "0.3")),
    "no id": ("invalid", _attribute("id", None)),
    "a hub fact that is none": ("invalid", _attribute("type", HUB)),
    "unknown type": ("unknown_type", _attribute("type", "hubherald.firmware.available.v1")),
    "too large": ("too_large", lambda event: event.line(padding="x" * _TOO_LARGE)),
}
"""What is wrong: the reason for which it must be in quarantine, and how to make it of a fact."""
