"""Where the Alerts of a chaos run arrive: a moody HTTP receiver, folders, a queue of RabbitMQ.

Every request is written down before it is answered, so what the sender may know as delivered is on
record here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import aio_pika
from chaos_estate import device_id

QUEUE = "chaos"
REFUSED = frozenset(device_id(number) for number in range(7, 100_000, 60))
"""Hubs that the receiver always answers 422 for."""
SPANS = {"1/strict": 1, "2/wide": 16, "3/batch": 40, "5/rate": 4, "7/small": 12, "8/queue": 80}
"""How many Alerts may be under way in a sink: its window times its batch."""


@dataclass(frozen=True)
class Receipt:
    """One message as it came."""

    at: float
    sink: str
    """Whose it is and what it is, such as 3/batch, 4/folder, 8/queue."""
    message_id: str
    body: bytes
    status: int
    """What was answered; 0 when the connection was broken off without an answer."""

    @property
    def accepted(self) -> bool:
        """Whether the sender could know that it arrived."""
        return 200 <= self.status < 300

    def events(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Each Alert in it with exactly its own bytes, which a batch holds side by side."""
        text = self.body.decode()
        if not text.startswith("["):
            yield json.loads(text), self.body
            return
        decoder, place = json.JSONDecoder(), 1
        while text[place - 1] != "]":
            event, end = decoder.raw_decode(text, place)
            yield event, text[place:end].encode()
            place = end + 1


class Moods:
    """How the receiver answers: mostly well, unless a hub in the request is one that it refuses."""

    def __init__(self, seed: int, refused: frozenset[str]) -> None:
        self.healthy = False
        self._draw = Random(seed)
        self._refused = [device.encode() for device in refused]
        self._lock = threading.Lock()

    def answer(self, body: bytes) -> tuple[int, dict[str, str], float]:
        """Status (0: hang up), headers, and the seconds to think before."""
        if self.healthy:
            return 204, {}, 0.0
        if any(device in body for device in self._refused):
            return 422, {}, 0.0
        with self._lock:
            mood = self._draw.random()
            thinks = self._draw.random() * 0.2 if self._draw.random() < 0.2 else 0.0
        bad: tuple[tuple[float, int, dict[str, str]], ...] = (
            (0.010, 500, {}),
            (0.020, 429, {"Retry-After": "1"}),
            (0.025, 503, {"Retry-After": "1"}),
            (0.030, 503, {}),
            (0.040, 0, {}),
            (0.042, 401, {}),
        )
        for up_to, status, headers in bad:
            if mood < up_to:
                return status, headers, thinks
        return 204, {}, thinks


class Receiver:
    """An HTTP server of this process that remembers everything it was sent."""

    def __init__(self, moods: Moods) -> None:
        self.moods = moods
        self.receipts: list[Receipt] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, thinks = receiver.moods.answer(body)
                message = self.headers.get("webhook-id", "")
                receiver.receipts.append(Receipt(time.time(), self.path[1:], message, body, status))
                time.sleep(thinks)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {**headers, "Content-Length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the receipts are the log."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_: object) -> None:
                """The sender was killed while it was answered, on purpose."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def from_folders(alerts: Path) -> list[Receipt]:
    """What lies in the folders of Alerts; a folder shows no duplicates and no order."""
    return [
        Receipt(file.stat().st_mtime, f"{file.parent.name}/folder", "", file.read_bytes(), 200)
        for file in sorted(alerts.glob("*/*.json"))
    ]


async def make_queue(url: str, name: str) -> None:
    """A durable queue, which the default exchange serves by its name."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(name, durable=True)


async def from_queue(url: str, name: str) -> list[Receipt]:
    """Everything in the queue, in its order."""
    found: list[Receipt] = []
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, durable=True)
        while message := await queue.get(fail=False):
            said = message.message_id or ""
            found.append(Receipt(time.time(), "8/queue", said, message.body, 200))
            await message.ack()
    return found


def read_queue(url: str, name: str) -> list[Receipt]:
    """`from_queue`, for those who do not run a loop."""
    return asyncio.run(from_queue(url, name))


@contextmanager
def broker(wanted: bool) -> Iterator[str | None]:
    """The URL of a node of our own, if one is wanted."""
    if not wanted:
        yield None
        return
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.broker import Broker  # noqa: PLC0415 - its needs are only for this option

    with Broker() as node:
        asyncio.run(make_queue(node.url, QUEUE))
        yield node.url
