"""The machine's clock, set forward and back by two days while the router lives.

By libfaketime (that of PyPI: Debian's 0.9.10 breaks Python's sleep), which reads the offset from a
file once a second. A time namespace would not do: it has no wall clock of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from faults.life import Broken, Life
from faults.line import Line
from faults.recipients import WELL, Answer, refusing
from faults.row import Row
from faults.scene import FACTS, USERS, Scene

STEPS = ("+2d", "-2d", "+0")
"""From the true time; so it is set back by four days in between."""
THIRD = FACTS // 3
OF_USER = 3 * THIRD // len(USERS)
BURST = 10
"""Requests within the steps; a lane that fails makes one now and then, and fifteen are waiting."""


def library() -> Path:
    """Broken where it is missing, or none of this machine."""
    found = find_spec("libfaketime")
    if found is None or found.origin is None:
        raise Broken("libfaketime is missing: run `make test`, which sets up .venv")
    file = Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    if not file.exists():
        raise Broken(f"{file} is missing: libfaketime has no build for this machine")
    return file


def _faked(offset: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is off by what stands in a file."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",  # seconds from one look at the file to the next
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else Python's threads turn without a rest
        "NO_FAKE_STAT": "1",
    }


def stepped(scene: Scene) -> Iterator[Line]:
    """One lane fails all the while, so that something waits for a moment to come."""
    offset = scene.folder / "offset"
    offset.write_text("+0\n")
    failing, mended = USERS[0], False

    def mood(_number: int) -> Answer:
        return WELL if mended else refusing(503)

    scene.recipients.moods[failing] = mood
    life = scene.start(environment=_faked(offset))
    requests = scene.recipients.requests
    tried = 0
    for number, step in enumerate(STEPS, 1):
        scene.send((number - 1) * THIRD, THIRD)
        _others_have(scene, life, number * (3 * THIRD - OF_USER))
        began = requests[failing]
        offset.write_text(f"{step}\n")
        _noticed(life, number)
        time.sleep(2.0)
        burst = requests[failing] - began
        tried += burst
        if burst > BURST:
            raise Broken(f"{burst} requests to a lane that fails when the clock was set {step}")
    mended = True
    life.until("all has come", lambda: scene.recipients.have() >= 3 * FACTS)
    life.stop()
    moves = [line["seconds"] for line in life.said("clock.step")]
    scene.note = f"steps of {moves} s, {tried} tries within"
    yield scene.line("clock set forward and back by two days", in_order=False)


def _others_have(scene: Scene, life: Life, count: int) -> None:
    life.until("the other lanes have all", lambda: scene.recipients.have() >= count)


def _noticed(life: Life, count: int) -> None:
    life.until("the step is noticed", lambda: len(life.said("clock.step")) >= count)


ROWS = [
    Row("clock set forward and back by two days", "no burst, no stall", stepped, brief=True),
]
