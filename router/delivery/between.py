"""What must be done while nothing is claimed and nothing is made for sending, such as a reload."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from router.errors import UsageError


class Errands:
    """Asked for at any time, done between two exchanges, each answered to whoever asked."""

    def __init__(self) -> None:
        self._asked: list[tuple[Callable[[], Awaitable[None]], asyncio.Future[None]]] = []

    def ask(self, act: Callable[[], Awaitable[None]]) -> asyncio.Future[None]:
        """Have this done; the future is its end, or what it raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append((act, done))
        return done

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Do them, unless whoever asked has gone."""
        while self._asked and not stopping():
            act, done = self._asked.pop(0)
            if done.cancelled():
                continue
            try:
                await act()
            except Exception as error:  # it is the asker's
                _settle(done, error)
            else:
                _settle(done, None)

    def refuse(self) -> None:
        """Nothing is done any more."""
        for _, done in self._asked:
            _settle(done, stops())


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    """Answer whoever asked, unless they have gone meanwhile."""
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def stops() -> UsageError:
    """What is said to whoever asks too late."""
    return UsageError("the router is stopping; it reads all files when it starts again")
