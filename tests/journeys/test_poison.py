"""A fact that kills the process: given up after its third kill, while its neighbours are decided.

The routers here are processes that really die; the source is one that counts, as a broker does,
how often it gave out what was never acknowledged. Over RabbitMQ itself: test_rabbitmq.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import HUB, S1, Estate

pytestmark = pytest.mark.once

OTHER = HUB[:-2] + "02"
ROUTER = """
import asyncio, json, os, signal, sys
from pathlib import Path
from router.config.loading import load
from router.deciding.engine import Engine
from router.intake import reading
from router.ports import Message
from router.entrypoints import SOURCES, installed
from router.service import app


class Queue:
    def __init__(self, name, options):
        self.file, self.left, self.book = options.path / "facts.jsonl", None, Path("given.json")

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        pass

    def note(self):
        new = self.book.with_suffix(".new")
        new.write_text(json.dumps(self.given))
        new.replace(self.book)

    async def messages(self, cursors):
        self.given = json.loads(self.book.read_text()) if self.book.exists() else {}
        left = {
            str(number): body
            for number, body in enumerate(self.file.read_bytes().splitlines())
            if self.given.get(str(number)) != "acknowledged"
        }
        before = dict(self.given)
        self.given |= {number: self.given.get(number, 0) + 1 for number in left}
        self.note()  # all is in hand at once, so a kill raises the count of everything
        self.left = set(left)
        for number, body in left.items():
            yield Message(body, f"queue#{number}", deliveries=before.get(number, 0))
        await asyncio.Event().wait()

    async def acknowledge(self, messages):
        for message in messages:
            number = message.origin.removeprefix("queue#")
            self.given[number] = "acknowledged"
            self.left.remove(number)
        self.note()

    def exhausted(self):
        return self.left == set()

    def down(self):
        return None


class Point:
    name, group, module, dist = "folder", SOURCES, "", None

    def load(self):
        return Queue


def deadly(what):
    if "POISON" in str(what):
        os.kill(os.getpid(), signal.SIGKILL)


if "parse" in sys.argv:
    parse = reading.parse_all
    reading.parse_all = lambda body, **more: (deadly(body), parse(body, **more))[1]
if "engine" in sys.argv:
    evaluate = Engine.evaluate
    Engine.evaluate = lambda self, values: (deadly(values), evaluate(self, values))[1]
app.installed = lambda group: {"folder": Point()} if group == SOURCES else installed(group)
app.run(load(Path("hubherald.yaml")), until_idle=True)
"""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    found = Estate(tmp_path)
    found.user(S1, ["import_supplier", "gas_supplier"])
    return found


def lives(estate: Estate, sabotage: str = "") -> list[int]:
    """How one router after the other ended, until one was not killed."""
    ends: list[int] = []
    while not ends or (ends[-1] == -9 and len(ends) < 10):
        command = [sys.executable, "-c", ROUTER, sabotage]
        done = subprocess.run(command, cwd=estate.folder, capture_output=True, check=False)
        ends.append(done.returncode)
    assert ends[-1] == 0, done.stderr.decode()
    return ends


def told(estate: Estate) -> list[str]:
    return [event["data"]["firmware_version"] for event in estate.sent(S1)]


def seven(estate: Estate) -> None:
    """A home and seven activations, the fourth of them deadly."""
    estate.hub()
    estate.registration("import_mpan", S1)
    for number in range(7):
        version = "POISON" if number == 3 else f"V{number}"
        estate.activation(version, activated_at=f"2026-06-01T10:0{number}:00Z")


@pytest.mark.parametrize("where", ["parse", "engine"])
def test_it_is_given_up_after_its_third_kill_and_its_neighbours_are_decided(
    estate: Estate, where: str
) -> None:
    seven(estate)
    assert lives(estate, where) == [-9, -9, -9, 0]
    (waits,) = rows("quarantine", "list", folder=estate.folder)
    assert waits["reason"] == "engine"
    assert "died 2 times" in waits["detail"]
    assert "POISON" in call("quarantine", "show", waits["id"], folder=estate.folder).stdout
    assert told(estate) == ["V0", "V1", "V2", "V4", "V5", "V6"]
    assert estate.ask("SELECT * FROM suspects") == []
    assert set(json.loads((estate.folder / "given.json").read_bytes()).values()) == {"acknowledged"}


def test_released_too_early_it_kills_thrice_more_and_waits_again(estate: Estate) -> None:
    seven(estate)
    lives(estate, "engine")
    assert call("quarantine", "release", "--reason", "engine", folder=estate.folder).exit_code == 0
    assert lives(estate, "engine") == [-9, -9, -9, 0]
    (waits,) = rows("quarantine", "list", folder=estate.folder)
    assert not waits["released"]
    call("quarantine", "release", "--reason", "engine", folder=estate.folder)
    assert lives(estate) == [0]  # the router is mended
    assert rows("quarantine", "list", folder=estate.folder) == []
    assert told(estate)[-1] == "POISON"


def test_one_that_waited_for_its_hub_condemns_neither_hub_nor_neighbours(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S1, device_id=OTHER)
    for version in ("V0", "POISON", "V1"):
        estate.activation(version, device_id=OTHER)
    assert lives(estate, "engine") == [0]
    assert len(rows("quarantine", "list", folder=estate.folder)) == 4
    estate.hub(OTHER)
    assert lives(estate, "engine") == [-9, -9, -9, -9, 0]  # first over the hub that brings it along
    (waits,) = rows("quarantine", "list", folder=estate.folder)
    assert waits["reason"] == "engine"
    assert told(estate) == ["V0", "V1"]
