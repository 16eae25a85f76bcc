"""The same job in FastStream: plain ifs decide, three sends for each message, no store.

It runs in an environment of its own (`having.py`). With `--to` it POSTs with aiohttp, else it
publishes, persistent and with confirms.

    .cache/faststream/bin/python benchmarks/yardsticks/on_faststream.py --amqp amqp://127.0.0.1/
"""

from __future__ import annotations

import argparse
from typing import Any

import aiohttp
import uvloop
from faststream import FastStream
from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitQueue,
)

SOURCE = "yardstick"
ROLES = ("import_supplier", "export_supplier", "gas_supplier")


def alert_for(role: str, fact: dict[str, Any]) -> dict[str, Any] | None:
    """What the shipped rules come to, as one would write it by hand."""
    data = fact["data"]
    if fact["type"] != "hubherald.firmware.activated.v1" or data["outcome"] != "success":
        return None
    if role not in ROLES:
        return None
    return {"id": f"{fact['id']}-{role}", "alert_code": "N64", "role": role, "data": data}


def application(url: str, receiver: str | None) -> FastStream:
    """The program; it ends with SIGTERM."""
    broker = RabbitBroker(url, default_channel=Channel(prefetch_count=500), logger=None)
    queue = RabbitQueue(SOURCE, queue_type=QueueType.QUORUM, durable=True)
    exchange = RabbitExchange(SOURCE, type=ExchangeType.TOPIC, durable=True)
    program = FastStream(broker, logger=None)
    session: list[aiohttp.ClientSession] = []

    @program.after_startup
    async def open_session() -> None:
        session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=48)))

    @broker.subscriber(queue)
    async def route(fact: dict[str, Any]) -> None:
        for number, role in enumerate(ROLES):
            alert = alert_for(role, fact)
            if alert is None:
                continue
            if receiver is None:
                name = f"{SOURCE}.{number}"
                await broker.publish(alert, exchange=exchange, routing_key=name, persist=True)
            else:
                async with session[0].post(f"{receiver}/{number}", json=alert) as answer:
                    answer.raise_for_status()

    return program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amqp", required=True, help="URL of the broker")
    parser.add_argument("--to", help="URL of a receiver of webhooks")
    given = parser.parse_args()
    uvloop.run(application(given.amqp, given.to).run())


if __name__ == "__main__":
    main()
