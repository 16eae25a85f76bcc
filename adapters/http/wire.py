"""One connection, as bytes.

Not asyncio's streams: on them an error hides what came before it, and what came must stand.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from errno import ECONNRESET
from typing import cast

from adapters.tls import peer_of
from router.ports import Certificate

MOST_AHEAD = 65_536
"""Bytes that may wait to be read."""


class Wire(asyncio.Protocol):
    """Gives what came, in order, and only then why no more comes."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        """What it was made with."""
        self._came = bytearray()
        self._over = False
        self._why: Exception | None = None
        self._news = asyncio.Event()
        self._heed: Callable[[], None] | None = None
        self._paused = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._came += data
        if len(self._came) > MOST_AHEAD and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        self._over = True
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._why = self._why or exc
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        heed, self._heed = self._heed, None
        if heed is not None:
            heed()

    def heed(self, call: Callable[[], None]) -> None:
        """Call this once, when something comes or the connection ends; asked while it is quiet."""
        self._heed = call

    @property
    def quiet(self) -> bool:
        """Whether it stands, and nothing came that nobody asked for."""
        return not self._came and not self._over

    @property
    def over(self) -> bool:
        """Whether no more will come."""
        return self._over

    @property
    def idle(self) -> bool:
        """Whether it is quiet, and all that was written has gone out."""
        sent = self._transport is not None and not self._transport.get_write_buffer_size()
        return self.quiet and sent

    def write(self, data: bytes) -> None:
        """Send; what fails is told by `more`."""
        if self._transport is not None:
            self._transport.write(data)

    async def more(self) -> bytes:
        """What came; empty at the end. OSError when the connection broke."""
        if self.quiet:
            self._news.clear()
            await self._news.wait()
        if found := self.came():
            return found
        if self._why is not None:
            raise self._why
        return b""

    @property
    def ahead(self) -> bytes:
        """What has come and waits to be read."""
        return bytes(self._came)

    def came(self) -> bytes:
        """What has come by now."""
        found = bytes(self._came)
        self._came.clear()
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return found

    async def secured(self, tls: ssl.SSLContext, host: str) -> Wire:
        """The same connection with TLS from here on, for `host`; this end of it is over.

        Raises what a handshake can, and has ended the connection then.
        """
        assert self._transport is not None, "connected"
        inner, loop = Wire(tls), asyncio.get_running_loop()
        transport = await loop.start_tls(self._transport, inner, tls, server_hostname=host)
        if transport is None:  # it ended meanwhile
            raise ConnectionResetError(ECONNRESET, "the connection ended in the handshake")
        inner.connection_made(transport)
        return inner

    @property
    def peer(self) -> Certificate | None:
        """The certificate that the other side has shown."""
        return peer_of(self._transport) if self._transport is not None else None

    def cut(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()
