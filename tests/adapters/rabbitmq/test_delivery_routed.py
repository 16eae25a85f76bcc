"""Alerts to RabbitMQ through the whole router: what operators see of it and how it recovers."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from support.broker import Broker
from support.commandline import call, rows
from support.estate import S1, SUPPLIER, Estate

pytestmark = pytest.mark.once

IMPATIENT = """
import sys
from router import lanes
lanes.SCHEDULE = lanes.PROBE = (0.5,)
from router.cli import main
main(sys.argv[1:])
"""
"""A router that does not wait for minutes before it tries again."""


class Recipient:
    """An exchange, and a queue that may be bound to it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = f"alerts.{secrets.token_hex(4)}"

    def make(self, *, bind: bool = True) -> None:
        asyncio.run(self._make(bind))

    async def _make(self, bind: bool) -> None:
        async with await aio_pika.connect(self.broker.url) as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(self.name, "topic", durable=True)
            queue = await channel.declare_queue(self.name, durable=True)
            if bind:
                await queue.bind(exchange, "#")

    def got(self) -> list[tuple[str, bytes]]:
        """Id and body of what has come, in order; it is gone then."""
        return asyncio.run(self._got())

    async def _got(self) -> list[tuple[str, bytes]]:
        found = []
        async with await aio_pika.connect(self.broker.url) as connection:
            queue = await (await connection.channel()).get_queue(self.name)
            while message := await queue.get(no_ack=True, fail=False):
                found.append((message.message_id or "", message.body))
        return found


@pytest.fixture
def recipient(broker: Broker) -> Recipient:
    return Recipient(broker)


@pytest.fixture
def estate(tmp_path: Path, recipient: Recipient) -> Estate:
    """One supplier on an exchange of its own; facts come from a folder."""
    estate = Estate(tmp_path)
    channel = {
        "adapter": "rabbitmq",
        "url": recipient.broker.url,
        "exchange": recipient.name,
        "routing_key": "firmware.{alert_code}",
    }
    estate.user(S1, SUPPLIER, channels=[channel])
    return estate


def wait_for(done: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to come true; the limit is there to fail, not to measure."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


def one(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()


def many(estate: Estate, number: int) -> None:
    """So many activations, of twenty hubs."""
    hubs = [f"90-B3-D5-1F-30-00-20-{each:02}" for each in range(20)]
    for hub in hubs:
        estate.hub(hub)
        estate.registration("import_mpan", S1, device_id=hub)
    for each in range(number):
        at = f"2026-06-01T{10 + each // 3600:02}:{each // 60 % 60:02}:{each % 60:02}Z"
        estate.activation(f"V{each}", device_id=hubs[each % 20], activated_at=at)


@contextmanager
def running(estate: Estate, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (estate.folder / "router.log").open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, "run", *words], cwd=estate.folder, stderr=log
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def lane(estate: Estate) -> dict[str, Any]:
    (row,) = rows("lanes", "list", folder=estate.folder)
    return row


def count(estate: Estate, which: str) -> int:
    """How many there are; none while the router makes the ledger."""
    if not (estate.folder / "hubherald.db").exists():
        return 0
    try:
        return int(estate.ask(f"SELECT count(*) FROM {which}")[0][0])
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return 0


DELIVERED = "deliveries WHERE state = 'delivered'"


# --- a lane that closes by itself -------------------------------------------------------------


def test_a_missing_binding_is_shown_and_mended(estate: Estate, recipient: Recipient) -> None:
    recipient.make(bind=False)
    one(estate)
    estate.run()
    (held,) = rows("alerts", "list", folder=estate.folder)
    assert held["state"] == "held"
    shown = lane(estate)
    assert (shown["state"], shown["reason"]) == ("closed", "endpoint")
    missing = f"exchange '{recipient.name}' has no queue for routing key 'firmware.N64'"
    assert missing in shown["last_answer"]
    assert missing in " ".join(call("lanes", "list", folder=estate.folder).stdout.split())
    recipient.make()
    assert call("lanes", "resume", S1, folder=estate.folder).exit_code == 0
    estate.run()
    assert lane(estate)["state"] == "open"
    ((key, body),) = recipient.got()
    assert key == held["id"] == json.loads(body)["id"]


def test_a_lane_opens_again_by_a_probe(estate: Estate, recipient: Recipient) -> None:
    one(estate)
    with running(estate) as router:
        wait_for(lambda: count(estate, "lanes WHERE closed = 'endpoint'"))
        assert "is missing; have it made" in lane(estate)["last_answer"]
        recipient.make()
        wait_for(lambda: count(estate, DELIVERED), seconds=120)  # the first probe comes after 60
        router.terminate()
        assert router.wait() == 0
    assert len(recipient.got()) == 1
    assert lane(estate)["state"] == "open"


def test_a_broker_that_goes_and_comes_loses_nothing(estate: Estate, recipient: Recipient) -> None:
    recipient.make()
    many(estate, 1500)
    with running(estate, "--until-idle") as router:
        wait_for(lambda: count(estate, DELIVERED))
        recipient.broker.stop()
        try:
            assert count(estate, DELIVERED) < 1500, "the router was too fast: give it more to do"
            wait_for(lambda: count(estate, "outcomes WHERE outcome = 'retry'"))
        finally:
            recipient.broker.start()
        assert router.wait() == 0
    got = recipient.got()
    assert len(dict(got)) == count(estate, DELIVERED) == 1500
    assert len(set(got)) == 1500, "a duplicate has the same bytes"
    first = list(dict.fromkeys(json.loads(body)["data"]["sequence"] for _, body in got))
    assert sorted(first) == list(range(1, 1501))
    assert rows("alerts", "list", "--state", "parked", folder=estate.folder) == []


# --- mistakes in the file ---------------------------------------------------------------------


def test_mistakes_in_the_file_have_a_position(estate: Estate) -> None:
    (estate.folder / "service_users.yaml").write_text(
        "service_users:\n"
        f"  - id: {S1}\n"
        "    name: Acme\n"
        "    roles: [import_supplier]\n"
        "    channels:\n"
        "      - adapter: rabbitmq\n"
        "        url: amqp://far.example/\n"
        "        exchnge: alerts\n"
        "        routing_key: '{alert_cod}'\n"
        "        batch: many\n"
    )
    result = call("check", folder=estate.folder)
    assert result.exit_code == 1
    said = result.output
    for line, words in (
        ("7:14", "must use TLS"),
        ("8:9", "did you mean 'exchange'?"),
        ("9:22", "no field {alert_cod}; did you mean {alert_code}?"),
        ("10:16", "batch"),
    ):
        found = [each for each in said.splitlines() if f"service_users.yaml:{line}:" in each]
        assert found and words in found[0], said


def test_operators_can_read_what_it_takes() -> None:
    said = call("adapters").stdout
    assert "delivery rabbitmq: Publishes to the recipient's exchange" in said
    assert "exchange (string, required)" in said
