"""What a raw aiohttp program does with the same messages: each is POSTed to three receivers.

Consume from the queue, three POSTs, multiple acknowledgement; no rules, no store, no retries.

    python benchmarks/yardsticks/raw_http.py --amqp amqp://127.0.0.1/ --to http://127.0.0.1:8900
"""

from __future__ import annotations

import argparse
import asyncio

import aio_pika
import aiohttp
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from yardsticks.raw_amqp import BLOCK, PREFETCH, SOURCE

PATHS = ("/0", "/1", "/2")


async def post_through(url: str, receiver: str) -> None:
    """Until it is stopped; as many requests under way as Hubherald has lanes' windows."""
    async with (
        await aio_pika.connect(url) as connection,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=48)) as session,
    ):
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        source = await channel.declare_queue(SOURCE, passive=True)
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await source.consume(arrived.put)

        async def post(path: str, message: AbstractIncomingMessage) -> None:
            async with session.post(receiver + path, data=message.body) as answer:
                answer.raise_for_status()

        while True:
            messages = [await arrived.get()]
            while len(messages) < BLOCK and not arrived.empty():
                messages.append(arrived.get_nowait())
            await asyncio.gather(*(post(path, each) for each in messages for path in PATHS))
            await messages[-1].ack(multiple=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True, help="URL of the broker")
    parser.add_argument("--to", required=True, help="URL of the receiver")
    given = parser.parse_args()
    uvloop.run(post_through(given.amqp, given.to))


if __name__ == "__main__":
    main()
