"""Steps of the machine's clock: what waits is moved along, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from router.clock import STEP, Clock, SteadyClock
from router.delivery.relay import Relay
from router.ledger.steps import move_along, newest_moment
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics

_log = structlog.get_logger(__name__)
Pause = Callable[[], AbstractAsyncContextManager[None]]
"""Between two facts."""


class Timekeeper:
    """Compares the clock with the ledger at the start, and with itself from then on."""

    def __init__(
        self, clock: Clock, *, ledger: LedgerThread, relay: Relay, pause: Pause, metrics: Metrics
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._relay = relay
        self._pause = pause
        self._metrics = metrics

    async def begin(self) -> None:
        """At the start: the ledger may hold moments that have yet to come."""
        newest, now = await self._ledger.call(newest_moment), self._clock()
        ahead = newest - now if newest is not None else timedelta()
        self._metrics.ledger_ahead.set(max(0.0, ahead.total_seconds()))
        if ahead > STEP:
            what = "the ledger was last written by a clock that ran ahead of this machine's"
            await self._move(-ahead, now, what)

    async def look(self) -> None:
        """While all runs. LedgerUnavailable when it could not be done now; nothing has changed."""
        clock = self._clock
        step = clock.step() if isinstance(clock, SteadyClock) else timedelta()
        if not step:
            return

        async def follow() -> None:
            await self._move(step, clock() + step, "the machine's clock was set")
            assert isinstance(clock, SteadyClock)
            clock.follow(step)
            self._metrics.ledger_ahead.set(max(0.0, -step.total_seconds()))
            self._relay.move_along(step)

        async with self._pause():
            await self._relay.between(follow)

    async def _move(self, step: timedelta, now: datetime, what: str) -> None:
        moved = await self._ledger.call(move_along, step, now)
        self._metrics.clock_steps.inc()
        _log.warning(
            "clock.step",
            detail=what,
            seconds=round(step.total_seconds()),
            **asdict(moved),
            advice="what waits was moved along; compare this machine's time with others",
        )
