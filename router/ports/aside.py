"""Threads for what may hang: a disk, a mount that is away.

Those of `concurrent.futures` are joined as the interpreter ends, so that one that never comes back
would keep the router from ending.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Condition, Thread, get_ident
from typing import Any, ParamSpec, TypeVar

IDLE = 10.0
"""Seconds without work after which a thread ends; the next work begins another."""
P = ParamSpec("P")
T = TypeVar("T")
_Work = tuple[Future[Any], Callable[[], Any]]
_GIVEN_UP = 16
"""So much may wait before it is looked at what of it nobody wants any more."""


def silent(what: object, seconds: float) -> str:
    """Why a file or folder is of no use that did not answer for so long, for people."""
    return f"{what} does not answer within {seconds:g} s; is what it is mounted from away?"


class Aside(Executor):
    """At most `most` threads, named after whose they are; nobody waits for them at the end."""

    def __init__(self, name: str, most: int = 1) -> None:
        self._name = name
        self._most = most
        self._changed = Condition()
        self._work: deque[_Work] = deque()
        self._threads = self._idle = 0
        self._begun: dict[int, float] = {}
        self._ended = False

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function gives; one that has begun goes on when the caller is cancelled."""
        import asyncio  # noqa: PLC0415 - who asks files from no event loop need not wait for it

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self, partial(function, *args, **kwargs))

    async def within(
        self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same; TimeoutError when it does not come in time."""
        import asyncio  # noqa: PLC0415

        async with asyncio.timeout(seconds):
            return await self.call(function, *args, **kwargs)

    @property
    def busy_s(self) -> float:
        """Seconds for which the oldest of what is being done has been going on; 0: nothing is."""
        begun = [*self._begun.copy().values()]
        return time.monotonic() - min(begun) if begun else 0.0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it done when a thread is free. RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self._changed:
            if self._ended:
                raise RuntimeError(f"the threads of {self._name} have ended")
            if len(self._work) > _GIVEN_UP:  # behind a thread that hangs
                self._work = deque(each for each in self._work if not each[0].cancelled())
            self._work.append((future, partial(fn, *args, **kwargs)))
            if self._idle < len(self._work) and self._threads < self._most:
                self._threads += 1
                Thread(target=self._run, name=self._name, daemon=True).start()
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more, and let the threads end by themselves; `wait` is not heeded."""
        with self._changed:
            self._ended = True
            while cancel_futures and self._work:
                self._work.popleft()[0].cancel()
            self._changed.notify_all()

    def _run(self) -> None:
        while work := self._next():
            future, function = work
            if future.set_running_or_notify_cancel():
                self._begun[get_ident()] = time.monotonic()
                try:
                    result = function()
                except BaseException as error:  # whoever waits for it gets it
                    self._begun.pop(get_ident())
                    future.set_exception(error)
                else:
                    self._begun.pop(get_ident())
                    future.set_result(result)
                    del result
            del work, future, function  # what they hold must not live until the next comes

    def _next(self) -> _Work | None:
        """None when there is nothing more to do."""
        with self._changed:
            self._idle += 1
            came = self._changed.wait_for(lambda: self._work or self._ended, IDLE)
            self._idle -= 1
            if came and self._work:
                return self._work.popleft()
            self._threads -= 1
            return None
