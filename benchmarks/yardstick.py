"""What a raw aio-pika program does with the same messages: no rules, no store, no retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aio_pika


async def pass_through(url: str, bodies: Sequence[bytes], *, block: int = 100) -> float:
    """Messages a second of raw aio-pika: consume, three confirmed publishes, multiple ack."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=500)
        source = await channel.declare_queue(
            "yardstick", durable=True, arguments={"x-queue-type": "quorum"}
        )
        exchange = await channel.declare_exchange("yardstick", "topic", durable=True)
        targets = []
        for number in range(3):
            target = await channel.declare_queue(f"yardstick.{number}", durable=True)
            await target.bind(exchange, str(number))
            targets.append(target)
        for start in range(0, len(bodies), 200):
            await asyncio.gather(
                *(
                    channel.default_exchange.publish(_persistent(body), source.name)
                    for body in bodies[start : start + 200]
                )
            )
        arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        started = time.perf_counter()
        consumer = await source.consume(arrived.put)
        done = 0
        while done < len(bodies):
            messages = [await arrived.get()]
            while len(messages) < block and not arrived.empty():
                messages.append(arrived.get_nowait())
            await asyncio.gather(
                *(
                    exchange.publish(_persistent(message.body), str(number), mandatory=True)
                    for message in messages
                    for number in range(3)
                )
            )
            await messages[-1].ack(multiple=True)
            done += len(messages)
        seconds = time.perf_counter() - started
        await source.cancel(consumer)
        for each in (source, *targets):
            await each.delete(if_unused=False, if_empty=False)
    return len(bodies) / seconds


def _persistent(body: bytes) -> aio_pika.Message:
    return aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
