"""What breaks off the reading of a source that may never give anything again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


class BrokenOff(Exception):
    """What was waited for is not waited for any more."""


class Breach:
    """Of one reading, once. It is read in the task of who asks: client libraries may want to be
    left in the task that entered them, and a task for each message would cost more than it."""

    def __init__(self) -> None:
        self.made = False
        self._waits: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._cancelled = False

    def make(self) -> None:
        """Whoever waits for the next, or asks for one later, has BrokenOff."""
        self.made = True
        if self._waits is not None and not self._cancelled:
            self._cancelled = True
            self._waits.cancel()

    async def until(self, given: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """All that it gives, until then."""
        async with aclosing(given):
            while True:
                with self:
                    try:
                        each = await anext(given)
                    except StopAsyncIteration:
                        return
                yield each

    def __enter__(self) -> None:
        if self.made:
            raise BrokenOff
        self._waits = task = asyncio.current_task()
        self._cancelling = task.cancelling() if task is not None else 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task, self._waits = self._waits, None
        if not self._cancelled or task is None:
            return
        self._cancelled = False
        if task.uncancel() <= self._cancelling:  # else somebody ends us as well
            raise BrokenOff from error
