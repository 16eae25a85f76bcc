"""The operations endpoint: metrics, whether the router is alive and ready, reload, status page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from router.config.configfile import OperationsOptions
from router.errors import LedgerError, RouterError, UsageError
from router.metrics.metrics import Metrics
from router.ports import Aside
from router.service.certificate import ServerCertificate
from router.service.complaints import complaints
from router.service.door import BACKLOG, Doorkeeper
from router.service.porch import Porch
from router.service.visitors import OPEN, asker, is_ours, knows
from router.service.whose import Whose

SCRAPE = 2.0
"""Seconds that a scrape under way has when the router stops."""
PAGES = 2
"""Pages that are made at a time: each asks the ledger, which the intake waits for."""


BROWSER = ("Origin", "Sec-Fetch-Site")
"""Headers that browsers send, and nobody else."""
PAGE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of the status page: it is nobody's but the reader's, and gone when it is closed."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page for a browser."""

    status: int
    html: str
    policy: str
    """Its Content-Security-Policy."""


class OperationsEndpoint:
    """Serves `/metrics`, `/-/healthy`, `/-/ready`, `POST /-/reload` and the status page at `/`."""

    def __init__(
        self,
        options: OperationsOptions,
        *,
        metrics: Metrics,
        not_ready: Callable[[], str | None],
        before_scrape: Callable[[], Awaitable[None]],
        reload: Callable[[str, str], Awaitable[str]],
        whose: Whose,
        page: Callable[[str], Awaitable[Page]],
    ) -> None:
        """`reload` learns what asked, and who."""
        self.host = options.host
        self.port = options.port
        self._metrics = metrics
        self._not_ready = not_ready
        self._before_scrape = before_scrape
        self._reload = reload
        self._whose = whose
        self._page = page
        self._token = options.token
        self._hosts = {options.host, *options.hosts}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._keeper: Doorkeeper | None = None
        self._porch: Porch | None = None
        self._certificate = (
            ServerCertificate(options.certificate_file, options.key_file)
            if options.certificate_file and options.key_file
            else None
        )
        self._thread = Aside("metrics")
        self._scrape: asyncio.Task[bytes] | None = None
        self._pages = asyncio.Semaphore(PAGES)

    async def __aenter__(self) -> OperationsEndpoint:
        app = web.Application(middlewares=[self._let_in])
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_post("/-/reload", self._serve_reload)
        app.router.add_get("/", self._serve_page)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=complaints(),
            shutdown_timeout=SCRAPE,
            lingering_time=0.0,
        )
        await self._runner.setup()
        assert self._runner.server is not None, "it is set up"
        self._keeper = Doorkeeper(self._runner.server)
        try:
            self.port = await self._listen(self._keeper)
        except BaseException:
            await self._runner.cleanup()
            raise
        return self

    async def _listen(self, keeper: Doorkeeper) -> int:
        """The port; UsageError where it is not to be had, or its certificate is of no use."""
        try:
            if self._certificate is not None:
                await self._certificate.begin()
                self._porch = Porch(keeper, self._certificate.context)
                return await self._porch.listen(self.host, self.port, BACKLOG)
            self._server = await asyncio.get_running_loop().create_server(
                keeper, self.host, self.port, backlog=BACKLOG
            )
            return int(self._server.sockets[0].getsockname()[1])
        except OSError as error:
            raise UsageError(
                f"operations.listen {self.host}:{self.port}: {error.strerror or error}; is another "
                f"router running? give a free port, or 0 for any"
            ) from error

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
        if self._porch is not None:
            await self._porch.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._scrape is not None:
            self._scrape.cancel()
        for door in list(self._keeper.doors) if self._keeper is not None else ():
            door.leave()

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer who asks by a name of ours, and knows the token where there is one."""
        response = self._turned_away(request) or await _answer(request, handler)
        response.force_close()  # each connection is for one request
        return response

    def _turned_away(self, request: web.Request) -> web.Response | None:
        if not is_ours(request.headers.get("Host"), self._hosts):
            said = "not known here by this name: add it to operations.hosts in hubherald.yaml\n"
            return web.Response(status=421, text=said)
        if request.path not in OPEN and not self._is_known(request):
            asks = {"WWW-Authenticate": 'Basic realm="hubherald", charset="UTF-8"'}
            said = "give operations.token: as Bearer, or as the password of any user\n"
            return web.Response(status=401, text=said, headers=asks)
        return None

    def _is_known(self, request: web.Request) -> bool:
        return self._token is None or knows(self._token, request.headers.get("Authorization"))

    async def _serve_metrics(self, _request: web.Request) -> web.Response:
        """Whoever asks while an answer is being made gets the same: it costs more than to ask."""
        if self._scrape is None:
            self._scrape = asyncio.create_task(self._made())
            self._scrape.add_done_callback(self._scraped)
        body = await asyncio.shield(self._scrape)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _made(self) -> bytes:
        await self._before_scrape()
        if self._certificate is not None and self._certificate.expires_at is not None:
            labels = ("", "", "operations")
            ends = self._certificate.expires_at.timestamp()
            self._metrics.certificate_expiry.labels(*labels).set(ends)
        return await self._thread.call(generate_latest, self._metrics.registry)

    def _scraped(self, scrape: asyncio.Task[bytes]) -> None:
        self._scrape = None
        if not scrape.cancelled():
            scrape.exception()  # whoever waits for it has it

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, request: web.Request) -> web.Response:
        reason = self._not_ready()
        if reason is None:
            return web.Response(text="ready\n")
        if not self._is_known(request):
            return web.Response(status=503, text="not ready\n")
        return web.Response(status=503, text=f"not ready: {reason}\n")

    async def _serve_page(self, request: web.Request) -> web.Response:
        async with self._pages:
            answer = await self._page(request.query.get("q", ""))
        return web.Response(
            status=answer.status,
            text=answer.html,
            content_type="text/html",
            headers={**PAGE, "Content-Security-Policy": answer.policy},
        )

    async def _serve_reload(self, request: web.Request) -> web.Response:
        """200 when all of it is live; 422 with every problem, or 503, when nothing has changed.

        409 when another router was meant.
        """
        if any(
            each in request.headers for each in BROWSER
        ):  # any page that an operator looks at could send it
            return web.Response(status=403, text="not for browsers: use `hubherald reload`\n")
        if refusal := self._whose.refusal(request.headers):
            return web.Response(status=409, text=f"{refusal}\n")
        try:
            said = f"{await self._reload('http', asker(request))}\n"
            return web.Response(text=said, headers=self._whose.headers())
        except LedgerError as error:
            return web.Response(status=503, text=f"{error}\n")
        except RouterError as error:
            return web.Response(status=422, text=f"{error}\n")


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What there is, or that there is nothing: an answer like any other."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=error.text, headers=_allowed(error))


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
