"""The recipients' side of RabbitMQ: an exchange, a queue for each user, and what came into it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import aio_pika
from aio_pika.abc import AbstractQueue

EXCHANGE = "alerts"


def queue_of(user: str) -> str:
    """The name of a user's queue."""
    return f"{EXCHANGE}.{user}"


async def make_queues(url: str, users: Sequence[str]) -> None:
    """What a recipient would have made: an exchange and a durable queue for each."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
        for user in users:
            queue = await channel.declare_queue(queue_of(user), durable=True)
            await queue.bind(exchange, user)


async def empty_queues(url: str, paths: Mapping[str, str], log: Path) -> int:
    """Append what is in these queues to a log as receivers write it; how many messages.

    `paths` has, for each queue, what stands where a receiver has the path of a request.
    """
    taken = 0
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=2000)
        with log.open("ab") as out:
            for name, path in paths.items():
                queue = await channel.declare_queue(name, passive=True)
                lines = await _take_all(queue, path)
                out.writelines(lines)
                taken += len(lines)
    return taken


async def _take_all(queue: AbstractQueue, path: str) -> list[bytes]:
    lines: list[bytes] = []
    count = queue.declaration_result.message_count or 0
    if not count:
        return lines
    async with queue.iterator(no_ack=True) as messages:
        async for message in messages:
            number = message.message_id or ""
            digest = hashlib.sha256(message.body).hexdigest()
            fields = (f"{time.time():.6f}", path, number, "200", digest)
            lines.append("\t".join(fields).encode() + b"\t" + message.body + b"\n")
            if len(lines) == count:
                break
    return lines


class Watched:
    """Queues whose messages are counted while they come in: what the recipients have."""

    def __init__(self, url: str, names: Sequence[str]) -> None:
        self._names = names
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(_connect(url))
        self._channel = self._runner.run(_channel(self._connection))

    def counts(self) -> tuple[int, ...]:
        """Messages in each, those that were given out and not acknowledged left out."""

        async def ask() -> tuple[int, ...]:
            asked = [self._channel.declare_queue(each, passive=True) for each in self._names]
            queues = await asyncio.gather(*asked)
            return tuple(each.declaration_result.message_count or 0 for each in queues)

        return self._runner.run(ask())

    def purge(self) -> None:
        """Nothing of an earlier run is left in them."""

        async def purge() -> None:
            for each in self._names:
                await (await self._channel.declare_queue(each, passive=True)).purge()

        self._runner.run(purge())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


async def _connect(url: str) -> aio_pika.abc.AbstractConnection:
    # nobody answers heartbeats between two questions; 0 is taken for the default
    return await aio_pika.connect(f"{url}?heartbeat=3600")


async def _channel(
    connection: aio_pika.abc.AbstractConnection,
) -> aio_pika.abc.AbstractChannel:
    return await connection.channel()
