"""The queue of facts of one row: made as the router makes it, filled with confirmed messages."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Iterable, Sequence

import aio_pika
import market

from adapters.rabbitmq.topology import QueueOptions, prepare
from faults.points import MARK

HUBS = 60
COUNTED_S = 15.0
"""A quorum queue counts some seconds late."""


def body(number: int) -> bytes:
    """The fact with this number."""
    fact = market.activation(number, hubs=HUBS)
    return json.dumps(fact, separators=(",", ":")).encode()


def marked(number: int) -> bytes:
    """The fact with this number, with the version at which the launcher strikes."""
    fact = market.activation(number, hubs=HUBS)
    fact["data"]["firmware_version"] = MARK
    return json.dumps(fact, separators=(",", ":")).encode()


class Facts:
    """One queue on the broker at this URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"faults.{secrets.token_hex(4)}"
        self.sent = 0
        """So many were confirmed."""
        asyncio.run(self._make())

    def send(self, bodies: Iterable[bytes]) -> None:
        """All are confirmed when it returns."""
        asyncio.run(self._send(list(bodies)))

    def source(self, url: str = "") -> dict[str, str]:
        """What a configuration says to read it, perhaps through a proxy."""
        names = {"queue": self.name, "exchange": self.name}
        return {"adapter": "rabbitmq", "url": url or self.url, **names}

    def waiting(self) -> int:
        """How many wait and are in nobody's hands, as the broker counts at this moment."""
        return asyncio.run(self._waiting())

    def left(self, awaited: int = 0) -> int:
        """The same, once the broker has counted; what is `awaited` is taken at once."""
        give_up = time.monotonic() + COUNTED_S
        while (found := self.waiting()) != awaited and time.monotonic() < give_up:
            time.sleep(0.25)
        return found

    async def _make(self) -> None:
        async with await aio_pika.connect(self.url) as connection:
            options = QueueOptions.model_validate(
                {"url": self.url, "queue": self.name, "exchange": self.name}
            )
            await prepare(await connection.channel(), options)

    async def _send(self, bodies: Sequence[bytes]) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(self.name, ensure=False)
            for each in bodies:  # one by one: their order is that of the row
                message = aio_pika.Message(each, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, "fact")
                self.sent += 1

    async def _waiting(self) -> int:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(self.name, passive=True)
            return queue.declaration_result.message_count or 0
