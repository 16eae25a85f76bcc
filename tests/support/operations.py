"""An operations endpoint without a router behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from router.config.configfile import OperationsOptions
from router.errors import RouterError
from router.metrics.metrics import Metrics
from router.service.endpoint import OperationsEndpoint, Page
from router.service.whose import Whose


class Router:
    """What the endpoint asks of a router."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.reason: str | None = "starting"
        self.scrapes = self.pages = 0
        self.holds_up: asyncio.Event | None = None
        """Metrics and pages wait for it."""
        self.asked: list[str] = []
        self.by = ""
        self.refusal: RouterError | None = None

    async def scraped(self) -> None:
        self.scrapes += 1
        if self.holds_up is not None:
            await self.holds_up.wait()

    async def reload(self, trigger: str, by: str) -> str:
        self.asked.append(trigger)
        self.by = by
        if self.refusal is not None:
            raise self.refusal
        return "live: 8 rules"

    def operations(self, port: int = 0, **options: object) -> OperationsEndpoint:
        listen = {"listen": f"127.0.0.1:{port}"}
        return OperationsEndpoint(
            OperationsOptions.model_validate(listen | options),
            metrics=self.metrics,
            not_ready=lambda: self.reason,
            before_scrape=self.scraped,
            reload=self.reload,
            whose=Whose(Path("/etc/hubherald.yaml"), "/var/hubherald.db"),
            page=self.page,
        )

    async def page(self, asked: str) -> Page:
        self.pages += 1
        if self.holds_up is not None:
            await self.holds_up.wait()
        return Page(200 if asked else 404, f"<p>{asked}", "default-src 'none'")
