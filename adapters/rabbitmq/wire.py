"""What a broker may send us: the library believes any size of a frame and of a body.

A connection to somebody else's broker must not take the memory, nor the time, of all others. So
whatever comes is looked at before the library has it: frames above the size that was agreed, and
what no broker has a reason to send, end that connection, and that connection alone.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pamqp.frame
from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat
from yarl import URL

from adapters.dialling import dial
from adapters.rabbitmq.confirms import Confirms, Fate
from adapters.rabbitmq.content import DELIVER, Assembly
from adapters.rabbitmq.properties import thinned
from adapters.rabbitmq.trouble import BrokerError, TroubleKind
from adapters.tls import peer_of
from router.ports import Certificate

FRAME = 131_072
"""Bytes of the largest frame that we agree to; RabbitMQ's own default."""
METHOD = 8_192
"""Bytes of a frame that is not content; what RabbitMQ itself takes before it knows a client."""
RETURNED = 16 * 1024 * 1024
"""Bytes of a message that comes back to its publisher: more than we ever publish."""
SIGN_S = 0.5
"""Seconds for which the library is not told that something comes: less than a heartbeat."""
TURN = 64
"""Frames after which others have their turn, however fast more come."""

_HEAD = struct.Struct(">BHI")
_END = 1
_ENVELOPE = _HEAD.size + _END
_METHOD, _HEADER, _BODY = 1, 2, 3
_HEARTBEAT = pamqp.frame.marshal(Heartbeat(), 0)
_TLS_ALERT = b"\x15\x03"
"""What OpenSSL and Erlang answer to a client that does not speak TLS begins with it."""
_TUNE = struct.pack(">HH", 10, 30)
_LIMITS = struct.Struct(">4sHI")
"""Of Connection.Tune: which method it is, how many channels, bytes of a frame."""
_CONTENT = struct.Struct(">4sQ")
"""Of a content header: the class, a weight, bytes of the body. The properties follow."""
_WHICH = struct.Struct(">HH")
"""Of a method: its class and its number."""
_FATES: Mapping[bytes, tuple[type[Basic.Ack | Basic.Nack], Fate]] = {
    _WHICH.pack(60, 80): (Basic.Ack, Fate.TAKEN),
    _WHICH.pack(60, 120): (Basic.Nack, Fate.REFUSED),
}


