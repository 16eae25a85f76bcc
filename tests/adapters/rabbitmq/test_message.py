"""Messages on the wire: the they read as they were meant, whatever is in them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame

from adapters.rabbitmq.message import written
from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    Delivery,
    batch_body,
    batch_id,
)

pytestmark = pytest.mark.once

Make = Callable[[int], Delivery]
CHANNEL = 7


def read(frames: bytes) -> list[Any]:
    """What the library reads, all of it on our channel."""
    found: list[Any] = []
    while frames:
        taken, channel, frame = pamqp.frame.unmarshal(frames)
        assert channel == CHANNEL
        found.append(frame)
        frames = frames[taken:]
    return found


@pytest.mark.parametrize(
    ("exchange", "key"), [("alerts", "N64"), ("", "alérts.ø"), ("amq.topic", "")]
)
@pytest.mark.parametrize("room", [131_064, 100, 7])
def test_a_message_reads_as_it_was_meant(
    delivery: Make, exchange: str, key: str, room: int
) -> None:
    one, two = delivery(1), delivery(2)
    for deliveries in ([one], [one, two], [replace(one, batch="1+1")]):
        number, size, frames = written(deliveries, exchange, key, channel=CHANNEL, room=room)
        publish, header, *bodies = read(frames)
        assert (publish.exchange, publish.routing_key) == (exchange, key)
        assert (publish.mandatory, publish.immediate) == (True, False)
        single = len(deliveries) == 1 and one.batch == deliveries[0].batch
        body = one.body if single else batch_body(each.body for each in deliveries)
        assert number == str(one.alert.id if single else batch_id(d.alert for d in deliveries))
        assert size == header.body_size == len(body)
        assert b"".join(each.value for each in bodies) == body
        assert max(len(each.value) for each in bodies) <= room
        properties = header.properties
        assert properties.content_type == (CONTENT_TYPE if single else BATCH_CONTENT_TYPE)
        assert properties.delivery_mode == 2
        assert properties.message_id == number
        assert properties.message_type == EVENT_TYPE
        assert properties.app_id == "hubherald"
        assert properties.timestamp == one.alert.decided_at.replace(microsecond=0)


def test_a_block_is_taken_as_it_is() -> None:
    frame = ChannelFrame(b"frames", should_close=False)
    assert (frame.payload, frame.should_drain) == (b"frames", False)
