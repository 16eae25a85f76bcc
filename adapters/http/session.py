"""One channel's connections to the server that it POSTs to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Self

import aiohttp
from yarl import URL

from adapters.http.answer import Answer
from adapters.tls import TlsFiles, TlsFilesError, Trust

MAX_ANSWER = 4096
"""Bytes of an answer's body that are read; a longer one costs its connection."""
BODY_S = 2.0
"""Seconds that an answer's body has after its status line, which alone decides."""
KEEP_ALIVE_S = 4.0
"""Less than the 5 s after which common servers close: else sends would run into the closing."""
PATIENCE_S = 1.0
"""Seconds in which a server that does not want us has hung up after a handshake."""
LARGE = 1_000_000
"""Bytes above which a body is sent in pieces."""
NO_ANSWER = (aiohttp.ClientError, OSError)
"""What `post` raises when no answer came; ssl.SSLError is an OSError too."""


class HungUpError(Exception):
    """The server ended the connection although nothing had been sent."""


def reachable(url: str) -> str:
    """A check of options: that the host's name is one that can be looked up."""
    host = URL(url).host or ""
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{host!r} cannot be the name of a host") from None
    return url


class HttpSession:
    """Follows no redirect, asks no proxy, keeps no cookie; what is in flight is up to the relay."""

    def __init__(self, url: str, files: TlsFiles) -> None:
        self._url = URL(url)
        self._trust = Trust(files)
        self._session: aiohttp.ClientSession | None = None

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return f"{self._url.host}:{self._url.port}"

    async def __aenter__(self) -> Self:
        with suppress(TlsFilesError):  # which the first send tells; its deadline has begun then
            await self._trust.context()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"User-Agent": "hubherald", "Accept-Encoding": "identity"},
            trust_env=False,
            auto_decompress=False,
            read_bufsize=MAX_ANSWER,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer; NO_ANSWER when none came, TlsFilesError when nothing could be sent.

        Without a deadline of its own: the caller's holds for all of it.
        """
        assert self._session is not None, "entered before use"
        # other files, another context: aiohttp then takes none of the connections of the old one
        context = await self._trust.context()
        async with self._session.post(
            self._url,
            data=BytesIO(body) if len(body) > LARGE else body,
            headers=headers,
            allow_redirects=False,
            ssl=context,
        ) as response:
            return Answer(
                response.status,
                self._without_query(await _beginning(response)),
                response.headers.get("Retry-After"),
                response.headers.get("Location"),
            )

    async def shake_hands(self) -> None:
        """Connect with TLS, send nothing and hang up.

        Raises what `post` does, and HungUpError when the server hangs up within PATIENCE_S: with
        TLS 1.3 it looks at our certificate only after our side of the handshake.
        """
        context = await self._trust.context()
        reader, writer = await asyncio.open_connection(self._url.host, self._url.port, ssl=context)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await reader.read(1)
        except TimeoutError:
            return  # it waits for what we have to say
        except ConnectionResetError:
            raise HungUpError from None
        finally:
            writer.transport.abort()
        raise HungUpError

    def _without_query(self, body: bytes) -> bytes:
        """Some servers show the whole address in their error pages; its query may be a secret."""
        query = self._url.raw_query_string.encode()
        return body.replace(query, b"***") if query else body


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """What comes of the body in good time; nothing that goes wrong here undoes the status."""
    found = b""
    try:
        async with asyncio.timeout(BODY_S):
            while len(found) < MAX_ANSWER and not response.content.at_eof():
                found += await response.content.read(MAX_ANSWER - len(found))
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    return found
