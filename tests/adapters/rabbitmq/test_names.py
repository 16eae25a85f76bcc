"""Queues and exchanges whose names the library would not take, and RabbitMQ does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.alertqueue import DELIVERED
from support.amqpserver import AmqpServer, Waiting
from support.broker import Broker
from support.factqueue import FactQueue, reading

from adapters.rabbitmq.delivery import RabbitAdapter, RabbitOptions
from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions
from router.ports import Delivery

NAMES = ["donn\xe9es", "facts|prod", "$facts{1}*&(!)", "DCC's facts"]


@pytest.mark.parametrize("name", NAMES)
async def test_facts_come_from_a_queue_of_any_name(name: str) -> None:
    server = AmqpServer(waiting=[Waiting(b"1")])
    async with server.running():
        options = {"url": server.url, "queue": name, "exchange": f"{name}.all"}
        source = RabbitSource("dsp", RabbitSourceOptions.model_validate(options))
        async with reading(source) as reader:
            assert [each.body for each in await reader.until(1)] == [b"1"]


@pytest.mark.parametrize("name", NAMES)
async def test_alerts_go_to_an_exchange_of_any_name(
    name: str, delivery: Callable[[int], Delivery]
) -> None:
    server = AmqpServer()
    async with server.running():
        options = RabbitOptions.model_validate({"url": server.url, "exchange": name})
        async with RabbitAdapter(options) as adapter:
            assert await adapter.deliver([delivery(1)]) == [DELIVERED]


@pytest.mark.once
async def test_a_broker_makes_them(broker: Broker) -> None:
    place = FactQueue(broker)
    place.name += " donn\xe9es|{1}"
    async with reading(place.source()) as reader:
        await place.publish(range(2))
        assert len(await reader.until(2)) == 2