class BoundedTransports(TransportFactory):
    """Makes the connection that the library talks over; the bounds are part of it."""

    def __init__(
        self,
        where: str,
        context: ssl.SSLContext | None,
        *,
        contents: Assembly | None = None,
        confirms: Confirms | None = None,
    ) -> None:
        """`contents` hears of messages; without it nobody reads the bodies of what comes.
        `confirms` hears of confirmations."""
        self.where = where
        self._context = context
        self._contents = contents
        self._confirms = confirms
        self.peer: Certificate | None = None
        """The certificate that the broker has shown."""

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Dial. AMQPConnectionError when nobody answers."""
        loop = asyncio.get_running_loop()
        reader = BoundedReader(
            self.where, contents=self._contents, confirms=self._confirms, loop=loop
        )
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await dial(
                lambda: protocol, url.host or "", url.port or 0, self._context
            )
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
        self.peer = peer_of(transport)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class BoundedReader(asyncio.StreamReader):
    """Gives out frames that have been looked at, whatever pieces are asked for."""

    def __init__(
        self,
        where: str,
        *,
        contents: Assembly | None,
        confirms: Confirms | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(loop=loop)
        self._where = where
        self._contents = contents
        self._confirms = confirms
        self._agreed = FRAME
        self._admitted = b""
        self._given = 0
        """Bytes of what was admitted that were asked for."""
        self._frames = 0
        self._loop_time = loop.time
        self._told = 0.0
        """When the library was given something last, in the loop's seconds."""
        self._left: dict[int, int] = {}
        """By channel: bytes of a body that are still to come."""

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        return self._given == len(self._admitted) and super().at_eof()

    async def readexactly(self, n: int) -> bytes:
        """So many bytes of frames that were admitted. BrokerError for one that is not."""
        while len(self._admitted) - self._given < n:
            self._admitted = self._admitted[self._given :] + await self._frame()
            self._given = 0
        self._given += n
        return self._admitted[self._given - n : self._given]

    async def _frame(self) -> bytes:
        """The next one; nothing of one that nobody would look at."""
        self._frames += 1
        if self._frames % TURN == 0:
            await asyncio.sleep(0)  # what has come already is read without waiting
        head = await super().readexactly(_HEAD.size)
        if head.startswith(b"AMQP"):  # another version of the protocol, and not a frame
            return head + await super().readexactly(_END)
        if head.startswith(_TLS_ALERT):
            raise BrokerError(
                TroubleKind.ENDPOINT,
                f"{self._where}: it speaks TLS on this port; write amqps:// in `url`, or correct"
                " the port",
            )
        kind, channel, size = _HEAD.unpack(head)
        most = self._agreed - _ENVELOPE if kind in {_HEADER, _BODY} else METHOD
        if size > most:
            raise self._excess(f"a frame of {size:,} bytes, where at most {most:,} may come")
        content = await super().readexactly(size + _END)
        found = content[:-_END]
        payload = self._looked_at(kind, channel, found)
        if payload is None:
            return self._sign_of_life()
        self._told = self._loop_time()
        if payload is found:
            return head + content
        return _HEAD.pack(kind, channel, len(payload)) + payload + content[-_END:]

    def _sign_of_life(self) -> bytes:
        """For the library, which ends a connection on which it hears nothing: now and then."""
        if self._loop_time() - self._told < SIGN_S:
            return b""
        self._told = self._loop_time()
        return _HEARTBEAT

    def _looked_at(self, kind: int, channel: int, payload: bytes) -> bytes | None:
        """What the library is given of it."""
        if kind == _BODY:
            self._count(channel, len(payload))
            if self._contents is None or self._contents.body(channel, payload):
                return None
            return payload
        if kind == _HEADER and len(payload) >= _CONTENT.size:
            self._left[channel] = _CONTENT.unpack_from(payload)[1]
            return self._header(channel, payload)
        if kind == _METHOD:
            return self._method(channel, payload)
        return payload

    def _method(self, channel: int, payload: bytes) -> bytes | None:
        if self._contents is not None and payload.startswith(DELIVER):
            self._contents.deliver(channel, payload)
            return None
        if self._confirms is not None and _confirmed(self._confirms, payload):
            return None
        if payload.startswith(_TUNE) and len(payload) >= _LIMITS.size:
            return self._tuned(payload)
        return payload

    def _header(self, channel: int, payload: bytes) -> bytes | None:
        start, size = _CONTENT.unpack_from(payload)
        properties = payload[_CONTENT.size :]
        if self._contents is not None:
            kept = thinned(properties)
            payload = payload if kept is properties else payload[: _CONTENT.size] + kept
            return None if self._contents.header(channel, payload) else payload
        if size > RETURNED:
            raise self._excess(f"a message of {size:,} bytes, and ours are far smaller")
        if len(properties) > METHOD:
            raise self._excess(f"{len(properties):,} bytes of properties, and ours are far fewer")
        if self._confirms is not None and (number := _message_id(payload)):
            self._confirms.returned(number)
        return _CONTENT.pack(start, 0) + properties

    def _count(self, channel: int, size: int) -> None:
        """No body has more than was announced, nor pieces without anything in them."""
        left = self._left.get(channel, 0) - size
        if left < 0 or not size:
            raise self._excess("a body without end, larger than it said")
        self._left[channel] = left

    def _tuned(self, payload: bytes) -> bytes:
        """Agree to frames of the size that the broker proposes, if it is not above ours; 0 would
        be any size."""
        method, channels, size = _LIMITS.unpack_from(payload)
        self._agreed = min(size or FRAME, FRAME)
        return _LIMITS.pack(method, channels, self._agreed) + payload[_LIMITS.size :]

    def _excess(self, what: str) -> BrokerError:
        return BrokerError(
            TroubleKind.NETWORK,
            f"{self._where}: sent {what}: no RabbitMQ node does that; have whoever runs it look"
            " what answers there",
        )


def _confirmed(confirms: Confirms, payload: bytes) -> bool:
    """Whether it was the broker's word about messages that we have published."""
    known = _FATES.get(payload[: _WHICH.size])
    if known is None:
        return False
    method, fate = known
    word = method()
    try:
        word.unmarshal(payload[_WHICH.size :])
    except (PAMQPException, ValueError, IndexError, struct.error):
        return False  # the library complains of it
    confirms.confirmed(word.delivery_tag or 0, fate, multiple=bool(word.multiple))
    return True


def _message_id(header: bytes) -> str | None:
    """Of a message that comes back. What can't be read, the library complains of."""
    content = ContentHeader()
    with suppress(PAMQPException, ValueError, IndexError, struct.error):
        content.unmarshal(header)
        return content.properties.message_id
    return None
