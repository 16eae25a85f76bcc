"""An adapter's or source's stay: entered and left in one task of its own, whatever it does there.

Client libraries expect to be left in the task that entered them. Somebody else's may also never
come back, raise what would end a process, or go on when it is cancelled: whoever waits for it here
waits for so long and no longer, and it is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from router.ports.loading import TheirError
from router.ports.theirs import enter_theirs

CANCELLED_S = 1.0
"""Seconds that what was cancelled has to end."""


class Stay:
    """One guest, from before it is entered until it has left."""

    def __init__(self, guest: AbstractAsyncContextManager[object]) -> None:
        loop = asyncio.get_running_loop()
        self._guest = guest
        self._may_leave = asyncio.Event()
        self._entered: asyncio.Future[None] = loop.create_future()
        self._given_up: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._run())

    @property
    def over(self) -> bool:
        """Whether it left by itself: what ends a TaskGroup of a guest ends the task of its stay."""
        return self._over.done()

    def when_over(self, tell: Callable[[], None]) -> None:
        """`tell` is called when it leaves by itself; soon, if it did."""
        self._over.add_done_callback(lambda _: tell())

    async def ready(self, seconds: float) -> bool:
        """Wait until it is entered, or has failed to; False when neither came."""
        waited = {self._entered, self._given_up}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._entered.done()

    async def enter(self, seconds: float) -> None:
        """Wait until it is entered. TheirError for what it raised, TimeoutError when it hangs."""
        try:
            ready = await self.ready(seconds)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        if not ready:
            await end(self._task)
            raise TimeoutError
        self._entered.result()

    def give_up(self) -> None:
        """Nobody needs it any more: whoever waits until it is entered has a TimeoutError."""
        if not self._given_up.done():
            self._given_up.set_result(None)

    async def leave(self, seconds: float) -> None:
        """Have it leave. TheirError for what it raised, TimeoutError when it has not left."""
        self._may_leave.set()
        await asyncio.wait({self._task}, timeout=seconds)
        if not self._task.done():
            await end(self._task)
            raise TimeoutError
        self._task.result()

    async def _run(self) -> None:
        enter_theirs()
        try:
            async with self._guest:
                if not self._entered.done():
                    self._entered.set_result(None)
                try:
                    await self._may_leave.wait()
                except asyncio.CancelledError:
                    self._over.set_result(None)
                    raise
        except BaseException as error:
            if isinstance(error, GeneratorExit):  # the interpreter ends
                raise
            if self._entered.done():
                raise TheirError(error) from error
            self._entered.set_exception(TheirError(error))
            self._entered.exception()  # somebody may have stopped waiting for it


async def end(task: asyncio.Task[Any]) -> bool:
    """Cancel it, and wait a moment; False when it goes on all the same."""
    task.cancel()
    await asyncio.wait({task}, timeout=CANCELLED_S)
    return task.done()


@asynccontextmanager
async def reader(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """A task that goes on until it is cancelled here; it is not waited for long, as it may have
    somebody else's code in hand. What it raises, if it ends before, is raised here."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield task
    finally:
        if not task.done():
            await end(task)
        elif not task.cancelled():
            task.result()


async def aloof(work: Coroutine[Any, Any, object], seconds: float) -> None:
    """Have it done in a task of its own. TheirError for what it raises, also where it cancels
    itself; TimeoutError when it takes longer, though it goes on when it is cancelled."""
    task = asyncio.get_running_loop().create_task(_caught(work))
    try:
        in_time = bool((await asyncio.wait({task}, timeout=seconds))[0])
    finally:
        if not task.done():
            await end(task)
    if not task.done() or (task.cancelled() and not in_time):
        raise TimeoutError
    if task.cancelled():
        raise TheirError(asyncio.CancelledError())
    task.result()


async def _caught(work: Coroutine[Any, Any, object]) -> None:
    enter_theirs()
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        raise TheirError(error) from error
