"""Publishes made-up facts to a queue at an even pace, and writes down when.

In a process of its own. It says `ready` when it is connected, and waits for a line on standard
input. Its log gets a line for each fact: its number, and when it was given to the broker (seconds
since 1970).

    python benchmarks/feeder.py --amqp URL --queue NAME --count 1000 --pace 200 --log sent.tsv
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import aio_pika
import uvloop
from market import activation


async def feed(given: argparse.Namespace) -> None:
    """All of them; each confirmed by the end."""
    numbers = range(given.first, given.first + given.count)
    bodies = [json.dumps(activation(each), separators=(",", ":")).encode() for each in numbers]
    sent: list[float] = []
    async with await aio_pika.connect(given.amqp) as connection:
        exchange = (await connection.channel()).default_exchange

        async def publish(body: bytes) -> None:
            mode = aio_pika.DeliveryMode.PERSISTENT
            message = aio_pika.Message(body, delivery_mode=mode, content_type="application/json")
            await exchange.publish(message, given.queue)

        print("ready", flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as publishing:
            for place, body in enumerate(bodies):
                ahead = began + place / given.pace - time.perf_counter()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                sent.append(time.time())
                publishing.create_task(publish(body))
    with given.log.open("a") as log:
        log.writelines(f"{each}\t{at:.6f}\n" for each, at in zip(numbers, sent, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True, help="URL of the broker")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--first", type=int, default=0, help="number of the first fact")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--pace", type=float, required=True, help="facts a second")
    parser.add_argument("--log", type=Path, required=True)
    uvloop.run(feed(parser.parse_args()))


if __name__ == "__main__":
    main()
