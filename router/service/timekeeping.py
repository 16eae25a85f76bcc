"""Steps of the machine's clock: what waits is moved along, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog

from router.clock import STEP, Clock, SteadyClock
from router.delivery.relay import Relay
from router.ledger.recorder import OPERATOR, ROUTER
from router.ledger.steps import move_along, newest_moment, resume
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
        now = self._clock()
        await self._ledger.call(resume, now, STEP)
        router = await self._ledger.call(newest_moment, ROUTER)
        operator = await self._ledger.call(newest_moment, OPERATOR)
        ahead = [each - now if each is not None else timedelta() for each in (router, operator)]
        self._metrics.ledger_ahead.set(max(0.0, *(each.total_seconds() for each in ahead)))
        if ahead[0] > STEP:
            what = "the ledger was last written by a clock that ran ahead of this machine's"
            await self._move(-ahead[0], now, what, resumed=True)
        elif ahead[1] > STEP:
            # when that was, nobody knows: what facts say since our own last word shall count
            what = "an import or a command wrote by a clock that ran ahead of this machine's"
            await self._move(timedelta(), now, what, known=router or now, resumed=True)

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

    async def _move(
        self,
        step: timedelta,
        now: datetime,
        what: str,
        *,
        known: datetime | None = None,
        resumed: bool = False,
    ) -> None:
        moved = await self._ledger.call(move_along, step, now, known=known, resumed=resumed)
        self._metrics.clock_steps.inc()
        _log.warning(
            "clock.step",
            detail=what,
            seconds=round(step.total_seconds()),
            **asdict(moved),
            advice="what waits was moved along; compare this machine's time with others",
        )
