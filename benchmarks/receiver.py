"""A webhook receiver that remembers everything it was sent, whatever happens to the sender.

It runs in a process of its own and appends one line to its log, at once and unbuffered, for each
request: received at (seconds since 1970), path, webhook-id, status answered, SHA-256 of the body,
body. The line is written before the answer, so what the sender knows as delivered is in the log.
It reads HTTP/1.1 itself, as much of it as senders of webhooks use: a receiver that takes longer
than its senders would be what is measured.

    python benchmarks/receiver.py --log received.tsv --port 8900
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import cast

import uvloop

REASONS = {204: b"No Content", 503: b"Service Unavailable"}
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MESSAGE = re.compile(rb"\r\nwebhook-id: *([^\r]*)", re.IGNORECASE)


class Receiver:
    """Answers 204, after `delay` seconds; or, for a share `failures` of the requests, 503."""

    def __init__(self, log: Path, *, delay: float, failures: float, seed: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.delay = delay
        self._failures = failures
        self._draw = Random(seed)

    def note(self, path: bytes, message: bytes, body: bytes) -> bytes:
        """Write the request down; the answer to it."""
        status = 503 if self._failures and self._draw.random() < self._failures else 204
        digest = hashlib.sha256(body).hexdigest()
        # A tab or a newline can only stand between JSON's own marks: its strings escape them.
        flat = body.replace(b"\n", b" ").replace(b"\t", b" ")
        at = f"{time.time():.6f}".encode()
        fields = (at, path, message, str(status).encode(), digest.encode(), flat)
        os.write(self._log, b"\t".join(fields) + b"\n")
        length = b"" if status == 204 else b"Content-Length: 0\r\n"
        return b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, REASONS[status], length)


class Sender(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(
            asyncio.Transport, transport
        )  # uvloop's own does not descend from it

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            length = LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._unread) < stop:
                return
            body, self._unread = self._unread[end + 4 : stop], self._unread[stop:]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        message = MESSAGE.search(head)
        path = head.split(b" ", 2)[1]
        if self._receiver.delay:
            answer = partial(self._answer, path, message[1] if message else b"", body)
            asyncio.get_running_loop().call_later(self._receiver.delay, answer)
        else:
            self._answer(path, message[1] if message else b"", body)

    def _answer(self, path: bytes, message: bytes, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(self._receiver.note(path, message, body))


async def serve(receiver: Receiver, port: int) -> None:
    """Receive until SIGTERM; the first line on standard output is the port."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: Sender(receiver), "127.0.0.1", port, backlog=1024, reuse_address=True
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--failures", type=float, default=0.0, help="share answered with 503")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    receiver = Receiver(given.log, delay=given.delay, failures=given.failures, seed=given.seed)
    uvloop.run(serve(receiver, given.port))


if __name__ == "__main__":
    main()
