"""The recipients' side of RabbitMQ: an exchange, a queue for each user, and what came into it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import aio_pika

EXCHANGE = "alerts"


async def make_queues(url: str, users: Sequence[str]) -> None:
    """What a recipient would have made: an exchange and a durable queue for each."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
        for user in users:
            queue = await channel.declare_queue(f"{EXCHANGE}.{user}", durable=True)
            await queue.bind(exchange, user)


async def empty_queues(url: str, users: Sequence[str], log: Path) -> int:
    """Append what is in the users' queues to the receiver's log; how many messages."""
    taken = 0
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=2000)
        with log.open("ab") as out:
            for user in users:
                queue = await channel.declare_queue(f"{EXCHANGE}.{user}", passive=True)
                count = queue.declaration_result.message_count or 0
                if not count:
                    continue
                async with queue.iterator(no_ack=True) as messages:
                    async for message in messages:
                        fields = (
                            f"{time.time():.6f}",
                            f"/alerts/{user}",
                            message.message_id or "",
                            "200",
                            hashlib.sha256(message.body).hexdigest(),
                        )
                        out.write("\t".join(fields).encode() + b"\t" + message.body + b"\n")
                        taken += 1
                        count -= 1
                        if not count:
                            break
    return taken
