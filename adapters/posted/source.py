"""Facts by HTTP POST: each request is answered once what it brought is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Self

from adapters.posted.options import HttpSourceOptions
from router.ports import Cursor, Message, Source

if TYPE_CHECKING:
    from adapters.posted.server import FactsServer

COMMIT_S = 30.0
"""Seconds that a request waits for its commit; then it is told to come again."""
MOST, MOST_BYTES = 1_000, 16 * 1024 * 1024
"""Requests, and bytes of them, that may wait for a commit: what goes beyond is told to wait."""


@dataclass(frozen=True, slots=True)
class Posted(Message):
    """What one request brought."""

    number: int = 0


class HttpSource(Source[HttpSourceOptions]):
    """Facts POSTed as CloudEvents to /facts, answered once they are decided and stored."""

    Config = HttpSourceOptions

    def __init__(self, name: str, config: HttpSourceOptions) -> None:
        self._name = name
        self._options = config
        self._arrived: asyncio.Queue[Posted] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._given: set[int] = set()
        self._numbers = count(1)
        self._in_hand = self._bytes = 0
        self._stopping = False
        self._server: FactsServer | None = None
        self._entered = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # who only checks files waits for no server
        from adapters.posted.server import FactsServer  # noqa: PLC0415

        self._server = FactsServer(self._name, self._options, self)
        await self._entered.enter_async_context(self._server)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop(all_of_them=True)
        await self._entered.aclose()

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._server.port if self._server is not None else 0

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        """Each as it comes; ends only by being closed. Senders know how far they are."""
        try:
            while True:
                posted = await self._arrived.get()
                self._given.add(posted.number)
                yield posted
        finally:
            self._stop()

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Answer who sent them."""
        for each in messages:
            if isinstance(each, Posted):
                self._in_hand -= 1
                self._bytes -= len(each.body)
                self._given.discard(each.number)
                self._tell(each.number, committed=True)

    def exhausted(self) -> bool:
        """True while it listens, and all that came has been given out."""
        return self._arrived.empty() and self.down() is None

    def down(self) -> str | None:
        """Why nothing can come; None while it listens."""
        return "not listening yet" if self._server is None else self._server.trouble

    # --- for the server -------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether so much waits for its commit that no more should come."""
        return self._in_hand >= MOST or self._bytes >= MOST_BYTES

    async def take(self, body: bytes, sender: str, evidence: Mapping[str, str]) -> bool:
        """Whether it was committed; if not, it may be yet."""
        if self._stopping:
            return False
        number = next(self._numbers)
        self._in_hand += 1
        self._bytes += len(body)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        posted = Posted(body, f"{sender}#{number}", evidence=dict(evidence), number=number)
        self._arrived.put_nowait(posted)
        try:
            async with asyncio.timeout(COMMIT_S):
                return await self._waiting[number]
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(number, None)

    def _stop(self, *, all_of_them: bool = False) -> None:
        """Nothing more is taken; what was given out may still be committed."""
        self._stopping = True
        for number in list(self._waiting):
            if all_of_them or number not in self._given:
                self._tell(number, committed=False)

    def _tell(self, number: int, *, committed: bool) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(committed)
