"""A message of ours as it stands on the wire. Pure.

The library writes a frame field by field, which costs as much as all else of a send; of ours only
the id, the moment and the size differ from one to the next.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

import pamqp.frame
from pamqp.commands import Basic

from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    Delivery,
    batch_body,
    batch_id,
)

_FRAME = struct.Struct(">BHI")
_END = b"\xce"
_HEADER, _BODY = 2, 3
_BASIC = 60
_CONTENT = struct.Struct(">HHQH")
"""Of a content header: its class, a weight, bytes of the body, which properties follow."""
_GIVEN = 1 << 15 | 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5 | 1 << 3
"""content_type, delivery_mode, message_id, timestamp, type and app_id, in this order."""
_PERSISTENT = b"\x02"
_MOMENT = struct.Struct(">Q")


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
    before, behind = _around(kind)
    properties = b"".join(
        (
            before,
            _short(number),
            _MOMENT.pack(int(first.alert.decided_at.timestamp())),
            behind,
        )
    )
    header = _CONTENT.pack(_BASIC, 0, len(body), _GIVEN) + properties
    parts = [body[at : at + room] for at in range(0, len(body), room)]
    frames = [_published(exchange, key, channel), _frame(_HEADER, channel, header)]
    frames += [_frame(_BODY, channel, part) for part in parts]
    return number, len(body), b"".join(frames)


@lru_cache(maxsize=4096)
def _published(exchange: str, key: str, channel: int) -> bytes:
    """Where it goes: the same for many."""
    return pamqp.frame.marshal(
        Basic.Publish(exchange=exchange, routing_key=key, mandatory=True), channel
    )


@lru_cache(maxsize=8)
def _around(kind: str) -> tuple[bytes, bytes]:
    """The properties in front of the id, and those behind the moment."""
    return _short(kind) + _PERSISTENT, _short(EVENT_TYPE) + _short("hubherald")


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END
