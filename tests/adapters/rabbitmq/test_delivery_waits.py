"""Alerts to a broker that hangs, is slow or is short of disk: what is waited for, and what not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pamqp import commands
from support.alertqueue import DELIVERED, Place, certified, each, frozen, full, ids, told
from support.amqpserver import AmqpServer, Peer
from support.broker import Broker

from adapters.rabbitmq import connection
from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import Delivery, Reason

pytestmark = pytest.mark.once

Make = Callable[[int], Delivery]


@pytest.fixture
async def place(broker: Broker) -> Place:
    return await Place.made(broker)


async def taking(adapter: RabbitAdapter, one: Delivery) -> None:
    """Wait until the broker takes messages again."""
    for _ in range(600):
        if await adapter.deliver([one]) == [DELIVERED]:
            return
        await asyncio.sleep(0.05)


async def test_a_full_disk_is_busy_until_there_is_room(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.LOOK_S", 0.1)
    ours = [delivery(n) for n in range(16)]
    async with place.adapter() as adapter:
        assert await each(adapter, ours) == [DELIVERED] * 16
        with full(place.broker):
            for outcome in await each(adapter, ours):
                told(outcome, Reason.BUSY, "short of disk or memory", "make room")
            (again,) = await adapter.deliver(ours[:1])  # known by now: not even tried
            told(again, Reason.BUSY, "short of disk or memory")
        await taking(adapter, ours[0])
        assert await each(adapter, ours) == [DELIVERED] * 16
        assert adapter.link().made == 1


async def test_a_disk_that_is_full_before_we_come_is_busy(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.LOOK_S", 0.1)
    async with place.adapter() as adapter:
        with full(place.broker):
            for outcome in await each(adapter, [delivery(n) for n in range(16)]):
                told(outcome, Reason.BUSY, "short of disk or memory")
        await taking(adapter, delivery(0))


async def test_a_full_disk_answers_more_than_may_be_unconfirmed(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.LOOK_S", 0.1)
    monkeypatch.setattr("adapters.rabbitmq.delivery.UNCONFIRMED", 4)
    ours = [delivery(n) for n in range(100)]
    async with place.adapter() as adapter:
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
        with full(place.broker):
            for outcome in await each(adapter, ours):
                told(outcome, Reason.BUSY, "short of disk or memory")
        await taking(adapter, ours[0])
        assert await each(adapter, ours) == [DELIVERED] * 100


async def test_a_slow_broker_is_waited_for(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.LOOK_S", 0.01)
    ours = [delivery(n) for n in range(16)]
    async with place.adapter() as adapter:
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
        with frozen(place.broker):
            sending = asyncio.create_task(each(adapter, ours[1:]))
            done, _ = await asyncio.wait({sending}, timeout=0.5)  # many looks
            assert not done
        assert await sending == [DELIVERED] * 15
        assert adapter.link().made == 1
    assert sorted(await place.taken()) == sorted(ids(ours))  # each of them once


@pytest.mark.parametrize("batch", [1, 10])
async def test_the_deadline_of_the_channel_ends_a_send(
    place: Place, delivery: Make, batch: int
) -> None:
    ours = [delivery(n) for n in range(10)]
    async with place.adapter(batch=batch) as adapter:
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
        with frozen(place.broker):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await adapter.deliver(ours[:batch])
        assert await adapter.deliver(ours[:batch]) == [DELIVERED] * batch
        assert adapter.link().made == 1


async def test_the_deadline_ends_a_batch_of_many_keys(place: Place, delivery: Make) -> None:
    alerts = [replace(delivery(n).alert, firmware_version=f"{n % 7}") for n in range(20)]
    ours = [Delivery(alert, alert.event()) for alert in alerts]
    await place.bind("amq.topic", f"{place.queue}.*")
    key = f"{place.queue}.{{firmware_version}}"
    async with place.adapter(exchange="amq.topic", routing_key=key, batch=20) as adapter:
        assert await adapter.deliver(ours) == [DELIVERED] * 20
        with frozen(place.broker):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await adapter.deliver(ours)
        assert await adapter.deliver(ours) == [DELIVERED] * 20
        assert adapter.link().made == 1
    assert len(set(await place.taken())) == 7  # a batch sent again has the same id


async def test_what_was_confirmed_stands_when_the_deadline_ends_the_rest(delivery: Make) -> None:
    async def late(peer: Peer, _channel: int, frame: commands.Basic.Publish) -> bool:
        if frame.routing_key == "3":
            await peer._content()
            peer.published += 1
            return True
        return False

    alerts = [replace(delivery(n).alert, firmware_version=f"{n % 5}") for n in range(10)]
    server = AmqpServer(answers={"Basic.Publish": late})
    given = {"exchange": "alerts", "routing_key": "{firmware_version}", "batch": 10}
    async with server.running():
        options = RabbitAdapter.Config.model_validate({"url": server.url, **given})
        async with RabbitAdapter(options) as adapter, asyncio.timeout(1):
            outcomes = await adapter.deliver([Delivery(each, each.event()) for each in alerts])
    for number, outcome in enumerate(outcomes):
        if number % 5 == 3:
            told(outcome, Reason.TIMEOUT, "no confirmation")
        else:
            assert outcome == DELIVERED


async def test_the_deadline_ends_dialling_too(place: Place, delivery: Make) -> None:
    ours = [delivery(n) for n in range(16)]

    async def hurried(one: Delivery) -> None:
        async with asyncio.timeout(0.2):
            await adapter.deliver([one])

    async with place.adapter() as adapter:
        with frozen(place.broker):
            ends = await asyncio.gather(*map(hurried, ours), return_exceptions=True)
            assert [type(end) for end in ends] == [TimeoutError] * 16
        assert await each(adapter, ours) == [DELIVERED] * 16


async def test_those_that_wait_for_a_connection_share_its_failure(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DIAL_S", 0.3)
    ours = [delivery(n) for n in range(16)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://127.0.0.1:{silent.getsockname()[1]}/"
        async with place.adapter(url=url) as adapter:
            silent.settimeout(0)
            for outcome in await each(adapter, ours):
                told(outcome, Reason.NETWORK, "did not answer within 0.3 s")
            silent.accept()[0].close()
            with pytest.raises(BlockingIOError):  # one call, not sixteen
                silent.accept()
            (outcome,) = await adapter.deliver(ours[:1])
            told(outcome, Reason.NETWORK, "did not answer within 0.3 s")
            silent.accept()[0].close()  # and the next tries again


@pytest.mark.parametrize("tls", [False, True])
async def test_a_broker_that_hangs_does_not_keep_us(
    place: Place, delivery: Make, tmp_path: Path, tls: bool
) -> None:
    options: dict[str, object] = {}
    if tls:
        trusted, files = certified(place.broker, tmp_path)
        options = {**trusted, **files}
    async with asyncio.timeout(20):
        try:
            async with place.adapter(**options) as adapter:
                assert await adapter.deliver([delivery(1)]) == [DELIVERED]
                place.broker.freeze()
        finally:
            place.broker.thaw()
        await asyncio.sleep(0.2)  # what is on its way to the broker goes out, and all is closed
