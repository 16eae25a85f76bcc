"""Facts from a real broker: what comes, in which order, and what is given back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import aiormq
import pytest
from aio_pika.abc import AbstractChannel
from broker import Broker

from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions
from router.ports import Link, Message

PATIENCE_S = 60.0
"""Nothing takes as long; it is there to fail."""


class Place:
    """An exchange with a queue, of one test alone."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = f"facts.{secrets.token_hex(4)}"

    def source(self, **more: Any) -> RabbitSource:
        given = {"url": self.broker.url, "queue": self.name, "exchange": self.name, **more}
        return RabbitSource("dsp", RabbitSourceOptions.model_validate(given))

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        async with await aio_pika.connect(self.broker.url) as connection:
            yield await connection.channel()

    async def publish(self, numbers: Sequence[int]) -> None:
        """To the exchange; all are confirmed when it returns."""
        async with self.channel() as channel:
            exchange = await channel.get_exchange(self.name, ensure=False)
            await asyncio.gather(
                *(exchange.publish(aio_pika.Message(b"%d" % number), "fact") for number in numbers)
            )

    async def waiting(self, queue: str = "") -> int:
        """How many messages wait, by the broker's exact count."""
        async with self.channel() as channel:
            found = await channel.declare_queue(queue or self.name, passive=True)
            return found.declaration_result.message_count or 0

    async def holds(self, count: int) -> None:
        """So many wait: the broker counts what is acknowledged or given back a moment later."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.waiting() != count:  # noqa: ASYNC110 - only the broker knows
                await asyncio.sleep(0.05)

    def all_acknowledged(self) -> bool:
        """Whether nothing waits here or is in anybody's hands."""
        listed = self.broker.control("list_queues", "name", "messages").splitlines()
        return f"{self.name}\t0" in listed


class Reader:
    """Takes what a source gives, as the intake does."""

    def __init__(self, source: RabbitSource, *, acknowledging: bool) -> None:
        self.source = source
        self.messages: list[Message] = []
        self.acknowledging = acknowledging
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for message in self.source.messages({}):
            self.messages.append(message)
            if self.acknowledging:
                await self.source.acknowledge([message])

    @property
    def numbers(self) -> list[int]:
        return [int(each.body) for each in self.messages]

    async def until(self, count: int) -> list[Message]:
        """Waits for that many in all."""
        await until(lambda: len(self.messages) >= count)
        return self.messages

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.005)


@asynccontextmanager
async def reading(source: RabbitSource, *, acknowledging: bool = True) -> AsyncIterator[Reader]:
    """A source at work, from when it is connected."""
    async with source:
        reader = Reader(source, acknowledging=acknowledging)
        await until(lambda: source.link().up)
        yield reader
        await reader.stop()


@pytest.fixture
def place(broker: Broker) -> Place:
    return Place(broker)


async def abandoned(place: Place, count: int) -> None:
    """Messages that somebody had in hand when they went away."""
    async with place.channel() as channel:
        await channel.set_qos(prefetch_count=count)
        came: asyncio.Queue[object] = asyncio.Queue()
        queue = await channel.get_queue(place.name, ensure=False)
        await queue.consume(came.put)
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(count):
                await came.get()


# --- order, and what comes again ------------------------------------------------------------


async def test_thousands_come_once_and_in_order(place: Place) -> None:
    async with reading(place.source()) as reader:
        await place.publish(range(5_000))
        await reader.until(5_000)
        assert reader.numbers == list(range(5_000))
        assert not any(each.deliveries for each in reader.messages)
    await place.holds(0)


async def test_what_waits_before_we_come_is_taken(place: Place) -> None:
    async with reading(place.source()):
        pass
    await place.publish(range(300))
    async with reading(place.source(prefetch=1)) as one, reading(place.source()) as more:
        await until(lambda: len(one.messages) + len(more.messages) == 300)
        assert sorted(one.numbers + more.numbers) == list(range(300))
        assert one.numbers == sorted(one.numbers)
        assert more.numbers == sorted(more.numbers)


async def test_messages_keep_their_order_however_often_they_return(place: Place) -> None:
    """The broker puts what returns behind what returned before: nothing of it may be left there."""
    async with reading(place.source()):
        pass
    await place.publish(range(60))
    await abandoned(place, 20)
    for deliveries in (1, 2):
        async with reading(place.source(), acknowledging=False) as reader:
            await reader.until(1)
        await place.holds(60)
        assert reader.messages[0].deliveries == deliveries
    async with reading(place.source(), acknowledging=False) as reader:
        await reader.until(60)
        assert reader.numbers == list(range(60))
        await reader.source.acknowledge(reader.messages)
    await place.holds(0)


