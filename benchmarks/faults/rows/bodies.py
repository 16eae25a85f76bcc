"""What comes in the place of facts, and facts that come again and again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import market

from faults.facts import HUBS, body
from faults.line import Line
from faults.row import Row
from faults.scene import FACTS, Scene

AGAIN = 100


def _other(number: int = FACTS, **data: Any) -> bytes:
    """The fact with this number, with other data (None takes a key away)."""
    fact = market.activation(number, hubs=HUBS)
    changed = {**fact["data"], **data}
    fact["data"] = {key: value for key, value in changed.items() if value is not None}
    return json.dumps(fact).encode()


GOOD = _other()
BODIES: Mapping[str, tuple[bytes, str]] = {
    "not JSON": (b"firmware activated", "malformed"),
    "cut off": (GOOD[:-9], "malformed"),
    "bad UTF-8": (GOOD.replace(b"urn:bench", b"urn:\xff"), "malformed"),
    "NaN": (GOOD.replace(b'"00000002"', b"NaN"), "malformed"),
    "duplicate keys": (GOOD.replace(b'"id":', b'"id": "x", "id":'), "malformed"),
    "a lone surrogate": (GOOD.replace(b'"00000002"', rb'"\ud800"'), "malformed"),
    "100,000 deep": (b"[" * 100_000, "malformed"),
    "10 MB": (b'{"id": "' + b"x" * 10_000_000 + b'"}', "too_large"),
    "a wrong type": (_other(device_id=[1]), "invalid"),
    "a missing key": (_other(outcome=None), "invalid"),
    "a control character": (_other(firmware_version="90\x0002"), "invalid"),
    "an unknown type": (GOOD.replace(b"activated.v1", b"weather.v1"), "unknown_type"),
}
"""Bodies, and why each waits in quarantine."""


def bad(scene: Scene) -> Iterator[Line]:
    """Each of them twice, between good facts: one row for each."""
    half = FACTS // 2
    rubbish = [each for each, _ in BODIES.values()]
    scene.facts.send([*map(body, range(half)), *rubbish, *map(body, range(half, FACTS)), *rubbish])
    scene.until_idle()
    waits: dict[str, int] = {}
    for _, reason in BODIES.values():
        waits[reason] = waits.get(reason, 0) + 1
    scene.note = f"{len(BODIES)} kinds, each twice"
    yield scene.line("bad bodies of every kind", quarantined=waits)


def again(scene: Scene) -> Iterator[Line]:
    """One fact a hundred times among others, before and after they are decided."""
    scene.send(0, FACTS // 2)
    scene.facts.send([body(0)] * (AGAIN // 2))
    life = scene.start()
    have = scene.recipients.have
    life.until("the first half has come", lambda: have() >= 3 * FACTS // 2)
    scene.facts.send([body(0)] * (AGAIN // 2))
    scene.send(FACTS // 2, FACTS // 2)
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.stop()
    yield scene.line("the same fact a hundred times")


ROWS = [
    Row("bad bodies of every kind", "one quarantine row each, no crash", bad, brief=True),
    Row("the same fact a hundred times", "one row, D = 0", again, brief=True),
]
