"""The RabbitMQ channel keeps the contract: the conformance suite, before a real broker."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import orjson
import pytest
from support.broker import Broker

from adapters.rabbitmq.delivery import RabbitAdapter
from router.conformance import (
    AdapterConformance,
    Arrived,
    CertificateAuthority,
    GatedPeer,
    Harness,
    Peer,
    Situation,
    alert,
    because,
    longest,
)

USER, PASSWORD = "conformance", "hunter2-of-the-broker"
pytestmark = pytest.mark.once


class RabbitPeer(GatedPeer):
    """An exchange with a queue of its own, behind a gate."""

    def __init__(self, authority: CertificateAuthority, broker: Broker) -> None:
        super().__init__(authority, server=("127.0.0.1", broker.port))
        self.broker = broker
        self.name = f"conformance.{secrets.token_hex(4)}"
        self.came: list[Arrived] = []

    @property
    def options(self) -> Mapping[str, object]:
        secure, situation = self.secure, self.situation
        found: dict[str, object] = {
            "url": f"{'amqps' if secure else 'amqp'}://localhost:{self.port}/",
            "exchange": self.name,
            "user": USER,
            "password": "no-such-word" if situation is Situation.FORBIDS else PASSWORD,
            "batch": 50,
        }
        if secure:
            found["ca_file"] = self.ca_file
        if situation is Situation.REFUSES_MARKED:
            found["routing_key"] = "{firmware_version}"
        if situation is Situation.MISSING:
            found["exchange"] = f"{self.name}.gone"
        return found

    @property
    def secrets(self) -> Sequence[str]:
        return [str(self.options["password"])]

    async def make(self) -> None:
        """The queue, bound for what Alerts usually are about."""
        async with await aio_pika.connect(self.broker.url) as dialled:
            channel = await dialled.channel()
            exchange = await channel.declare_exchange(self.name, "topic", durable=True)
            full = self.situation is Situation.BUSY
            limits = {"x-max-length": 0, "x-overflow": "reject-publish"} if full else {}
            queue = await channel.declare_queue(
                self.name, durable=True, arguments={"x-expires": 60_000, **limits}
            )
            for key in ("N64", alert().firmware_version, longest().firmware_version):
                await queue.bind(exchange, key)

    async def turn(self, situation: Situation) -> None:
        was = self.situation
        await super().turn(situation)
        if Situation.BUSY in {was, situation}:
            async with await aio_pika.connect(self.broker.url) as dialled:
                await (await dialled.channel()).queue_delete(self.name)
            await self.make()

    async def taken(self) -> Sequence[Arrived]:
        async with await aio_pika.connect(self.broker.url) as dialled:
            queue = await (await dialled.channel()).get_queue(self.name)
            while message := await queue.get(no_ack=True, fail=False):
                found = orjson.loads(message.body)
                if isinstance(found, list):
                    self.came += [Arrived(each["id"], orjson.dumps(each)) for each in found]
                else:
                    self.came.append(Arrived(found["id"], message.body))
        return self.came


class RabbitHarness(Harness):
    """A RabbitMQ channel's."""

    adapter = RabbitAdapter
    wrong: Mapping[str, object] = {
        "url": "http://localhost/",
        "routing_key": "{nothing}",
        "batch": 0,
    }
    cannot = (
        because("a broker has no word for when to come again", Situation.RESTS)
        | because("a broker refuses messages for their size alone", Situation.REFUSES)
        | because("a broker repeats nothing of what it was told", Situation.ECHOES)
    )

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.authority, self.broker = CertificateAuthority(folder), broker

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        async with RabbitPeer(self.authority, self.broker) as made:
            await made.make()
            yield made


@pytest.fixture(scope="module")
def known(broker: Broker) -> Broker:
    """The broker, with a user whose password is no word."""
    user, password = f'<<"{USER}">>', f'<<"{PASSWORD}">>'
    all_of_it = ", ".join(['<<".*">>'] * 3)
    backend = "rabbit_auth_backend_internal"
    broker.control(
        "eval",
        f'{backend}:add_user({user}, {password}, <<"tests">>),'
        f' {backend}:set_permissions({user}, <<"/">>, {all_of_it}, <<"tests">>).',
    )
    return broker


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path, known: Broker) -> Harness:
        return RabbitHarness(tmp_path, known)
