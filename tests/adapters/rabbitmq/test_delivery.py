"""Alerts to a real broker: what a consumer gets there, and what each answer means."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from pydantic import ValidationError
from support.broker import Broker

from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Link,
    Outcome,
    Reason,
    Refused,
    Retry,
)

pytestmark = pytest.mark.once

Make = Callable[[int], Delivery]
DELIVERED = Delivered("confirmed")


@dataclass(frozen=True)
class Place:
    """An exchange with a queue, of this test alone."""

    broker: Broker
    channel: AbstractChannel
    name: str

    def adapter(self, **options: object) -> RabbitAdapter:
        given = {"url": self.broker.url, "exchange": self.name, **options}
        return RabbitAdapter(RabbitAdapter.Config.model_validate(given))

    async def exchange(self) -> AbstractExchange:
        return await self.channel.declare_exchange(self.name, "topic", durable=True)

    async def make(self, key: str = "#", queue: str = "", **arguments: int | str) -> None:
        name = queue or self.name
        made = await self.channel.declare_queue(name, durable=True, arguments=arguments)
        await made.bind(await self.exchange(), key)

    async def taken(self, queue: str = "") -> list[AbstractIncomingMessage]:
        source = await self.channel.get_queue(queue or self.name)
        found = []
        while message := await source.get(no_ack=True, fail=False):
            found.append(message)
        return found


@pytest.fixture
async def place(broker: Broker) -> AsyncIterator[Place]:
    async with await aio_pika.connect(broker.url) as connection:
        yield Place(broker, await connection.channel(), f"alerts.{secrets.token_hex(4)}")


async def each(adapter: RabbitAdapter, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Sent at once and one by one, as the relay does it."""
    answers = await asyncio.gather(*(adapter.deliver([one]) for one in deliveries))
    return [outcome for (outcome,) in answers]


def versions(make: Make, names: str) -> list[Delivery]:
    """Alerts of these firmware versions, as a batch."""
    alerts = [replace(make(n).alert, firmware_version=name) for n, name in enumerate(names)]
    return [Delivery(alert, alert.event(), "b") for alert in alerts]


# --- what is sent ----------------------------------------------------------------------------


async def test_an_alert_arrives_as_it_is_stored(place: Place, delivery: Make) -> None:
    await place.make()
    ours = delivery(1)
    odd = replace(ours, body=b"\xff not what the Alert would say")
    async with place.adapter() as adapter:
        assert adapter.batch == 1
        assert await adapter.deliver([ours]) == [DELIVERED]
        assert await adapter.deliver([odd]) == [DELIVERED]
    first, second = await place.taken()
    assert (first.body, second.body) == (ours.body, odd.body)
    assert first.routing_key == "N64"
    assert first.message_id == second.message_id == str(ours.alert.id)
    assert first.content_type == "application/cloudevents+json; charset=utf-8"
    assert first.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert (first.type, first.app_id) == ("hubherald.alert.v1", "hubherald")
    assert first.timestamp == ours.alert.decided_at
    assert first.headers == {}


async def test_a_batch_is_an_array_of_the_stored_bytes(place: Place, delivery: Make) -> None:
    await place.make()
    ours = [replace(delivery(number), batch="b") for number in range(300)]
    async with place.adapter(batch=300) as adapter:
        assert adapter.batch == 300
        assert await adapter.deliver(ours) == [DELIVERED] * 300
        assert await adapter.deliver(ours) == [DELIVERED] * 300
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
    first, again, alone = await place.taken()
    assert first.content_type == "application/cloudevents-batch+json"
    assert len(first.body) > 131_072  # more than goes in one frame
    assert first.body == again.body == b"[" + b",".join(one.body for one in ours) + b"]"
    assert [event["id"] for event in json.loads(first.body)] == [str(o.alert.id) for o in ours]
    assert first.message_id == again.message_id != alone.message_id
    assert alone.body == b"[" + ours[0].body + b"]"


@pytest.mark.parametrize("batch", [1, 100])
async def test_the_form_is_that_of_the_first_send_whatever_the_option_says_by_now(
    place: Place, delivery: Make, batch: int
) -> None:
    await place.make()
    one, *batched = [delivery(1), *versions(delivery, "ab")]
    async with place.adapter(batch=batch) as adapter:
        assert await adapter.deliver([one]) == [DELIVERED]
        assert await adapter.deliver(batched) == [DELIVERED] * 2
    single, both = await place.taken()
    assert (single.body, single.message_id) == (one.body, str(one.alert.id))
    assert both.body == b"[" + batched[0].body + b"," + batched[1].body + b"]"
    assert both.content_type == "application/cloudevents-batch+json"


async def test_a_batch_is_a_message_for_each_routing_key(place: Place, delivery: Make) -> None:
    await place.make("v.a", f"{place.name}.a")
    await place.make("v.c", f"{place.name}.c")
    ours = versions(delivery, "abacb")
    async with place.adapter(batch=5, routing_key="v.{firmware_version}") as adapter:
        outcomes = await adapter.deliver(ours)
    assert [outcomes[0], outcomes[2], outcomes[3]] == [DELIVERED] * 3
    for outcome in (outcomes[1], outcomes[4]):
        assert isinstance(outcome, Closed)
        assert "routing key 'v.b'" in outcome.detail
    (message,) = await place.taken(f"{place.name}.a")
    assert message.body == b"[" + ours[0].body + b"," + ours[2].body + b"]"
    (message,) = await place.taken(f"{place.name}.c")
    assert message.body == b"[" + ours[3].body + b"]"


