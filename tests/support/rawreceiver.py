"""A receiver below HTTP that answers in given bytes: as untidy as they come in the field."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG_UP = None
"""In place of an answer: the connection ends without a byte."""


@dataclass
class RawReceiver:
    """Where it listens, and every request as it came, with the number of its connection."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    on: list[int] = field(default_factory=list)

    @property
    def targets(self) -> list[str]:
        """What was asked for, as it stood in the request line."""
        return [each.split(b" ", 2)[1].decode("ascii") for each in self.requests]


@asynccontextmanager
async def answering(
    answers: Sequence[bytes | None],
    tls: ssl.SSLContext | None = None,
    *,
    closes: bool = False,
    path: str = "/receive",
) -> AsyncIterator[RawReceiver]:
    """Gives the answers in their order, the last one for ever; `closes` after each of them."""
    receiver = RawReceiver()
    connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        number = len(connections)
        try:
            while request := await _request(reader):
                answer = answers[min(len(receiver.requests), len(answers) - 1)]
                receiver.requests.append(request)
                receiver.on.append(number)
                writer.write(answer or b"")
                await writer.drain()
                if closes or answer is HANG_UP:
                    break
        except OSError:
            pass  # the other side hung up
        finally:
            writer.transport.close() if closes else writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme, port = "https" if tls else "http", server.sockets[0].getsockname()[1]
    receiver.url = f"{scheme}://127.0.0.1:{port}{path}"
    try:
        yield receiver
    finally:
        server.close()
        for writer in connections:
            writer.transport.abort()
        await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> bytes:
    """One whole request; empty at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        told = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        return head + await reader.readexactly(int(told))
    except asyncio.IncompleteReadError:
        return b""
