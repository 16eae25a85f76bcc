"""The Service Users' side: takes webhooks for all of them, each in the mood that a row gives it.

Every request is written down before it is answered, in the form that `proof.py` reads. It is one
thread of the suite, and so outlives every router.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MESSAGE = re.compile(rb"\r\nwebhook-id: *([^\r]*)", re.IGNORECASE)
RESET = struct.pack("ii", 1, 0)


class Then(Enum):
    """What becomes of the connection after the answer."""

    STAYS = "stays"
    RESETS = "resets"
    HANGS = "hangs"
    """Nothing more is said on it, for as long as the other side waits."""


@dataclass(frozen=True)
class Answer:
    """How one request is answered."""

    status: int = 204
    """As it is written down: 2xx when the recipient has it, whatever the sender hears."""
    said: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    then: Then = Then.STAYS
    drips: float = 0.0
    """Seconds from one byte to the next that comes behind, without end; 0: none comes."""


WELL = Answer()
Mood = Callable[[int], Answer]
"""The answer to a user's first, second ... request (from 1)."""


def refusing(status: int, *lines: str) -> Answer:
    """A status and further header lines."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} No", *lines, "Content-Length: 0"))
    return Answer(status, f"{head}\r\n".encode())


def _well(_number: int) -> Answer:
    return WELL


class Recipients:
    """Listens on loopback, without TLS and, where asked for, with."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.moods: dict[str, Mood] = {}
        self.requests: dict[str, int] = defaultdict(int)
        """By user."""
        self.at: dict[str, list[float]] = defaultdict(list)
        """When they came, monotonic seconds, by user."""
        self.taken: dict[str, set[str]] = defaultdict(set)
        """By user: the ids of the Alerts that it has."""
        self.on_receipt: Callable[[str], None] = lambda _user: None
        """Told of each request before it is answered."""
        self._descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listen(None)}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        os.close(self._descriptor)

    def with_tls(self, context: ssl.SSLContext) -> str:
        """One more listener; gives its URL. What the context shows may change while it runs."""
        return f"https://127.0.0.1:{self._listen(context)}"

    def have(self, *users: str) -> int:
        """How many Alerts these have, or all of them, each counted once."""
        return sum(len(self.taken[user]) for user in users or tuple(self.taken))

    def _listen(self, context: ssl.SSLContext | None) -> int:
        started = asyncio.run_coroutine_threadsafe(self._start(context), self._loop)
        return started.result(10)

    async def _start(self, context: ssl.SSLContext | None) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context, backlog=512)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._take(reader, writer):
                pass
        writer.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False when the connection is over."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        path = head.split(b" ", 2)[1].decode()
        user = path.rpartition("/")[2]
        self.requests[user] += 1
        self.at[user].append(time.monotonic())
        answer = self.moods.get(user, _well)(self.requests[user])
        message = MESSAGE.search(head)
        self._note(path, message[1].decode() if message else "", answer.status, body)
        self.on_receipt(user)
        writer.write(answer.said)
        await writer.drain()
        while answer.drips:
            await asyncio.sleep(answer.drips)
            writer.write(b"x")
            await writer.drain()
        if answer.then is Then.HANGS:
            await reader.read()
        elif answer.then is Then.RESETS:
            plain = writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return answer.then is Then.STAYS

    def _note(self, path: str, message: str, status: int, body: bytes) -> None:
        note(self._descriptor, path, message, status, body)
        if 200 <= status < 300:
            event = json.loads(body)
            self.taken[event["data"]["service_user_id"]].add(event["id"])


def note(log: int, path: str, message: str, status: int, body: bytes) -> None:
    """Append a line as `proof.py` reads it to an open log."""
    digest = hashlib.sha256(body).hexdigest()
    flat = body.decode().replace("\n", " ").replace("\t", " ")
    fields = (f"{time.time():.6f}", path, message, str(status), digest, flat)
    os.write(log, ("\t".join(fields) + "\n").encode())
