"""The other sides that misbehave: one way of it on each port of this machine.

In a process of its own, so that what it does to the router is not done to those who measure it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

Side = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def provisional(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """100 Continue without end."""
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
        await writer.drain()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes all, says nothing."""
    while await reader.read(65_536):
        pass


async def drop_by_drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer, one byte a second."""
    await reader.readuntil(b"\r\n\r\n")
    for byte in b"HTTP/1.1 204 No Content\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def hangs_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Reads, and goes without a word."""
    await reader.readuntil(b"\r\n\r\n")


async def fails(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """500, always."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """200, and a body that does not end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A header that does not end."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def too_many(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """429, to be asked again at once."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()


async def huge_frame(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A broker: a frame of 4 GB."""
    await reader.read(8)
    writer.write(b"\x01\x00\x00\xff\xff\xff\xf0")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


HTTP: tuple[Side, ...] = (
    provisional,
    silent,
    drop_by_drop,
    hangs_up,
    fails,
    endless_body,
    endless_header,
    too_many,
)


async def serve(side: Side) -> tuple[asyncio.Server, int]:
    """Have this side on a port of its own."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await side(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**20)
    return server, server.sockets[0].getsockname()[1]


async def main() -> None:
    """All of them until killed; the first line on standard output is their ports."""
    serving = [await serve(side) for side in (*HTTP, huge_frame)]
    print(*(port for _, port in serving), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
