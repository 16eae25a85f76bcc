"""The ledger, for whoever holds facts for as long as it is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from router.ledger.database import Database, LedgerUnavailable
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics

P = ParamSpec("P")
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Patience:
    """Asks again every second, until the router stops."""

    def __init__(self, ledger: LedgerThread, stopping: asyncio.Event, metrics: Metrics) -> None:
        self._ledger = ledger
        self._stopping = stopping
        self._metrics = metrics

    async def call(
        self, function: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """What a function of the ledger gives, whenever it does; None when the router stops."""
        while True:
            try:
                return await self._ledger.call(function, *args, **kwargs)
            except LedgerUnavailable as error:
                if not await self.hold(error):
                    return None

    async def hold(self, error: LedgerUnavailable) -> bool:
        """The messages stay in hand, unacknowledged; False when the router stops."""
        self._metrics.ledger_up.set(0)
        _log.error("ledger.unavailable", part="intake", detail=str(error), advice="holding facts")
        try:
            async with asyncio.timeout(1.0):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False
