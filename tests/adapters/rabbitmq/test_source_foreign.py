"""Queues that are not ours: worked with, or refused in words that are true and not repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import pytest
import structlog
from aio_pika.abc import AbstractChannel
from structlog.typing import EventDict
from support.broker import Broker
from support.factqueue import FactQueue, reading, until

from adapters.rabbitmq import session as session_module
from adapters.rabbitmq import source as module
from adapters.rabbitmq.connection import hang_up
from router.ports import Link

pytestmark = pytest.mark.once
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries often, so that a line for each try would be seen."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(session_module, "LOOK_S", 0.02)
    monkeypatch.setattr(session_module, "SILENT_S", 0.1)


@asynccontextmanager
async def queue(place: FactQueue, **arguments: Any) -> AsyncIterator[AbstractChannel]:
    """As somebody else has made it."""
    async with place.channel() as channel:
        await channel.declare_exchange(place.name, "topic", durable=True)
        given = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
        made = await channel.declare_queue(place.name, durable=True, arguments=given)
        await made.bind(place.name, "#")
        await channel.set_qos(prefetch_count=1)
        yield channel


def troubles(logs: list[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["log_level"] in {"error", "warning"}]


async def test_a_stream_is_refused_in_one_line(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with queue(place, queue_type="stream"), place.source(declare=False) as source:
            await place.publish(range(3))
            await until(lambda: "is a stream" in (source.down() or ""))
            tries = source._begun
            await until(lambda: source._begun > tries + 3)
            assert not source.link().made
    (line,) = logs
    assert line["event"] == "rabbitmq.unavailable"
    assert "have a quorum queue bound to the same exchange" in line["detail"]


async def test_a_stream_that_we_may_not_ask_about_is_found_out(place: FactQueue) -> None:
    user = f"reader-{place.name}"
    place.broker.control("add_user", user, "right")
    place.broker.control("set_permissions", user, "", "", ".*")
    more: dict[str, Any] = {"declare": False, "user": user, "password": "right"}
    with structlog.testing.capture_logs() as logs:
        async with queue(place, queue_type="stream"), reading(place.source(**more)) as reader:
            await place.publish(range(3))
            await until(lambda: "is a stream" in (reader.source.down() or ""))
            made = reader.source.link().made
            await until(lambda: reader.source.link().made > made + 3)
            assert reader.source.down()
    assert len([line for line in logs if line["event"] == "rabbitmq.connected"]) == 1
    assert len(troubles(logs)) <= 2  # before the first message it may be another's consumer


async def test_a_header_of_a_sender_makes_no_stream(place: FactQueue) -> None:
    forged = aio_pika.Message(b"1", headers={"x-stream-offset": 1})
    with structlog.testing.capture_logs() as logs:
        async with (
            queue(place, queue_type="quorum") as channel,
            reading(place.source(declare=False)) as reader,
        ):
            exchange = await channel.get_exchange(place.name)
            await exchange.publish(forged, "fact")
            await reader.until(1)
            await asyncio.sleep(0.3)  # a few looks, and longer than silence may last
            await place.publish([2])
            await reader.until(2)
            assert reader.source.link().made == 1
    assert troubles(logs) == []


async def test_an_exclusive_consumer_is_told_and_waited_for(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with queue(place) as channel:
            own = await channel.get_queue(place.name)
            await own.consume(asyncio.Queue[object]().put, exclusive=True)
            async with place.source(declare=False) as source:
                await until(lambda: "to itself" in (source.down() or ""))
                tries = source._begun
                await until(lambda: source._begun > tries + 3)
                await channel.close()
                await until(lambda: source.link().up)
                assert source.down() is None
    (line,) = troubles(logs)
    assert "in exclusive use" in line["detail"]
    assert "set_permissions" not in line["detail"]


@pytest.mark.parametrize("kind", ["quorum", "classic"])
async def test_who_stands_by_is_quiet_and_ready_and_takes_over(place: FactQueue, kind: str) -> None:
    """As it should be, where several routers share such a queue."""
    with structlog.testing.capture_logs() as logs:
        async with queue(place, queue_type=kind, single_active_consumer=True) as channel:
            own = await channel.get_queue(place.name)
            await own.consume(asyncio.Queue[object]().put)
            async with reading(place.source(declare=False)) as reader:
                await place.publish(range(3))
                await until(lambda: reader.source.link().standby)
                assert "has a single active consumer" in reader.source.link().standby
                await asyncio.sleep(0.5)  # a few looks, and longer than silence may last
                assert reader.source.down() is None
                assert reader.source.exhausted()
                assert reader.source.link() == Link(up=True, made=1)
                await channel.close()
                await reader.until(3)
                assert reader.numbers == [0, 1, 2]
                assert reader.source.link().standby == ""
                assert reader.source.link().made == 1
    assert troubles(logs) == []
    events = [line["event"] for line in logs]
    assert events == ["rabbitmq.connected", "rabbitmq.standby", "rabbitmq.took_over"]


async def test_who_stands_by_says_so_once_however_often_it_connects(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with queue(place, queue_type="quorum", single_active_consumer=True) as channel:
            own = await channel.get_queue(place.name)
            await own.consume(asyncio.Queue[object]().put)
            async with reading(place.source(declare=False)) as reader:
                await place.publish(range(3))
                for made in range(1, 4):
                    await until(lambda: reader.source.link().standby)
                    assert reader.source.link().made == made
                    assert reader.source._session is not None
                    await hang_up(reader.source._session._connection)
                    await until(lambda made=made: reader.source.link().made > made)
    assert [line["event"] for line in logs].count("rabbitmq.standby") == 1


async def test_two_of_ours_on_a_queue_with_one_active_consumer(place: FactQueue) -> None:
    """The second takes over from the first, and nothing is told while nothing waits."""
    with structlog.testing.capture_logs() as logs:
        async with queue(place, queue_type="quorum", single_active_consumer=True):
            more = {"declare": False}
            async with reading(place.source(**more)) as one, reading(place.source(**more)) as two:
                await place.publish(range(5))
                await one.until(5)
                await until(place.all_acknowledged)
                assert two.source.down() is None
                await one.stop()
                await place.publish(range(5, 10))
                await two.until(5)
    assert troubles([line for line in logs if line["event"] == "rabbitmq.lost"]) == []


async def test_a_queue_exclusive_to_another_connection(place: FactQueue) -> None:
    async with place.channel() as channel:
        await channel.declare_exchange(place.name, "topic", durable=True)
        await channel.declare_queue(place.name, exclusive=True)
        async with place.source(declare=False) as source:
            await until(lambda: "another connection owns it" in (source.down() or ""))


async def test_a_classic_queue_is_worked_with(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with queue(place), reading(place.source(declare=False)) as reader:
            await place.publish(range(3))
            await reader.until(3)
    assert troubles(logs) == []
