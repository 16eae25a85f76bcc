"""Facts from a real broker: what comes, in which order, and what is given back."""

from __future__ import annotations

import asyncio

import aiormq
import pytest
from support.broker import Broker
from support.factqueue import PATIENCE_S, FactQueue, reading, until

from router.ports import Link

pytestmark = pytest.mark.once


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


async def abandoned(place: FactQueue, count: int) -> None:
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


async def test_thousands_come_once_and_in_order(place: FactQueue) -> None:
    async with reading(place.source()) as reader:
        await place.publish(range(5_000))
        await reader.until(5_000)
        assert reader.numbers == list(range(5_000))
        assert not any(each.deliveries for each in reader.messages)
    await place.holds(0)


async def test_what_waits_before_we_come_is_taken(place: FactQueue) -> None:
    async with reading(place.source()):
        pass
    await place.publish(range(300))
    async with reading(place.source(prefetch=1)) as one, reading(place.source()) as more:
        await until(lambda: len(one.messages) + len(more.messages) == 300)
        assert sorted(one.numbers + more.numbers) == list(range(300))
        assert one.numbers == sorted(one.numbers)
        assert more.numbers == sorted(more.numbers)


async def test_messages_keep_their_order_however_often_they_return(place: FactQueue) -> None:
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


async def test_what_was_in_hand_before_says_so(place: FactQueue) -> None:
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


async def test_no_more_is_in_hand_than_asked_for(place: FactQueue) -> None:
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
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
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


async def test_what_is_in_hand_at_the_end_is_still_acknowledged(place: FactQueue) -> None:
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


async def test_exhausted_when_all_is_committed(place: FactQueue) -> None:
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


async def test_two_sources_share_a_queue(place: FactQueue) -> None:
    async with reading(place.source()) as one, reading(place.source()) as other:
        await place.publish(range(1_000))
        await until(lambda: len(one.messages) + len(other.messages) >= 1_000)
        assert sorted(one.numbers + other.numbers) == list(range(1_000))
        await until(lambda: one.source.exhausted() and other.source.exhausted())
    await place.holds(0)


async def test_what_a_consumer_keeps_dropping_is_kept_aside(place: FactQueue) -> None:
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
