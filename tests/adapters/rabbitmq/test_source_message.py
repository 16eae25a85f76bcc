"""A message from a real broker, as it comes out of the source: whatever its sender did."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import aio_pika
import aiormq
import pytest
from pamqp.commands import Basic
from support.broker import Broker
from support.factqueue import FactQueue, reading

from adapters.rabbitmq.session import Taken

pytestmark = pytest.mark.once


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


class Odd(Basic.Properties):
    """Properties with bytes as no decent library sends them."""

    def __init__(self, **wrong: bytes) -> None:
        super().__init__(priority=7)
        for name in wrong:
            setattr(self, name, "there")
        self.wrong = wrong

    def encode_property(self, name: str, value: Any) -> bytes:
        return self.wrong.get(name) or super().encode_property(name, value)


async def raw(place: FactQueue, body: bytes, properties: Basic.Properties) -> None:
    """As a sender would whose library checks nothing."""
    connection = await aiormq.connect(place.broker.url)
    try:
        channel = await connection.channel()
        await channel.basic_publish(
            body, exchange=place.name, routing_key="", properties=properties
        )
    finally:
        await connection.close()


async def test_a_message_says_where_it_came_from(place: FactQueue) -> None:
    async with reading(place.source()) as reader:
        async with place.channel() as channel:
            exchange = await channel.get_exchange(place.name, ensure=False)
            message = aio_pika.Message(
                b"\xff{}",
                message_id="id-1",
                content_type="application/cloudevents+json",
                app_id="dsp",
                user_id="guest",
                timestamp=datetime(2026, 1, 1, tzinfo=UTC),
                headers={"trace": "a", "number": 7, "table": {"b": [1, None]}},
            )
            await exchange.publish(message, "hubherald.hub.updated.v1")
        (taken,) = await reader.until(1)
    assert isinstance(taken, Taken)
    assert (taken.body, taken.origin, taken.deliveries) == (b"\xff{}", f"{place.name}#id-1", 0)
    assert taken.cursor is None
    assert taken.evidence == {
        "message_id": "id-1",
        "routing_key": "hubherald.hub.updated.v1",
        "exchange": place.name,
        "content_type": "application/cloudevents+json",
        "app_id": "dsp",
        "user_id": "guest",
        "timestamp": "2026-01-01T00:00:00+00:00",
        "header number": "7",
        "header table": '{"b": [1, null]}',
        "header trace": "a",
    }


async def test_evidence_is_bounded(place: FactQueue) -> None:
    headers: dict[str, Any] = {f"{number:03}{'x' * 100}": "y" * 1000 for number in range(60)}
    async with reading(place.source()) as reader:
        await raw(place, b"", Basic.Properties(headers=headers))
        (taken,) = await reader.until(1)
    assert taken.body == b""
    kept = [name for name in taken.evidence if name.startswith("header ")]
    assert len(kept) == 20
    assert {len(taken.evidence[name]) for name in kept} == {500}


async def test_odd_properties_do_not_stop_the_stream(place: FactQueue) -> None:
    forged: dict[str, Any] = {"x-delivery-count": "many", "x-death": [{"count": 3}]}
    odd = [
        Basic.Properties(delivery_mode=2, priority=255, correlation_id="x" * 255),
        Basic.Properties(
            headers={"bytes": bytearray(b"\xff\x00"), "none": None, "when": datetime.now(UTC)}
        ),
        Basic.Properties(headers=forged),
        Basic.Properties(message_id="\u4e16" * 85, content_type="", app_id="\x1b[31m"),
        Odd(timestamp=struct.pack(">Q", 1_767_225_600_000_000)),  # microseconds
        Odd(timestamp=b"\xff" * 8),
        Odd(message_id=b"\x02\xff\xfe"),
        Odd(headers=b"\x00\x00\x00\x0a\x01aS\x00\x00\x00\x03x\xffy"),
        Odd(headers=_nested(3_000)),
    ]
    async with reading(place.source()) as reader:
        for number, properties in enumerate(odd):
            await raw(place, b"%d" % number, properties)
        await place.publish([len(odd)])
        await reader.until(len(odd) + 1)
        assert reader.numbers == list(range(len(odd) + 1))
        assert reader.source.link().made == 1


@pytest.mark.parametrize("count", [1, 1_000_000, -3, True, "7", {"n": 1}])
async def test_a_senders_delivery_count_is_no_hint(place: FactQueue, count: object) -> None:
    forged: dict[str, Any] = {"x-delivery-count": count, "x-acquired-count": count}
    async with reading(place.source(), acknowledging=False) as reader:
        await raw(place, b"1", Basic.Properties(headers=forged))
        (fresh,) = await reader.until(1)
        assert fresh.deliveries == 0
    async with reading(place.source()) as reader:
        (again,) = await reader.until(1)
        assert again.deliveries >= 1


def _nested(depth: int) -> bytes:
    table = b""
    for _ in range(depth):
        table = b"\x01tF" + struct.pack(">I", len(table)) + table
    return struct.pack(">I", len(table)) + table
