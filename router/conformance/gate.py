"""A misbehaving network in front of a real server: what can befall any connection over TCP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from router.conformance.certificates import CertificateAuthority
from router.conformance.harness import Connections
from router.conformance.situations import NETWORK, SECURE, Situation

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What a server does with one connection; when it comes back, the connection is closed."""
RUBBISH = b"\x00\xff\xfe<<< no answer at all >>>\r\n\r\n"
FLOOD = 8 * 1024 * 1024
"""Bytes of what is no answer."""
_PIECE = 65_536
_STAYS = {Situation.MUTE, Situation.SILENT, Situation.DRIPS, Situation.FLOODS}
"""In these it is up to the adapter to end a connection."""
_ROUGH = {Situation.HANGS_UP, *_STAYS}
"""In these connections end as if they were cut."""
_ENDS = {Situation.TAKES, Situation.AWAY, Situation.DROPS, *SECURE}
"""With these all connections end."""


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """A server on 127.0.0.1 in this event loop; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, EOFError, ValueError):  # the other side has gone, or babbles
                await serve(reader, writer)
            writer.close()
        except BaseException:
            writer.transport.abort()
            raise

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.create_task(one(reader, writer)))
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, limit=2**26)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await _ended(tasks)


class Gate:
    """Stands at a port of its own before the server at `host` and `port`; closed when it is left.

    It knows nothing of what is spoken there. `authority`: makes it able to speak TLS itself, to a
    server that has none; `always` from the beginning, and with `clients` (CAs) it asks for
    certificates of theirs.
    """

    def __init__(
        self,
        host: str,
        port: int,
        authority: CertificateAuthority | None = None,
        *,
        always: bool = False,
        clients: Path | None = None,
    ) -> None:
        self._behind = host, port
        self._authority, self._always, self._clients = authority, always, clients
        self._situation = Situation.TAKES
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self._reached = asyncio.Event()
        self._made = 0
        self.port = 0
        """Where it listens, on 127.0.0.1."""

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._deaf()
        await _ended(self._pairs)

    async def turn(self, situation: Situation) -> None:
        """Do what it can for this: all of `NETWORK` and `SECURE`; in others it lets pass."""
        self._situation = situation
        if situation in _ENDS or situation not in NETWORK:
            await _ended(self._pairs)
        self._reached.clear()
        self._deaf()
        if situation is not Situation.AWAY:
            await self._listen()

    async def reached(self) -> None:
        """Come back when somebody has connected, or sent something, since the last `turn`."""
        await self._reached.wait()

    def connections(self) -> Connections:
        """How many there are, and were."""
        return Connections(self._made, len(self._pairs))

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._begin, "127.0.0.1", self.port, ssl=self._tls(), backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def _deaf(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _tls(self) -> ssl.SSLContext | None:
        situation = self._situation if self._situation in SECURE else Situation.TLS
        if self._situation not in SECURE and not self._always:
            return None
        assert self._authority is not None, "a Gate needs an `authority` for TLS"
        return self._authority.server(situation, self._clients)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made += 1
        self._reached.set()
        self._pairs.add(task := asyncio.create_task(self._pass_on(reader, writer)))
        task.add_done_callback(self._pairs.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner, behind = await asyncio.open_connection(*self._behind)
            try:
                up = asyncio.create_task(self._up(reader, behind))
                try:
                    await self._down(inner, writer)
                    if self._situation in _STAYS:
                        await up
                finally:
                    up.cancel()
            finally:
                behind.transport.abort()
            if self._situation not in _ROUGH:
                writer.close()
                await writer.wait_closed()
        except OSError:
            pass  # one side has gone
        finally:
            writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, behind: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while came := await reader.read(_PIECE):
                self._reached.set()
                if self._situation is not Situation.SILENT:
                    behind.write(came)
                    await behind.drain()
            behind.write_eof()

    async def _down(self, inner: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = 0
        while came := await inner.read(_PIECE):
            match self._situation:
                case Situation.SILENT | Situation.MUTE:
                    continue
                case Situation.HANGS_UP:
                    return
                case Situation.GARBAGE:
                    writer.write(RUBBISH)
                    await writer.drain()
                    writer.close()
                    return
                case Situation.SLOW:
                    size = max(1, len(came) // 20)
                    for start in range(0, len(came), size):
                        await _write(writer, came[start : start + size], 0.005)
                case Situation.DRIPS:
                    for place in range(min(8 - told, len(came) // 2)):
                        await _write(writer, came[place : place + 1], 0.01)
                        told += 1
                case Situation.FLOODS:
                    for _ in range(FLOOD // _PIECE):
                        await _write(writer, b"x" * _PIECE, 0)
                case _:
                    await _write(writer, came, 0)


async def _write(writer: asyncio.StreamWriter, data: bytes, pause: float) -> None:
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(pause)


async def _ended(tasks: set[asyncio.Task[None]]) -> None:
    for task in (left := [*tasks]):
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
