"""A fact that kills the router, from sources that do not count: a folder, a classic queue."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import aio_pika
import pytest
from support.broker import Broker
from support.commandline import call, rows
from support.estate import S1, Estate

pytestmark = pytest.mark.once
DEADLY = """
import os, signal, sys
from pathlib import Path
from router.config.loading import load
from router.intake import reading
from router.service import app
parse = reading.parse_all
def deadly(body, **more):
    if b"POISON" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return parse(body, **more)
reading.parse_all = deadly
app.run(load(Path("hubherald.yaml")), until_idle=True)
"""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """A hub with a supplier, both known; ten activations, the fourth of which kills."""
    estate = Estate(tmp_path)
    estate.user(S1, ["import_supplier"])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    for number in range(10):
        version = "POISON" if number == 3 else f"V{number}"
        estate.activation(version, activated_at=f"2026-06-01T10:{number:02}:00Z")
    return estate


def ends(estate: Estate, most: int = 8) -> list[int]:
    """How each router ended, up to the first that did by itself."""
    found = []
    while len(found) < most and (not found or found[-1] != 0):
        command = [sys.executable, "-c", DEADLY]
        done = subprocess.run(
            command, cwd=estate.folder, capture_output=True, check=False, timeout=60
        )
        found.append(done.returncode)
    return found


def holds(estate: Estate) -> None:
    """The guilty one waits as `engine`, its neighbours are told of, and nothing is noted."""
    (poison,) = rows("quarantine", "list", folder=estate.folder)
    assert poison["reason"] == "engine"
    assert len(estate.sent(S1)) == 9
    with closing(
        sqlite3.connect(estate.folder / "hubherald.db", isolation_level=None)
    ) as connection:
        assert connection.execute("SELECT count(*) FROM suspects").fetchone() == (0,)
        assert connection.execute("SELECT running, deaths FROM lives").fetchone() == (0, 0)


def test_from_a_folder_it_is_given_up_after_its_third_note(estate: Estate) -> None:
    assert ends(estate) == [-9, -9, -9, -9, 0]
    holds(estate)


def test_what_fails_in_the_ledger_is_no_other(estate: Estate) -> None:
    with closing(
        sqlite3.connect(estate.folder / "hubherald.db", isolation_level=None)
    ) as connection:
        connection.execute(
            "CREATE TRIGGER boom BEFORE INSERT ON stored_facts WHEN new.firmware_version = 'POISON'"
            " BEGIN SELECT raise(abort, 'boom'); END"
        )
    honest = DEADLY.replace("reading.parse_all = deadly", "")
    found = []
    while len(found) < 8 and (not found or found[-1] != 0):
        command = [sys.executable, "-c", honest]
        done = subprocess.run(command, cwd=estate.folder, capture_output=True, check=False)
        found.append(done.returncode)
    assert found == [1, 1, 1, 1, 0]
    holds(estate)


def test_from_a_classic_queue_too(estate: Estate, broker: Broker) -> None:
    inbox = estate.folder / "inbox" / "facts.jsonl"
    facts = [line for line in inbox.read_bytes().splitlines() if b"firmware" in line]
    inbox.unlink()
    queue = "classic.facts.of.poison"
    asyncio.run(put(broker, queue, facts))
    config = estate.folder / "hubherald.yaml"
    source = {"adapter": "rabbitmq", "url": broker.url, "queue": queue, "declare": False}
    config.write_text(json.dumps({**json.loads(config.read_text()), "sources": {"dsp": source}}))
    assert ends(estate) == [-9, -9, -9, -9, 0]
    holds(estate)


async def put(broker: Broker, queue: str, facts: list[bytes]) -> None:
    """All of them on a classic queue, in order."""
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange("hubherald.facts", "topic", durable=True)
        await channel.declare_queue(queue, durable=True)
        for each in facts:
            message = aio_pika.Message(each, delivery_mode=2)
            await channel.default_exchange.publish(message, queue)


def test_a_router_that_ends_by_itself_leaves_nothing_to_be_wary_of(estate: Estate) -> None:
    inbox = estate.folder / "inbox" / "facts.jsonl"
    inbox.write_bytes(inbox.read_bytes().replace(b"POISON", b"V3"))
    for _ in range(2):
        done = call("run", "--until-idle", folder=estate.folder)
        assert done.exit_code == 0
        assert "router.died" not in done.stderr
    assert len(estate.sent(S1)) == 10