async def test_more_routing_keys_than_may_be_unconfirmed(place: Place, delivery: Make) -> None:
    await place.make()
    ours = versions(delivery, "".join(chr(0x4E00 + number) for number in range(1000)))
    async with place.adapter(batch=1000, routing_key="{firmware_version}") as adapter:
        assert await adapter.deliver(ours) == [DELIVERED] * 1000
    assert len(await place.taken()) == 1000


async def test_the_default_exchange_puts_into_a_queue_by_its_name(
    place: Place, delivery: Make
) -> None:
    async with place.adapter(exchange="", routing_key=place.name) as adapter:
        (missing,) = await adapter.deliver([delivery(1)])
        assert isinstance(missing, Closed)
        assert missing.reason is ChannelFault.ENDPOINT
        assert f"there is no queue '{place.name}'; have it made" in missing.detail
        await place.channel.declare_queue(place.name, durable=True)
        assert await adapter.deliver([delivery(1)]) == [DELIVERED]
    assert [message.body for message in await place.taken()] == [delivery(1).body]


async def test_one_connection_is_made_with_the_first_alert(place: Place, delivery: Make) -> None:
    await place.make()
    async with place.adapter() as adapter:
        assert adapter.link() == Link(up=False, made=0)
        assert await each(adapter, [delivery(n) for n in range(300)]) == [DELIVERED] * 300
        assert adapter.link() == Link(up=True, made=1)
    assert adapter.link() == Link(up=False, made=1)
    assert len(await place.taken()) == 300


# --- what the recipient has to mend ----------------------------------------------------------


async def test_a_missing_binding_is_named_and_heals(place: Place, delivery: Make) -> None:
    await place.make("other")
    async with place.adapter() as adapter:
        outcomes = await each(adapter, [delivery(n) for n in range(16)])
        assert all(isinstance(one, Closed) for one in outcomes)
        detail = (
            f"127.0.0.1:{place.broker.port}: exchange '{place.name}' has no queue for routing key "
            "'N64'; have the recipient's queue bound to it with that key"
        )
        assert set(outcomes) == {Closed(ChannelFault.ENDPOINT, detail)}
        await place.make("N64")
        assert await each(adapter, [delivery(n) for n in range(16)]) == [DELIVERED] * 16
        assert adapter.link() == Link(up=True, made=1)
    assert len(await place.taken()) == 16


async def test_a_missing_exchange_is_named_and_heals(place: Place, delivery: Make) -> None:
    ours = [delivery(n) for n in range(100)]
    async with place.adapter() as adapter:
        outcomes = await each(adapter, ours)
        assert any(isinstance(one, Closed) for one in outcomes)
        for one in outcomes:  # those behind the first may only see that the channel is closed
            match one:
                case Closed(reason, detail):
                    assert reason is ChannelFault.ENDPOINT
                    assert f"exchange '{place.name}' is missing; have it made" in detail
                case _:
                    assert isinstance(one, Retry) and one.reason is Reason.NETWORK
        await place.make()
        assert await each(adapter, ours) == [DELIVERED] * 100
    assert {message.message_id for message in await place.taken()} == {
        str(one.alert.id) for one in ours
    }


async def test_an_exchange_that_goes_away_under_way(place: Place, delivery: Make) -> None:
    await place.make()
    async with place.adapter() as adapter:
        assert await adapter.deliver([delivery(0)]) == [DELIVERED]
        sending = asyncio.create_task(each(adapter, [delivery(n) for n in range(1, 600)]))
        await asyncio.sleep(0)
        await place.channel.exchange_delete(place.name)
        for one in await sending:
            assert isinstance(one, Delivered | Closed | Retry)
        (last,) = await adapter.deliver([delivery(0)])
        assert isinstance(last, Closed)


async def test_a_full_queue_is_busy_until_there_is_room(place: Place, delivery: Make) -> None:
    await place.make(**{"x-max-length": 1, "x-overflow": "reject-publish"})
    async with place.adapter() as adapter:
        assert await adapter.deliver([delivery(1)]) == [DELIVERED]
        (full,) = await adapter.deliver([delivery(2)])
        assert isinstance(full, Retry)
        assert full.reason is Reason.BUSY
        assert "a queue behind the exchange is full" in full.detail
        await place.taken()
        assert await adapter.deliver([delivery(2)]) == [DELIVERED]


async def test_a_message_that_is_too_large_harms_no_neighbour(place: Place, delivery: Make) -> None:
    await place.make()
    large = replace(delivery(0), body=b" " * 20_000)
    ours = [large, *(delivery(n) for n in range(1, 16))]
    place.broker.control("eval", "application:set_env(rabbit, max_message_size, 10000).")
    try:
        async with place.adapter() as adapter:
            outcomes = await each(adapter, ours)
            refused = outcomes[0]
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.REJECTED
            assert "message size 20000 is larger than" in refused.detail
            assert all(isinstance(one, Delivered | Retry) for one in outcomes[1:])
            assert await each(adapter, ours[1:]) == [DELIVERED] * 15
    finally:
        place.broker.control("eval", "application:set_env(rabbit, max_message_size, 134217728).")
    assert {message.message_id for message in await place.taken()} == {
        str(one.alert.id) for one in ours[1:]
    }


# --- mistakes in the file --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"exchange": "x\n"}, "at most 255 bytes without control characters"),
        ({"routing_key": "{alert_kode}"}, "did you mean {alert_code}?"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"batch": 1001}, "less than or equal to 1000"),
        ({"url": "amqp://far.example/"}, "must use TLS"),
        ({"user": "ann"}, "a `user` needs a `password`"),
        ({"key_file": "k.pem"}, "need each other"),
        ({"queue": "q"}, "Extra inputs are not permitted"),
    ],
)
def test_mistakes_are_told(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RabbitAdapter.Config.model_validate(
            {"url": "amqp://localhost/", "exchange": "alerts", **wrong}
        )
    assert said in str(caught.value)
