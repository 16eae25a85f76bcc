"""A source http that listens, whose facts are committed when a test says so; and who sends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from adapters.posted.source import HttpSource
from router.ports import Message


@dataclass
class Answered:
    """What a sender was told."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def detail(self) -> str:
        return str(self.body["detail"])


@dataclass
class Posting:
    """The source, and what it gave."""

    source: HttpSource
    sender: aiohttp.ClientSession
    url: str
    commits: bool = True
    """Whether what came is committed at once."""
    messages: list[Message] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def commit(self) -> None:
        await self.source.acknowledge(self.messages)

    async def pump(self) -> None:
        async for message in self.source.messages({}):
            self.messages.append(message)
            self.came.set()
            if self.commits:
                await self.source.acknowledge([message])

    async def post(
        self, body: bytes, kind: str | None = "application/cloudevents+json", **headers: str
    ) -> Answered:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if kind is not None:
            named["Content-Type"] = kind
        return await self.ask("POST", "/facts", data=body, headers=named)

    async def ask(self, method: str, path: str, **options: Any) -> Answered:
        async with self.sender.request(method, f"{self.url}{path}", **options) as answer:
            text = await answer.read()
            held = (await answer.json(content_type=None)) if text else None
            return Answered(answer.status, dict(answer.headers), held)


@asynccontextmanager
async def posting(
    *, tls: ssl.SSLContext | None = None, commits: bool = True, **options: object
) -> AsyncIterator[Posting]:
    """`tls`: how senders connect, where the source has a certificate."""
    config = HttpSource.Config.model_validate({"listen": "127.0.0.1:0", **options})
    async with (
        asyncio.timeout(60),
        HttpSource("dsp", config) as source,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls or True, limit=0),
            skip_auto_headers=["Content-Type"],
        ) as sender,
    ):
        scheme = "https" if config.certificate_file else "http"
        found = Posting(source, sender, f"{scheme}://127.0.0.1:{source.port}", commits)
        pump = asyncio.create_task(found.pump())
        try:
            yield found
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
