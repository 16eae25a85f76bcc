"""Facts to a real broker: what arrives there, and what is said when it does not take them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from support.broker import Broker
from support.proxy import Proxy

from adapters.rabbitmq import publisher as module
from adapters.rabbitmq.publisher import RabbitPublisher
from adapters.rabbitmq.topology import QueueOptions
from router.errors import PublishError
from router.ports import Outgoing

pytestmark = pytest.mark.once

KEY = "hubherald.hub.updated.v1"


@dataclass(frozen=True)
class Place:
    """An exchange with a queue, of this test alone."""

    broker: Broker
    channel: AbstractChannel
    name: str

    def publisher(self, url: str = "", **more: str | bool) -> RabbitPublisher:
        given = {"queue": self.name, "exchange": self.name, "declare": False, **more}
        return RabbitPublisher(
            QueueOptions.model_validate({"url": url or self.broker.url, **given})
        )

    async def make(self, key: str = "#", **arguments: int | str) -> None:
        exchange = await self.channel.declare_exchange(self.name, "topic", durable=True)
        queue = await self.channel.declare_queue(self.name, durable=True, arguments=arguments)
        await queue.bind(exchange, key)

    async def taken(self) -> list[AbstractIncomingMessage]:
        queue = await self.channel.get_queue(self.name)
        found = []
        while message := await queue.get(no_ack=True, fail=False):
            found.append(message)
        return found


@pytest.fixture
async def place(broker: Broker) -> AsyncIterator[Place]:
    async with await aio_pika.connect(broker.url) as connection:
        yield Place(broker, await connection.channel(), f"facts.{secrets.token_hex(4)}")


def facts(count: int, kind: str = KEY) -> list[Outgoing]:
    return [Outgoing(b'{"n": %d}' % number, f"id-{number}", kind) for number in range(count)]


async def test_each_fact_arrives_as_it_is(place: Place) -> None:
    await place.make()
    odd = [Outgoing(b"\xff no JSON", "", ""), Outgoing(b"{}", "\u4e16" * 100, "\u4e16" * 100)]
    async with place.publisher() as publisher:
        await publisher.publish(facts(300))
        await publisher.publish(odd)
    taken = await place.taken()
    assert [message.body for message in taken] == [fact.body for fact in (*facts(300), *odd)]
    first = taken[0]
    assert (first.routing_key, first.message_id) == (KEY, "id-0")
    assert first.content_type == "application/cloudevents+json"
    assert first.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert [message.routing_key for message in taken[300:]] == ["unknown", "unknown"]


async def test_ten_megabytes_arrive(place: Place) -> None:
    await place.make()
    body = b"x" * 10_000_000
    async with place.publisher() as publisher:
        await publisher.publish([Outgoing(body, "big", KEY), *facts(3)])
    assert [len(message.body) for message in await place.taken()] == [len(body), 8, 8, 8]


def test_the_target_is_told_without_secrets() -> None:
    def target(url: str) -> str:
        given = {"url": url, "exchange": "facts", "user": "ann", "password": "hush"}
        return RabbitPublisher(QueueOptions.model_validate(given)).target

    assert target("amqp://localhost/") == "exchange 'facts' on localhost:5672"
    assert target("amqps://b.example/prod") == (
        "exchange 'facts' on b.example:5671, virtual host 'prod'"
    )


async def test_a_fact_without_a_bound_queue_is_not_lost_in_silence(place: Place) -> None:
    await place.make(KEY)
    async with place.publisher() as publisher:
        with pytest.raises(PublishError, match=r"no queue bound for 'other': bind .* '#'"):
            await publisher.publish([*facts(5), *facts(5, "other")])
        await publisher.publish(facts(2))  # the connection has survived it


async def test_the_same_fact_twice_at_once_does_not_confuse(place: Place) -> None:
    await place.make(KEY)
    async with place.publisher() as publisher:
        await publisher.publish(facts(1) * 20)
        with pytest.raises(PublishError, match="no queue bound"):
            await publisher.publish(facts(1, "other") * 20)
    assert len(await place.taken()) == 20


async def test_a_missing_exchange_says_how_to_make_it(place: Place) -> None:
    with pytest.raises(PublishError, match=r"exchange .* is missing.*`declare: true`"):
        async with place.publisher():
            pass


async def test_before_the_first_run_nothing_is_lost(place: Place) -> None:
    async with place.publisher(declare=True) as publisher:
        await publisher.publish(facts(7))
    assert len(await place.taken()) == 7


async def test_an_exchange_that_goes_away_is_told(place: Place) -> None:
    await place.make()
    async with place.publisher() as publisher:
        await place.channel.exchange_delete(place.name)
        with pytest.raises(PublishError, match=r"no exchange"):
            await publisher.publish(facts(10))
        with pytest.raises(PublishError):  # and does not hang
            await publisher.publish(facts(10))


async def test_a_full_queue_refuses(place: Place) -> None:
    await place.make(**{"x-max-length": 2, "x-overflow": "reject-publish"})
    async with place.publisher() as publisher:
        with pytest.raises(PublishError, match=r"nack.*queue .* is full"):
            await publisher.publish(facts(10))


async def test_who_is_not_let_in_hears_why(place: Place) -> None:
    with pytest.raises(PublishError, match="does not know user 'ann' with this password"):
        async with place.publisher(user="ann", password="wrong"):
            pass
    with pytest.raises(PublishError, match="virtual host 'nowhere'"):
        async with place.publisher(f"{place.broker.url}nowhere"):
            pass
    with pytest.raises(PublishError, match="connection refused; is RabbitMQ running"):
        async with place.publisher("amqp://127.0.0.1:1/"):
            pass


async def test_a_cut_connection_is_told(place: Place) -> None:
    await place.make()
    with Proxy(place.broker.port) as proxy:
        async with place.publisher(f"amqp://127.0.0.1:{proxy.port}/") as publisher:
            await publisher.publish(facts(10))
            publishing = asyncio.create_task(publisher.publish(facts(5_000)))
            await asyncio.sleep(0.05)
            proxy.cut()
            with pytest.raises(PublishError, match=rf"127.0.0.1:{proxy.port}: "):
                await publishing
            with pytest.raises(PublishError, match=rf"127.0.0.1:{proxy.port}: "):
                await publisher.publish(facts(10))


async def test_a_broker_that_is_short_of_disk_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCKED_S", 0.5)
    await place.make()
    place.broker.control("set_disk_free_limit", "9000GB")
    try:
        async with place.publisher() as publisher:
            with pytest.raises(PublishError, match="takes nothing at present, it is short of disk"):
                await publisher.publish(facts(10))
    finally:
        place.broker.control("set_disk_free_limit", "1MB")
    async with place.publisher() as publisher:
        await publisher.publish(facts(10))


async def test_a_broker_that_hangs_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCKED_S", 0.2)
    monkeypatch.setattr(module, "CONFIRM_S", 0.5)
    await place.make()
    async with place.publisher() as publisher:
        place.broker.freeze()
        try:
            with pytest.raises(PublishError, match=r"10 facts were not confirmed within 0\.5 s"):
                await publisher.publish(facts(10))
        finally:
            place.broker.thaw()


async def test_who_ends_it_is_not_told_of_trouble(place: Place) -> None:
    await place.make()
    async with place.publisher() as publisher:
        place.broker.freeze()
        try:
            publishing = asyncio.create_task(publisher.publish(facts(10)))
            await asyncio.sleep(0.05)
            publishing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await publishing
        finally:
            place.broker.thaw()
