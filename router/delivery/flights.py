"""Sends that are under way, each a task."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self


class Flights:
    """Starts them while it is open; what raises ends the others and whoever opened it."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        group, self._group = self._group, None
        assert group is not None
        await group.__aexit__(kind, error, trace)

    @property
    def open(self) -> bool:
        """Whether any can be started."""
        return self._group is not None

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, send: Coroutine[object, object, None]) -> None:
        """One more; only while it is open."""
        assert self._group is not None
        task = self._group.create_task(send)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def land(self, seconds: float) -> None:
        """Wait for those under way; what then is not over is cancelled."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
