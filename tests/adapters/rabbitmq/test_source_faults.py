"""A broker that goes away, hangs, refuses or is changed: said once, and mended without us."""

from __future__ import annotations

import asyncio
import gc
import secrets
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
import structlog
from structlog.typing import EventDict
from support.broker import Broker
from support.factqueue import FactQueue, reading, until
from support.proxy import Proxy

from adapters.rabbitmq import connection
from adapters.rabbitmq import session as session_module
from adapters.rabbitmq import source as module
from adapters.rabbitmq.source import RabbitSource

pytestmark = pytest.mark.once


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    with Proxy(broker.port) as running:
        yield running


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries often, so that a line for each try would be seen."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.2)
    monkeypatch.setattr(session_module, "LOOK_S", 0.1)


def troubles(logs: list[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["log_level"] in {"error", "warning"}]


def says(source: RabbitSource, words: str) -> bool:
    return words in (source.down() or "")


async def refused(source: RabbitSource, words: str) -> list[EventDict]:
    """What is logged while a source tries in vain, several times."""
    with structlog.testing.capture_logs() as logs:
        async with source:
            await until(lambda: says(source, words))
            await asyncio.sleep(0.5)
            assert says(source, words)
            assert not source.link().up
            assert not source.exhausted()
    return logs


# --- connections ----------------------------------------------------------------------------


async def test_without_a_broker_it_starts_and_leaves(place: FactQueue) -> None:
    source = place.source(url="amqp://127.0.0.1:1/")
    assert says(source, "not connected yet")
    logs = await refused(source, "connection refused; is RabbitMQ running")
    (line,) = troubles(logs)
    assert line["event"] == "rabbitmq.unavailable"
    assert (line["source"], line["queue"]) == ("dsp", place.name)


async def test_a_dial_in_vain_leaves_nothing_behind(place: FactQueue) -> None:
    """The library's __del__ wants an event loop, and whichever thread collects may have none."""
    source = place.source(url="amqp://127.0.0.1:1/")
    async with source:
        await until(lambda: says(source, "refused"))
    await asyncio.to_thread(gc.collect)  # a warning is an error


async def test_it_leaves_while_it_dials(place: FactQueue) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with asyncio.timeout(8):
            async with place.source(url=f"amqp://127.0.0.1:{port}/") as source:
                await asyncio.sleep(0.2)
                await source.acknowledge([])
            stopped = place.source(url=f"amqp://127.0.0.1:{port}/")
            async with stopped:
                reader = asyncio.create_task(anext(stopped.messages({})))
                await asyncio.sleep(0.2)
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)


