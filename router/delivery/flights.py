"""Sends that are under way, each a task.

An adapter may go on when it is cancelled. Nobody waits for that: such a send is given up, by its
deadline or when the router stops, and whatever it says later counts for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Self

GRACE = 5.0
"""Seconds from the deadline of a send until it is given up; what was cancelled ends at once."""
LOOK = 1.0
"""Seconds between looks for those."""
CANCELLED_S = 1.0
"""Seconds that what was cancelled has at the end."""


@dataclass(slots=True)
class _Flight:
    deadline: float
    """On the loop's clock."""
    give_up: Callable[[], None]
    looks: int = 0
    """Since its deadline. A process that stood still finds deadlines long past before what it then
    cancels could end: looks tell what time a send really had."""


class Flights:
    """Starts them while it is open; what raises ends the others and whoever opened it."""

    def __init__(self) -> None:
        self._opener: asyncio.Task[object] | None = None
        self._tasks: dict[asyncio.Task[None], _Flight] = {}
        self._given_up: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None
        self._looking: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._opener = asyncio.current_task()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        opener, self._opener = self._opener, None
        ours = isinstance(error, asyncio.CancelledError)
        try:
            await self.land(0.0)
        except asyncio.CancelledError:
            if self._error is None:
                raise
            ours = True
        finally:
            if self._looking is not None:
                self._looking.cancel()
        if self._error is not None:
            if opener is not None and ours:
                opener.uncancel()
            raise self._error

    @property
    def open(self) -> bool:
        """Whether any can be started."""
        return self._opener is not None

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, send: Coroutine[object, object, None], seconds: float, give_up: Callable[[], None]
    ) -> None:
        """One more, which should be over within so many seconds; only while it is open."""
        assert self._opener is not None
        loop = asyncio.get_running_loop()
        task = loop.create_task(send)
        self._tasks[task] = _Flight(loop.time() + seconds, give_up)
        task.add_done_callback(self._ended)
        if self._looking is None:
            self._looking = loop.call_later(LOOK, self._look)

    async def land(self, seconds: float) -> None:
        """Wait for those under way; what then is not over is cancelled, and not waited for long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCELLED_S)
        self._given_up |= self._tasks.keys()
        self._tasks.clear()

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for task, flight in list(self._tasks.items()):
            flight.looks += flight.deadline <= now
            if flight.looks > GRACE / LOOK:
                del self._tasks[task]
                self._given_up.add(task)
                flight.give_up()
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK, self._look) if self._tasks else None

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        known = self._tasks.pop(task, None) is not None
        self._given_up.discard(task)
        if known and error is not None and self._error is None:
            self._error = error
            if self._opener is not None:
                self._opener.cancel()
