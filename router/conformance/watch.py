"""Looks at an event loop from outside: one that stands still can't say so itself."""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_SIGNAL = signal.SIGUSR2
"""Breaks what blocks: a sleep, a socket that waits."""
_LOOKS = 10


class StandsStillError(Exception):
    """The event loop was blocked, and with it everybody's lanes."""


class LoopWatch:
    """Raises StandsStillError in what blocks the event loop for so many seconds.

    It can in the main thread alone; elsewhere it does nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop, self._seconds = loop, seconds
        self._over = threading.Event()
        self._looks = 0
        """Since the loop went on; they tell how long it stood, where the process did, too."""
        self._main = threading.current_thread() is threading.main_thread()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Self:
        if self._main:
            self._before = signal.signal(_SIGNAL, self._stands)
            self._tick()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._main:
            self._over.set()
            self._thread.join()
            signal.signal(_SIGNAL, self._before)

    def _tick(self) -> None:
        self._looks = 0
        if not self._over.is_set() and not self._loop.is_closed():
            self._loop.call_later(self._seconds / _LOOKS / 2, self._tick)

    def _look(self) -> None:
        while not self._over.wait(self._seconds / _LOOKS):
            self._looks += 1
            if self._looks > _LOOKS:
                self._looks = 0
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    def _stands(self, _number: int, _frame: FrameType | None) -> None:
        raise StandsStillError(
            f"`deliver` blocked the event loop for {self._seconds:g} s, and with it all other"
            " lanes; what blocks goes to a thread: router.ports.Aside"
        )
