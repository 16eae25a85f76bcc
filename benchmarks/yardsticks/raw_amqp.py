"""What a raw aio-pika program does with the same messages: no rules, no store, no retries.

Consume, three confirmed publishes, multiple acknowledgement, in blocks. As a program it does so
until it is stopped; `rate` measures it in this process.

    python benchmarks/yardsticks/raw_amqp.py --amqp amqp://127.0.0.1/
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence

import aio_pika
import uvloop
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

SOURCE = "yardstick"
TARGETS = tuple(f"{SOURCE}.{number}" for number in range(3))
PREFETCH = 500
BLOCK = 100


async def declare(channel: AbstractChannel) -> aio_pika.abc.AbstractQueue:
    """Its queues and its exchange; gives the queue that it takes from."""
    source = await channel.declare_queue(SOURCE, durable=True, arguments={"x-queue-type": "quorum"})
    exchange = await channel.declare_exchange(SOURCE, "topic", durable=True)
    for name in TARGETS:
        target = await channel.declare_queue(name, durable=True)
        await target.bind(exchange, name)
    return source


async def preload(channel: AbstractChannel, queue: str, bodies: Sequence[bytes]) -> None:
    """Publish straight to a queue, with confirms."""
    for start in range(0, len(bodies), 200):
        some = bodies[start : start + 200]
        await asyncio.gather(
            *(channel.default_exchange.publish(persistent(body), queue) for body in some)
        )


async def pass_through(channel: AbstractChannel, most: int | None = None) -> None:
    """So many messages, or until it is stopped."""
    await channel.set_qos(prefetch_count=PREFETCH)
    source = await declare(channel)
    exchange = await channel.get_exchange(SOURCE, ensure=False)
    arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    consumer = await source.consume(arrived.put)
    done = 0
    while most is None or done < most:
        messages = [await arrived.get()]
        while len(messages) < BLOCK and not arrived.empty():
            messages.append(arrived.get_nowait())
        await asyncio.gather(
            *(
                exchange.publish(persistent(message.body), name, mandatory=True)
                for message in messages
                for name in TARGETS
            )
        )
        await messages[-1].ack(multiple=True)
        done += len(messages)
    await source.cancel(consumer)


async def rate(url: str, bodies: Sequence[bytes]) -> float:
    """Messages a second that it passes on from a full queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        source = await declare(channel)
        await preload(channel, SOURCE, bodies)
        started = time.perf_counter()
        await pass_through(channel, len(bodies))
        seconds = time.perf_counter() - started
        for name in (source.name, *TARGETS):
            await channel.queue_delete(name)
    return len(bodies) / seconds


def persistent(body: bytes) -> aio_pika.Message:
    return aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)


async def forever(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        await pass_through(await connection.channel())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True, help="URL of the broker")
    uvloop.run(forever(parser.parse_args().amqp))


if __name__ == "__main__":
    main()
