"""The server that facts are POSTed to: who may, in which form, and what each answer says.

It listens as long as the source is there. What keeps it from that (a port that is taken, a file of
no use) is told once and tried again; a new certificate is taken up without a restart.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from typing import ParamSpec, Protocol, Self, TypeVar

import structlog
from aiohttp import web

from adapters.posted.event import PostError, event_of
from adapters.posted.options import HttpSourceOptions
from adapters.tls import TlsFilesError, read_in_time
from router.ports import MAX_BODY, Aside, in_one_line

FACTS, DOCUMENT = "/facts", "/openapi.json"
READ_S = 30.0
"""Seconds that a body has to come."""
LOOK_S = 5.0
"""Seconds from one look at the files, or one try to listen, to the next."""
AGAIN_S = 5
"""Seconds after which a sender may come again, where there was no room or no commit."""
_BROWSER = ("Origin", "Sec-Fetch-Site")
P = ParamSpec("P")
T = TypeVar("T")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Takes(Protocol):
    """Who has what came committed."""

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        ...

    async def take(self, body: bytes, sender: str, evidence: dict[str, str]) -> bool:
        """Whether it was committed; if not, it may be yet."""
        ...


class FactsServer:
    """Serves `POST /facts` and `GET /openapi.json`."""

    def __init__(self, name: str, options: HttpSourceOptions, takes: Takes) -> None:
        self.port = 0
        self.trouble: str | None = f"{options.listen}: not listening yet"
        self._options = options
        self._takes = takes
        self._thread = Aside("certificates")
        self._log = structlog.get_logger().bind(source=name, listen=options.listen)
        self._socket: socket.socket | None = None
        """Stays while what listens on it is made anew, so that nobody is turned away meanwhile."""
        self._site: web.SockSite | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._document = files("adapters.posted").joinpath("openapi.json").read_bytes()
        app = web.Application(middlewares=[self._guarded], client_max_size=MAX_BODY)
        app.router.add_post(FACTS, self._post)
        app.router.add_get(DOCUMENT, self._show)
        self._runner = web.AppRunner(
            app, access_log=None, logger=_silent(), shutdown_timeout=1.0, lingering_time=1.0
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        stamp = await self._listen_anew()
        self._keeper = asyncio.create_task(self._keep(stamp))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    # --- listening ------------------------------------------------------------------------------

    async def _keep(self, stamp: object) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(TlsFilesError):  # told by whoever needs them
                if self._site is None or await self._ask(self._options.files.stamp) != stamp:
                    stamp = await self._listen_anew()

    async def _listen_anew(self) -> object:
        """With the files as they are now; what listens already goes on where they are of no use."""
        stamp: object = None
        try:
            stamp = await self._ask(self._options.files.stamp)
            tls = await self._ask(_context, self._options)
            if self._socket is None:
                self._socket = await self._ask(_bound, self._options.host, self._options.port)
            before, self._site = (
                self._site,
                web.SockSite(self._runner, self._socket.dup(), ssl_context=tls),
            )
            await self._site.start()
            if before is not None:
                await before.stop()
        except (OSError, TlsFilesError) as error:
            self._failed(error)
        else:
            self.trouble = None
            self.port = self._socket.getsockname()[1]
            self._log.info("http.listening", port=self.port, tls=tls is not None)
        return stamp

    async def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await read_in_time(self._thread, self._options.files, function, *args, **kwargs)

    def _failed(self, error: OSError | TlsFilesError) -> None:
        where = self._options.listen
        if isinstance(error, TlsFilesError):
            option = "client_ca_file" if error.option == "ca_file" else error.option
            said = f"{option}: {error.why}"
        else:
            why = error.strerror or str(error)
            said = f"{where}: {why}; is another router running? give a free port in `listen`"
        if said != self.trouble:
            self._log.error("http.not_listening", detail=said)
        if self._site is None:
            self.trouble = said

    # --- answering ------------------------------------------------------------------------------

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Each answer in one form, whoever found what is wrong."""
        try:
            return self._turned_away(request) or await handler(request)
        except PostError as error:
            return problem(error.status, str(error))
        except web.HTTPRequestEntityTooLarge:
            return problem(413, f"body: more than {MAX_BODY:,} bytes; send fewer facts at once")
        except web.HTTPException as error:
            said = f"{request.method} {in_one_line(request.path, 100)}: POST facts to {FACTS}"
            kept = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return problem(error.status, f"{said}; {DOCUMENT} says how", **kept)

    def _turned_away(self, request: web.Request) -> web.Response | None:
        if any(each in request.headers for each in _BROWSER):
            return problem(403, "not for browsers, which any page could have send")
        token = self._options.token
        if token is None or request.path == DOCUMENT:
            return None
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        known = hmac.compare_digest(
            given.strip().encode(errors="surrogateescape"), token.get_secret_value().encode()
        )
        if kind.lower() == "bearer" and known:
            return None
        said = "header Authorization: give the `token` of this source, as `Bearer TOKEN`"
        return problem(401, said, **{"WWW-Authenticate": 'Bearer realm="hubherald"'})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if self._takes.full:
            return _later(429, "too many facts wait for their commit; send this again later")
        try:
            async with asyncio.timeout(READ_S):
                body = await request.read()
        except TimeoutError:
            return problem(408, f"body: did not come within {READ_S:g} s; send it again")
        event = event_of(body, request.headers)
        if await self._takes.take(event, str(request.remote or "local"), _evidence(request)):
            return web.Response(status=204)
        return _later(503, "not committed yet; send this again, with the same id: it counts once")

    async def _show(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._document, content_type="application/json")


def problem(status: int, detail: str, **headers: str) -> web.Response:
    """What is wrong and what to do, as RFC 9457 has it."""
    said = {"status": status, "detail": detail}
    return web.Response(
        status=status,
        body=json.dumps(said).encode(),
        content_type="application/problem+json",
        headers=headers,
    )


def _later(status: int, detail: str) -> web.Response:
    return problem(status, detail, **{"Retry-After": str(AGAIN_S)})


def _evidence(request: web.Request) -> dict[str, str]:
    """Who sent it, and as what."""
    found = {"content_type": request.headers.get("Content-Type", "")}
    peer = request.transport.get_extra_info("peercert") if request.transport else None
    if peer:
        names = [value for part in peer["subject"] for _, value in part]
        found["certificate"] = ", ".join(names) or str(peer.get("subjectAltName", ""))
    return {name: in_one_line(text, 300) for name, text in found.items()}


def _context(options: HttpSourceOptions) -> ssl.SSLContext | None:
    """That of new connections; None without TLS. TlsFilesError when a file is of no use."""
    if options.certificate_file is None or options.key_file is None:
        return None
    if faults := options.files.faults():
        raise faults[0]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.client_ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.certificate_file, options.key_file)
    if options.client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _silent() -> logging.Logger:
    """For what aiohttp has to say of those who do not speak HTTP, with their heads and tokens."""
    logger = logging.Logger("adapters.posted")
    logger.addHandler(logging.NullHandler())
    return logger