async def test_a_broker_that_stops_and_starts(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with reading(place.source()) as reader:
            await place.publish(range(5))
            await reader.until(5)
            await until(place.all_acknowledged)
            place.broker.stop()
            await until(lambda: says(reader.source, "refused"))
            place.broker.start()
            await until(lambda: reader.source.link().up)
            await place.publish(range(5, 10))
            await reader.until(10)
            assert reader.numbers == list(range(10))
            assert reader.source.link().made == 2
    events = [line["event"] for line in logs]
    assert events[:2] == ["rabbitmq.connected", "rabbitmq.lost"]
    assert events[-1] == "rabbitmq.connected"
    assert len({line["detail"] for line in troubles(logs)}) == len(troubles(logs)) <= 4


async def test_a_cut_connection_brings_again_what_was_in_hand(
    place: FactQueue, proxy: Proxy
) -> None:
    url = f"amqp://127.0.0.1:{proxy.port}/"
    async with reading(place.source(url=url, prefetch=20), acknowledging=False) as reader:
        source = reader.source
        await place.publish(range(20))
        await reader.until(20)
        await source.acknowledge(reader.messages[:10])
        await place.publish(range(20, 30))
        await reader.until(30)  # so the broker has heard of it
        stale = reader.messages[10:]
        proxy.cut()
        await source.acknowledge(stale[:1])  # does not raise
        await until(lambda: source.link() == module.Link(up=True, made=2))
        again = (await reader.until(50))[30:]
        await source.acknowledge(stale)  # means nothing any more
        assert reader.numbers == [*range(30), *range(10, 30)]
        assert [each.deliveries for each in again] == [1] * 20
    async with reading(place.source(prefetch=20), acknowledging=False) as reader:
        again = await reader.until(20)
        assert [each.deliveries for each in again] == [2] * 20
        await reader.source.acknowledge(again)
        await until(reader.source.exhausted)
    await place.holds(0)


async def test_what_another_source_gave_means_nothing_to_one_made_after_it(
    place: FactQueue,
) -> None:
    async with reading(place.source(), acknowledging=False) as reader:
        await place.publish(range(10))
        old = list(await reader.until(10))
    async with reading(place.source(), acknowledging=False) as reader:
        new = await reader.until(10)
        await reader.source.acknowledge(old)
        await reader.source.acknowledge(new[:1])
    await place.holds(9)


async def test_nothing_is_lost_when_it_is_cut_again_and_again(
    place: FactQueue, proxy: Proxy
) -> None:
    async with reading(place.source(url=f"amqp://127.0.0.1:{proxy.port}/", prefetch=50)) as reader:
        publishing = asyncio.create_task(place.publish(range(2_000)))
        for count in (100, 500, 900, 1_300):
            await reader.until(count)
            proxy.cut()
        await publishing
        await until(lambda: set(reader.numbers) == set(range(2_000)))
        await until(reader.source.exhausted)
        fresh = [int(each.body) for each in reader.messages if not each.deliveries]
        assert fresh == sorted(set(fresh))
    await place.holds(0)


async def test_a_broker_that_hangs_is_left_and_found_again(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the heartbeat alone; the looks at the queue would find it sooner."""
    monkeypatch.setattr(connection, "HEARTBEAT_S", 1)
    monkeypatch.setattr(session_module, "ANSWER_S", 600.0)
    async with reading(place.source()) as reader, AsyncExitStack() as stack:
        await place.publish([1])
        await reader.until(1)
        limit = await stack.enter_async_context(asyncio.timeout(None))
        async with reading(place.source(), acknowledging=False):
            place.broker.freeze()
            stack.callback(place.broker.thaw)
            limit.reschedule(asyncio.get_running_loop().time() + 15)
        limit.reschedule(None)
        await until(reader.source.down)
        await stack.aclose()
        await until(lambda: reader.source.link().up)
        await place.publish([2])
        await until(lambda: 2 in reader.numbers)


async def test_a_look_that_is_not_answered_ends_the_session(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reading(place.source()) as reader:
        monkeypatch.setattr(session_module, "ANSWER_S", 0.5)
        place.broker.freeze()
        try:
            await until(lambda: says(reader.source, "no answer in time"))
        finally:
            place.broker.thaw()
        monkeypatch.undo()
        await until(lambda: reader.source.link().up)
        await place.publish([1])
        await reader.until(1)


# --- consumers ------------------------------------------------------------------------------


async def test_a_queue_that_is_deleted_is_made_again(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with reading(place.source()) as reader:
            async with place.channel() as channel:
                await channel.queue_delete(place.name)
            await until(lambda: reader.source.link() == module.Link(up=True, made=2))
            await place.publish([1])
            await reader.until(1)
    (line,) = troubles(logs)
    assert line["event"] == "rabbitmq.lost"
    assert place.name in line["detail"]


async def test_a_consumer_that_is_taken_away_comes_back(place: FactQueue) -> None:
    """Also when the broker still counts another."""
    async with reading(place.source()) as reader, reading(place.source()):
        session = session_of(reader.source)
        assert session._bare is not None
        await session._bare.basic_cancel(session._consumer)
        await until(lambda: reader.source.link() == module.Link(up=True, made=2))


async def test_a_silent_consumer_is_made_anew(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker counts it, and gives it nothing: another is preferred, which it may not learn."""
    monkeypatch.setattr(session_module, "SILENT_S", 0.5)
    user = f"user-{secrets.token_hex(4)}"
    place.broker.control("add_user", user, "right")
    place.broker.control("set_permissions", user, "", "", ".*")
    async with place.channel() as channel:
        await channel.declare_exchange(place.name, "topic", durable=True)
        kind = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        queue = await channel.declare_queue(place.name, durable=True, arguments=kind)
        await queue.bind(place.name, "#")
        await channel.set_qos(prefetch_count=1)
        await queue.consume(asyncio.Queue[object]().put)
        async with reading(place.source(declare=False, user=user, password="right")) as reader:
            await place.publish(range(3))
            await until(lambda: reader.source.link().made > 1)
            await channel.close()
            await reader.until(3)
            assert reader.numbers == [0, 1, 2]


async def test_a_channel_that_the_broker_closes_is_noticed(place: FactQueue) -> None:
    with structlog.testing.capture_logs() as logs:
        async with reading(place.source(), acknowledging=False) as reader:
            await place.publish([1])
            await reader.until(1)
            bare = session_of(reader.source)._bare
            assert bare is not None
            await bare.basic_ack(4711)
            await until(lambda: reader.source.link() == module.Link(up=True, made=2))
            await reader.until(2)
    assert "unknown delivery tag 4711" in troubles(logs)[0]["detail"]


async def test_a_closed_channel_says_why_to_whoever_uses_it_first(
    place: FactQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "LOOK_S", 1.0)
    with structlog.testing.capture_logs() as logs:
        async with reading(place.source(), acknowledging=False) as reader:
            await place.publish(range(2))
            await reader.until(2)
            bare = session_of(reader.source)._bare
            assert bare is not None
            await bare.basic_ack(4711)
            await until(lambda: bare.is_closed)
            await reader.source.acknowledge(reader.messages)
            await until(lambda: reader.source.link() == module.Link(up=True, made=2))
    assert [line["event"] for line in troubles(logs)] == [
        "rabbitmq.not_acknowledged",
        "rabbitmq.lost",
    ]
    assert all("unknown delivery tag 4711" in line["detail"] for line in troubles(logs))


def session_of(source: RabbitSource) -> session_module.Session:
    assert source._session is not None
    return source._session
