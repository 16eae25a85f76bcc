"""An HTTP receiver for the conformance suite, behind a gate that can misbehave."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from router.conformance import REST, Arrived, GatedPeer, Situation

STATUS = {
    Situation.BUSY: "503 Service Unavailable",
    Situation.RESTS: f"429 Too Many Requests\r\nRetry-After: {REST.total_seconds():.0f}",
    Situation.REFUSES: "422 Unprocessable Content",
    Situation.FORBIDS: "401 Unauthorized",
    Situation.MISSING: "404 Not Found",
    Situation.ECHOES: "400 Bad Request",
}


class HttpPeer(GatedPeer):
    """Answers as a situation wants it; what it took, its own kind reads."""

    bodies: list[tuple[bytes, bytes]]
    """Heads and bodies of the requests that were taken."""

    async def __aenter__(self) -> Self:
        self.bodies = []
        return await super().__aenter__()

    @property
    def url(self) -> str:
        """Where to POST."""
        return f"{'https' if self.secure else 'http'}://127.0.0.1:{self.port}/receive"

    @abstractmethod
    def read(self, head: bytes, body: bytes) -> Sequence[Arrived]:
        """The Alerts of a request."""

    async def taken(self) -> Sequence[Arrived]:
        return [each for request in self.bodies for each in self.read(*request)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is kept."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            told = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            body = await reader.readexactly(int(told))
            status = STATUS.get(self.situation, "204 No Content")
            page = head + body if self.situation is Situation.ECHOES else b""
            if self.situation not in STATUS:
                self.bodies.append((head, body))
            length = f"Content-Length: {len(page)}\r\n" if page or status[:3] != "204" else ""
            writer.write(f"HTTP/1.1 {status}\r\n{length}\r\n".encode() + page)
            await writer.drain()
