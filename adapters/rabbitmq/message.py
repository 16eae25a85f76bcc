"""A message of ours as it stands on the wire: all of its frames, for one write. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import pamqp.frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    Delivery,
    batch_body,
    batch_id,
)

PERSISTENT = 2


def written(
    deliveries: Sequence[Delivery], exchange: str, key: str, *, channel: int, room: int
) -> tuple[str, int, bytes]:
    """Id, bytes of the body, and all frames; the same members give the same id, however often.

    `room`: bytes of a body in a frame. Persistent and mandatory.
    """
    first = deliveries[0]
    if len(deliveries) == 1 and first.batch is None:
        body, number, kind = first.body, str(first.alert.id), CONTENT_TYPE
    else:
        body, kind = batch_body(each.body for each in deliveries), BATCH_CONTENT_TYPE
        number = str(batch_id(each.alert for each in deliveries))
    properties = Basic.Properties(
        content_type=kind,
        delivery_mode=PERSISTENT,
        message_id=number,
        timestamp=first.alert.decided_at,
        message_type=EVENT_TYPE,
        app_id="hubherald",
    )
    header = ContentHeader(body_size=len(body), properties=properties)
    frames = [_published(exchange, key, channel), pamqp.frame.marshal(header, channel)]
    frames += [
        pamqp.frame.marshal(ContentBody(body[at : at + room]), channel)
        for at in range(0, len(body), room)
    ]
    return number, len(body), b"".join(frames)


@lru_cache(maxsize=4096)
def _published(exchange: str, key: str, channel: int) -> bytes:
    """Where it goes: the same for many."""
    return pamqp.frame.marshal(
        Basic.Publish(exchange=exchange, routing_key=key, mandatory=True), channel
    )
