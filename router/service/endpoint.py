"""The operations endpoint: metrics, whether the router is alive and ready, reload, status page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from router.errors import LedgerError, RouterError, UsageError
from router.metrics.metrics import Metrics

SCRAPE = 2.0
"""Seconds that a scrape under way has when the router stops."""


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
        host: str,
        port: int,
        *,
        metrics: Metrics,
        not_ready: Callable[[], str | None],
        before_scrape: Callable[[], Awaitable[None]],
        reload: Callable[[str], Awaitable[str]],
        page: Callable[[str], Awaitable[Page]],
    ) -> None:
        self.host = host
        self.port = port
        self._metrics = metrics
        self._not_ready = not_ready
        self._before_scrape = before_scrape
        self._reload = reload
        self._page = page
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> OperationsEndpoint:
        app = web.Application()
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_post("/-/reload", self._serve_reload)
        app.router.add_get("/", self._serve_page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SCRAPE)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(
                f"operations.listen {self.host}:{self.port}: {error.strerror or error}; is another "
                f"router running? give a free port, or 0 for any"
            ) from error
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve_metrics(self, _request: web.Request) -> web.Response:
        await self._before_scrape()
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        reason = self._not_ready()
        if reason is None:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"not ready: {reason}\n")

    async def _serve_page(self, request: web.Request) -> web.Response:
        answer = await self._page(request.query.get("q", ""))
        return web.Response(
            status=answer.status,
            text=answer.html,
            content_type="text/html",
            headers={**PAGE, "Content-Security-Policy": answer.policy},
        )

    async def _serve_reload(self, request: web.Request) -> web.Response:
        """200 when all of it is live; 422 with every problem, or 503, when nothing has changed."""
        if "Origin" in request.headers:  # any page that an operator looks at could send it
            return web.Response(status=403, text="not for browsers: use `hubherald reload`\n")
        try:
            return web.Response(text=f"{await self._reload('http')}\n")
        except LedgerError as error:
            return web.Response(status=503, text=f"{error}\n")
        except RouterError as error:
            return web.Response(status=422, text=f"{error}\n")
