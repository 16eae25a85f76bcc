"""Before the door, where the port speaks TLS: who does not agree on it soon is sent away.

Connections are accepted here and not by a server of the event loop, which would keep as many that
say nothing as there are descriptors.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext

from router.service.door import HEAD_S, MOST

END_S = 2.0
"""Seconds that the other side has to end the connection with us."""
FULL_S = 0.1
"""Seconds until the next try where there is no descriptor left."""


class Porch:
    """Takes connections, agrees with each on TLS, and passes them on."""

    def __init__(
        self, serve: Callable[[], asyncio.Protocol], context: Callable[[], Awaitable[SSLContext]]
    ) -> None:
        """`serve` gives the protocol behind TLS, `context` what is shown to the next one."""
        self._serve = serve
        self._context = context
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._agreeing: dict[asyncio.Task[None], None] = {}
        """In the order in which they came."""

    async def listen(self, host: str, port: int, backlog: int) -> int:
        """Begin; gives the port. OSError where it is not to be had."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            wanted = (str(address[0]), port)
            opened = socket.create_server(wanted, family=family, backlog=backlog)
            opened.setblocking(False)
            port = int(opened.getsockname()[1])
            self._sockets.append(opened)
            self._accepting.append(loop.create_task(self._accept(opened)))
        return port

    async def close(self) -> None:
        """Take no more, and hang up on those who stand here."""
        ending = [*self._accepting, *self._agreeing]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for opened in self._sockets:
            opened.close()

    async def _accept(self, opened: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                come, _ = await loop.sock_accept(opened)
            except OSError:  # gone already, or no descriptor is left
                await asyncio.sleep(FULL_S)
                continue
            if len(self._agreeing) >= MOST:
                next(iter(self._agreeing)).cancel()  # who has waited longest makes room
            task = loop.create_task(self._agree(come))
            self._agreeing[task] = None
            task.add_done_callback(self._agreed)

    async def _agree(self, come: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        handed = False
        try:
            context = await self._context()
            handed = True  # it is closed there
            with suppress(OSError):  # no TLS, or none that we speak: theirs to mend
                await loop.connect_accepted_socket(
                    self._serve,
                    come,
                    ssl=context,
                    ssl_handshake_timeout=HEAD_S,
                    ssl_shutdown_timeout=END_S,
                )
        finally:
            if not handed:
                come.close()

    def _agreed(self, task: asyncio.Task[None]) -> None:
        self._agreeing.pop(task, None)
        if not task.cancelled():
            task.exception()  # a bug of the library is no reason to stop
