"""Receivers on 127.0.0.1 for the tests of channels: real HTTP, real TLS, and real misbehaviour."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talking = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """One request as it came in."""

    headers: dict[str, str]
    body: bytes
    peer: str
    """The connection that it came on."""


@dataclass
class Receiver:
    """Where it listens and what it got."""

    url: str
    received: list[Received] = field(default_factory=list)

    @property
    def connections(self) -> int:
        return len({each.peer for each in self.received})


async def no_content(request: web.Request) -> web.StreamResponse:
    """The answer of a receiver to whom nothing is to be said against."""
    return web.Response(status=204)


@asynccontextmanager
async def receiving(
    answer: Answering = no_content, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """An HTTP server that keeps what it gets and answers as it is told."""
    receiver = Receiver("")

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peer = str(request.transport.get_extra_info("peername"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        receiver.received.append(Received(headers, await request.read(), peer))
        return await answer(request)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/receive"
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Line:
    """A bare TCP (or TLS) end: its port, and every byte that came."""

    port: int
    got: bytearray = field(default_factory=bytearray)
    connections: int = 0


@asynccontextmanager
async def talking(talk: Talking | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Line]:
    """A server below HTTP: reads what comes, then does what `talk` does."""
    line = Line(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line.connections += 1
        try:
            line.got += await reader.read(65_536)
            if talk is not None:
                await talk(reader, writer)
        except OSError:
            pass  # the other side hung up
        finally:
            writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
