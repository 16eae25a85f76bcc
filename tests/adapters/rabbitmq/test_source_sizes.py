"""Large facts from a real broker: what is kept of them, and how much is in hand at a time."""

from __future__ import annotations

import hashlib
import tracemalloc

import aio_pika
import pytest
import structlog
from support.broker import Broker
from support.factqueue import FactQueue, reading, until

from adapters.rabbitmq import session
from router.ports import MAX_BODY

pytestmark = pytest.mark.once


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


async def publish(place: FactQueue, *bodies: bytes) -> None:
    async with place.channel() as channel:
        exchange = await channel.get_exchange(place.name, ensure=False)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), "fact")


async def test_of_a_body_too_large_the_beginning_is_kept_and_what_it_was(place: FactQueue) -> None:
    same = bytes(3_000_000)
    async with reading(place.source()):
        pass
    for number in range(30):
        await publish(place, same + b"%d" % number)
    tracemalloc.start()
    async with reading(place.source(), acknowledging=False) as reader:
        await reader.until(30)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 30 * MAX_BODY + 8_000_000  # all of it would be 90 MB
        assert {each.body for each in reader.messages} == {same[: MAX_BODY + 1]}
        expected = [hashlib.sha256(same + b"%d" % number).hexdigest() for number in range(30)]
        assert [each.digest for each in reader.messages] == expected
        assert reader.messages[0].evidence["whole bytes"] == "3,000,001"
        await reader.source.acknowledge(reader.messages)
    await place.holds(0)


async def test_the_largest_fact_and_an_empty_body_come_whole(place: FactQueue) -> None:
    bodies = [b"x" * MAX_BODY, b"", b"x" * (MAX_BODY + 1)]
    async with reading(place.source()) as reader:
        await publish(place, *bodies)
        assert [each.body for each in await reader.until(3)] == bodies
        assert [each.digest for each in reader.messages] == [
            hashlib.sha256(body).hexdigest() for body in bodies
        ]


async def test_bytes_in_hand_are_bounded_and_all_comes_in_its_order(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IN_HAND_BYTES", 100_000)
    bodies = [b"%d" % number + b" " * 10_000 for number in range(60)]
    with structlog.testing.capture_logs() as logs:
        async with reading(place.source(), acknowledging=False) as reader:
            await publish(place, *bodies)
            taken = 0
            while taken < 60:
                await reader.until(taken + 1)
                given = reader.messages[taken:]
                assert sum(each.size for each in given) <= 100_000
                assert not reader.source.exhausted()
                await reader.source.acknowledge(given)
                taken += len(given)
            await until(reader.source.exhausted)
            assert [each.body for each in reader.messages] == bodies
            assert reader.source.link().up
    assert {line["log_level"] for line in logs} == {"info"}
    await place.holds(0)


async def test_one_that_is_larger_than_the_bound_comes_alone(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "IN_HAND_BYTES", 1_000)
    async with reading(place.source()) as reader:
        await publish(place, b"1" * 5_000, b"2" * 5_000, b"3")
        await reader.until(3)
        assert [each.body[:1] for each in reader.messages] == [b"1", b"2", b"3"]
    await place.holds(0)


async def test_what_is_cut_behind_us_is_in_hand_no_longer_than_the_rest(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base64 makes a body with attributes in headers too large for a fact."""
    monkeypatch.setattr(session, "IN_HAND_BYTES", 500_000)
    headers = {"ce-id": "1", "ce-source": "dsp", "ce-type": "t", "ce-specversion": "1.0"}
    async with reading(place.source()) as reader, place.channel() as channel:
        exchange = await channel.get_exchange(place.name, ensure=False)
        for number in range(5):
            await exchange.publish(aio_pika.Message(b"\xff" * 260_000, headers=headers), "fact")
            await reader.until(number + 1)
        assert {len(each.body) for each in reader.messages} == {MAX_BODY + 1}
        await until(reader.source.exhausted)
    await place.holds(0)
