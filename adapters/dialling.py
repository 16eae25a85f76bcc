"""How channels and sources reach a host: names looked up without holding up others, then dialled.

A loop looks names up in four threads (uvloop) that serve everybody: four names whose servers are
away would stop all. Here each name has one thread, which looks it up once for all who ask
meanwhile and is joined by nobody; what is an address already needs none.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from asyncio import wrap_future
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiohappyeyeballs import AddrInfoType, start_connection
from yarl import URL

from router.ports import Aside

LOOK_UP_S = 10.0
"""Seconds that a name has to be found."""
NEXT_ADDRESS_S = 0.25
"""Seconds after which the next address of a host is tried beside the one before (RFC 8305)."""
KNOWN_S = 10.0
"""Seconds for which addresses are known: a burst of sends asks for them once."""
P = TypeVar("P", bound=asyncio.Protocol)


def reachable(url: str) -> str:
    """A check of options: that the host's name can be looked up, and the port be dialled."""
    try:
        (URL(url).host or "").encode("idna")
    except ValueError:  # of which UnicodeError is one
        raise ValueError(f"{urlsplit(url).hostname!r} cannot be the name of a host") from None
    if URL(url).explicit_port == 0:
        raise ValueError("nothing can be reached at port 0; leave it out for the usual one")
    return url


async def dial(
    make: Callable[[], P], host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.Transport, P]:
    """A connection to whichever address answers first. OSError when there is none to be had.

    Without a deadline of its own but for the name.
    """
    name = host if tls is not None else None
    found = await reach(host, port)
    loop = asyncio.get_running_loop()
    return await loop.create_connection(make, sock=found, ssl=tls, server_hostname=name)


async def reach(host: str, port: int) -> socket.socket:
    """The same, as a bare socket for whoever speaks over it."""
    return await start_connection(
        await addresses(host, port),
        happy_eyeballs_delay=NEXT_ADDRESS_S,
        loop=asyncio.get_running_loop(),
    )


async def addresses(host: str, port: int) -> list[AddrInfoType]:
    """Where a host is. socket.gaierror when nobody knows, or says so in time."""
    try:
        return _looked_up(host, port, socket.AI_NUMERICHOST)
    except socket.gaierror:  # a name
        asked = _host(host)
    late = f"the name was not found within {LOOK_UP_S:g} s; is the server of names away?"
    if asked.busy_s > LOOK_UP_S:
        raise socket.gaierror(socket.EAI_AGAIN, late)
    try:
        async with asyncio.timeout(LOOK_UP_S):
            found = await asyncio.shield(wrap_future(asked.ask()))
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, late) from None
    return [(*each[:4], (each[4][0], port, *each[4][2:])) for each in found]


class _Host:
    """One name: who looks it up, and what was found last."""

    def __init__(self, host: str) -> None:
        self._name = host
        self._thread = Aside("name of a host")
        self._asked: Future[list[AddrInfoType]] | None = None
        self._known_until = 0.0

    @property
    def busy_s(self) -> float:
        """Seconds for which it has been looked up by now."""
        return self._thread.busy_s

    def ask(self) -> Future[list[AddrInfoType]]:
        """The same for all who ask while it is looked up, or known."""
        asked = self._asked
        if asked is None or (asked.done() and time.monotonic() >= self._known_until):
            self._asked = asked = self._thread.submit(self._look_up)
        return asked

    def _look_up(self) -> list[AddrInfoType]:
        self._known_until = 0.0
        found = _looked_up(self._name, 0)
        self._known_until = time.monotonic() + KNOWN_S
        return found


@lru_cache(maxsize=10_000)
def _host(host: str) -> _Host:
    return _Host(host)


def _looked_up(host: str, port: int, flags: int = 0) -> list[AddrInfoType]:
    found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return found