async def test_what_was_in_hand_before_says_so(place: Place) -> None:
    async with reading(place.source()):
        pass
    await place.publish(range(3_000))
    await abandoned(place, 300)
    async with reading(place.source(prefetch=300)) as reader:
        await reader.until(3_000)
        assert reader.numbers == list(range(3_000))
        assert [each.deliveries for each in reader.messages] == [1] * 300 + [0] * 2_700
        await until(reader.source.exhausted)
    await place.holds(0)


async def test_no_more_is_in_hand_than_asked_for(place: Place) -> None:
    async with reading(place.source(prefetch=10), acknowledging=False) as reader:
        await place.publish(range(50))
        await reader.until(10)
        await place.holds(40)
        await reader.source.acknowledge(reader.messages[:5])
        await reader.until(15)
        await reader.stop()
        assert len(reader.messages) == 15
    await place.holds(45)


# --- acknowledging --------------------------------------------------------------------------


async def test_a_batch_is_acknowledged_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reading(place.source(), acknowledging=False) as reader:
        await place.publish(range(200))
        await reader.until(200)
        sent = []
        honest = aiormq.Channel.basic_ack

        async def basic_ack(self: aiormq.Channel, tag: int, multiple: bool = False) -> None:
            sent.append((tag, multiple))
            await honest(self, tag, multiple)

        monkeypatch.setattr(aiormq.Channel, "basic_ack", basic_ack)
        await reader.source.acknowledge(reader.messages[:150])
        assert sent == [(150, True)]
    await place.holds(50)
    async with reading(place.source()) as reader:
        assert [each.deliveries for each in await reader.until(50)] == [1] * 50
        assert reader.numbers == list(range(150, 200))


async def test_what_is_in_hand_at_the_end_is_still_acknowledged(place: Place) -> None:
    async with reading(place.source(), acknowledging=False) as reader:
        await place.publish(range(20))
        await reader.until(20)
        await reader.stop()
        await place.publish([20])
        await place.holds(1)  # nobody takes it any more
        await asyncio.sleep(1.2)  # a look at the queue finds nothing wrong with that
        assert reader.source.down() is None
        await reader.source.acknowledge(reader.messages)
    await place.holds(1)


async def test_exhausted_when_all_is_committed(place: Place) -> None:
    async with reading(place.source(), acknowledging=False) as reader:
        await until(reader.source.exhausted)
        await place.publish(range(30))
        await reader.until(30)
        assert not reader.source.exhausted()
        await asyncio.sleep(1.2)  # the next look at the queue finds nothing that waits
        assert not reader.source.exhausted()
        await reader.source.acknowledge(reader.messages)
        await until(reader.source.exhausted)
        assert reader.source.link() == Link(up=True, made=1)
    assert not reader.source.exhausted()


async def test_two_sources_share_a_queue(place: Place) -> None:
    async with reading(place.source()) as one, reading(place.source()) as other:
        await place.publish(range(1_000))
        await until(lambda: len(one.messages) + len(other.messages) >= 1_000)
        assert sorted(one.numbers + other.numbers) == list(range(1_000))
        await until(lambda: one.source.exhausted() and other.source.exhausted())
    await place.holds(0)


async def test_what_a_consumer_keeps_dropping_is_kept_aside(place: Place) -> None:
    async with reading(place.source(delivery_limit=20)):
        pass
    await place.publish([1, 2])
    dropped = 0
    async with place.channel() as channel:
        queue = await channel.get_queue(place.name, ensure=False)
        while message := await queue.get(fail=False):
            if message.body == b"2":
                await message.ack()
            else:
                dropped += 1
                await message.reject(requeue=True)
        assert dropped == 21
    rejected = f"{place.name}.rejected"
    async with asyncio.timeout(PATIENCE_S):
        while await place.waiting(rejected) != 1:  # noqa: ASYNC110 - it comes about elsewhere
            await asyncio.sleep(0.05)
    async with place.channel() as channel:
        queue = await channel.get_queue(rejected, ensure=False)
        message = await queue.get()
        assert message is not None
        assert (message.body, message.routing_key) == (b"1", "fact")
        assert "delivery_limit" in str(message.headers["x-death"])
