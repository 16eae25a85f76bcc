"""Deliveries into folders, cut off in the middle of a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from faults.life import Broken
from faults.line import Line
from faults.points import FOLDER, HALF_A_FILE
from faults.recipients import note
from faults.row import Row
from faults.scene import USERS, Scene

NAMES = (HALF_A_FILE, *FOLDER)


def cut_off(scene: Scene, name: str) -> Iterator[Line]:
    """Killed there at the fifth file; then all is there, and each file is whole at all times."""
    scene.configure({user: {"adapter": "folder", "path": f"sent/{user}"} for user in USERS})
    scene.send()
    scene.start(at=(name, 5)).killed(name)
    sent = scene.estate / "sent"
    left = len([*sent.glob("*/.*.part")])
    early = _whole(scene)
    scene.until_idle()
    _whole(scene)
    log = os.open(scene.recipients.log, os.O_WRONLY | os.O_APPEND)
    for file in sorted(sent.glob("*/[!.]*"), key=_sequence):
        note(log, f"/{file.parent.name}", file.stem, 200, file.read_bytes())
    os.close(log)
    scene.note = f"{left} unfinished, {early} whole files at the kill"
    line = scene.line(f"a folder delivery killed: {name}")
    if not left:
        line.problems.append("the kill left no unfinished file: it was not in the middle")
    yield line


def _whole(scene: Scene) -> int:
    """How many files a program that watches the folders sees. Broken when one is not whole."""
    files = [*(scene.estate / "sent").glob("*/[!.]*")]
    for file in files:
        try:
            json.loads(file.read_bytes())
        except ValueError as error:
            raise Broken(f"{file.name} is visible and not whole: {error}") from None
    return len(files)


def _sequence(file: Path) -> int:
    return int(json.loads(file.read_bytes())["data"]["sequence"])


ROWS = [
    Row(
        f"a folder delivery killed: {name}",
        "no partial file is visible",
        partial(cut_off, name=name),
    )
    for name in NAMES
]
