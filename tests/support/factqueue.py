"""Queues of facts on a real broker, each of one test alone, and who reads them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions
from router.ports import Message
from support.broker import Broker

PATIENCE_S = 60.0
"""Nothing takes as long; it is there to fail."""


class FactQueue:
    """An exchange with a queue, of one test alone."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.name = f"facts.{secrets.token_hex(4)}"

    def source(self, **more: Any) -> RabbitSource:
        given = {"url": self.broker.url, "queue": self.name, "exchange": self.name, **more}
        return RabbitSource("dsp", RabbitSourceOptions.model_validate(given))

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        async with await aio_pika.connect(self.broker.url) as connection:
            yield await connection.channel()

    async def publish(self, numbers: Sequence[int]) -> None:
        """To the exchange; all are confirmed when it returns."""
        async with self.channel() as channel:
            exchange = await channel.get_exchange(self.name, ensure=False)
            await asyncio.gather(
                *(exchange.publish(aio_pika.Message(b"%d" % number), "fact") for number in numbers)
            )

    async def waiting(self, queue: str = "") -> int:
        """How many messages wait, by the broker's exact count."""
        async with self.channel() as channel:
            found = await channel.declare_queue(queue or self.name, passive=True)
            return found.declaration_result.message_count or 0

    async def holds(self, count: int) -> None:
        """So many wait: the broker counts what is acknowledged or given back a moment later."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.waiting() != count:  # noqa: ASYNC110 - only the broker knows
                await asyncio.sleep(0.05)

    def all_acknowledged(self) -> bool:
        """Whether nothing waits here or is in anybody's hands."""
        listed = self.broker.control("list_queues", "name", "messages").splitlines()
        return f"{self.name}\t0" in listed


class Reader:
    """Takes what a source gives, as the intake does."""

    def __init__(self, source: RabbitSource, *, acknowledging: bool) -> None:
        self.source = source
        self.messages: list[Message] = []
        self.acknowledging = acknowledging
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for message in self.source.messages({}):
            kept = message.bounded()
            self.messages.append(kept)
            if self.acknowledging:
                await self.source.acknowledge([kept])

    @property
    def numbers(self) -> list[int]:
        return [int(each.body) for each in self.messages]

    async def until(self, count: int) -> list[Message]:
        """Waits for that many in all."""
        await until(lambda: len(self.messages) >= count)
        return self.messages

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.005)


@asynccontextmanager
async def reading(source: RabbitSource, *, acknowledging: bool = True) -> AsyncIterator[Reader]:
    """A source at work, from when it is connected."""
    async with source:
        reader = Reader(source, acknowledging=acknowledging)
        await until(lambda: source.link().up)
        yield reader
        await reader.stop()
