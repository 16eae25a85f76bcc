"""Messages on the wire: the same bytes as the library's, whatever is in them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pamqp.frame
import pytest
from aiormq.abc import ChannelFrame
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

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


def by_the_library(
    deliveries: Sequence[Delivery], exchange: str, key: str, room: int
) -> tuple[str, int, bytes]:
    first = deliveries[0]
    single = len(deliveries) == 1 and first.batch is None
    body = first.body if single else batch_body(each.body for each in deliveries)
    number = str(first.alert.id if single else batch_id(each.alert for each in deliveries))
    properties = commands.Basic.Properties(
        content_type=CONTENT_TYPE if single else BATCH_CONTENT_TYPE,
        delivery_mode=2,
        message_id=number,
        message_type=EVENT_TYPE,
        app_id="hubherald",
        timestamp=first.alert.decided_at,
    )
    frames: list[object] = [
        commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=True),
        ContentHeader(properties=properties, body_size=len(body)),
    ]
    frames += [ContentBody(body[at : at + room]) for at in range(0, len(body), room)]
    payload = b"".join(pamqp.frame.marshal(each, CHANNEL) for each in frames)  # type: ignore[arg-type]
    return number, len(body), payload


@pytest.mark.parametrize(
    ("exchange", "key"), [("alerts", "N64"), ("", "alérts.ø"), ("amq.topic", "")]
)
@pytest.mark.parametrize("room", [131_064, 100, 7])
def test_a_message_is_written_as_the_library_would(
    delivery: Make, exchange: str, key: str, room: int
) -> None:
    one = delivery(1)
    for deliveries in ([one], [one, delivery(2)], [replace(one, batch="1+1")]):
        found = written(deliveries, exchange, key, channel=CHANNEL, room=room)
        assert found == by_the_library(deliveries, exchange, key, room)


def test_a_block_is_taken_as_it_is() -> None:
    frame = ChannelFrame(b"frames", should_close=False)
    assert (frame.payload, frame.should_drain) == (b"frames", False)
