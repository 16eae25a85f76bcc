"""A small AMQP 0-9-1 server: answers as brokers do that can't be run here, and worse ones.

It keeps one queue in memory for one consumer, and confirms what is published. Everything that
tells one version from another, or a broker from an enemy, is an attribute.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pamqp.frame
from pamqp import commands
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

Send = Callable[[int, Any], None]
Answer = Callable[["Peer", int, Any], Awaitable[bool]]


@dataclass
class Waiting:
    """A message in the queue."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    redelivered: bool = False
    size: int | None = None
    """Of the body, by the header; None: that of the body."""


@dataclass
class AmqpServer:
    """What it says; `peers` are the connections that it has had."""

    product: str = "RabbitMQ"
    version: str = "4.2.0"
    mechanisms: str = "PLAIN AMQPLAIN"
    frame_max: int = 131_072
    waiting: list[Waiting] = field(default_factory=list)
    consumers: Callable[[Peer], int] = lambda peer: len(peer.consumers)
    """What a passive declare counts as consumers."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """By the name of a method: what to do instead; False: also as usual."""
    peers: list[Peer] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"amqp://127.0.0.1:{self.port}/"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AmqpServer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for peer in self.peers:
                peer.task.cancel()
            await asyncio.gather(*(peer.task for peer in self.peers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer = Peer(self, reader, writer, task)
        self.peers.append(peer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await peer.talk()
        writer.close()


@dataclass
class Peer:
    """One connection."""

    server: AmqpServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    task: asyncio.Task[Any]
    heard: list[Frame] = field(default_factory=list)
    """Methods, in the order they came."""
    consumers: dict[str, int] = field(default_factory=dict)
    """Tag to channel."""
    unacknowledged: dict[int, Waiting] = field(default_factory=dict)
    published: int = 0
    tag: int = 0

    def said(self, name: str) -> list[Any]:
        """What came of one method."""
        return [each for each in self.heard if each.name == name]

    def send(self, channel: int, frame: Any) -> None:
        self.writer.write(pamqp.frame.marshal(frame, channel))

    async def talk(self) -> None:
        await self.reader.readexactly(8)
        known = {"product": self.server.product, "version": self.server.version}
        able = {"publisher_confirms": True, "basic.nack": True, "consumer_cancel_notify": True}
        self.send(
            0,
            commands.Connection.Start(
                mechanisms=self.server.mechanisms,
                server_properties={**known, "capabilities": able},
            ),
        )
        while True:
            channel, frame = await self._next()
            if isinstance(frame, commands.Connection.Close):
                self.send(0, commands.Connection.CloseOk())
                await self.writer.drain()
                return
            if isinstance(frame, Frame):
                self.heard.append(frame)
                instead = self.server.answers.get(frame.name)
                if instead is not None and await instead(self, channel, frame):
                    continue
                await self._answer(channel, frame)

    async def _next(self) -> tuple[int, Any]:
        head = await self.reader.readexactly(7)
        _, _, size = struct.unpack(">BHI", head)
        _, channel, frame = pamqp.frame.unmarshal(head + await self.reader.readexactly(size + 1))
        return channel, frame

    async def _answer(self, channel: int, frame: Frame) -> None:
        match frame:
            case commands.Connection.StartOk():
                self.send(0, commands.Connection.Tune(2047, self.server.frame_max, 60))
            case commands.Connection.Open():
                self.send(0, commands.Connection.OpenOk())
            case commands.Queue.Declare():
                waiting, consumers = len(self.server.waiting), self.server.consumers(self)
                self.send(channel, commands.Queue.DeclareOk(frame.queue, waiting, consumers))
            case commands.Basic.Consume():
                self.consumers[frame.consumer_tag] = channel
                self.send(channel, commands.Basic.ConsumeOk(frame.consumer_tag))
                self.give()
            case commands.Basic.Ack():
                settled = [each for each in self.unacknowledged if each <= frame.delivery_tag]
                for tag in settled if frame.multiple else [frame.delivery_tag]:
                    self.unacknowledged.pop(tag, None)
            case commands.Basic.Cancel():
                self.consumers.pop(frame.consumer_tag, None)
                if not frame.nowait:
                    self.send(channel, commands.Basic.CancelOk(frame.consumer_tag))
            case commands.Basic.Publish():
                await self._content()
                self.published += 1
                self.send(channel, commands.Basic.Ack(self.published))
            case _ if frame.synchronous:
                (answer,) = frame.valid_responses
                self.send(channel, commands.INDEX_MAPPING[_index(answer)]())

    async def _content(self) -> None:
        _, header = await self._next()
        assert isinstance(header, ContentHeader)
        left = header.body_size
        while left > 0:
            _, body = await self._next()
            if not isinstance(body, Heartbeat):
                assert isinstance(body, ContentBody)
                left -= len(body.value)

    def give(self) -> None:
        """What waits, to the consumer."""
        for tag, channel in self.consumers.items():
            while self.server.waiting:
                message = self.server.waiting.pop(0)
                self.tag += 1
                self.unacknowledged[self.tag] = message
                again = message.redelivered
                self.send(channel, commands.Basic.Deliver(tag, self.tag, again, "", "fact"))
                self.content(channel, message)

    def content(self, channel: int, message: Waiting) -> None:
        """Header and body of one message, in frames of the size that was agreed."""
        size = len(message.body) if message.size is None else message.size
        properties = commands.Basic.Properties(
            headers=message.headers or None, message_id="made-up"
        )
        self.send(channel, ContentHeader(body_size=size, properties=properties))
        step = min(self.server.frame_max or 131_072, 131_072) - 8
        for start in range(0, len(message.body), step):
            self.send(channel, ContentBody(message.body[start : start + step]))


def _index(name: str) -> int:
    return next(index for index, kind in commands.INDEX_MAPPING.items() if kind.name == name)
