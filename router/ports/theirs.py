"""Tasks that somebody else's code begins: a SystemExit in one of them ends it, not the router.

Python passes SystemExit and KeyboardInterrupt of a task on to whoever runs the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

from router.ports.loading import TheirError

_THEIRS = ContextVar("theirs", default=False)


def is_theirs() -> bool:
    """Whether this task runs somebody else's code."""
    return _THEIRS.get()


def enter_theirs() -> None:
    """From here on this task, and each that it begins, runs somebody else's code."""
    _THEIRS.set(True)


def task_of(loop: asyncio.AbstractEventLoop, work: Any, /, **more: Any) -> asyncio.Task[Any]:
    """A task factory."""
    return asyncio.Task(_harmless(work) if _THEIRS.get() else work, loop=loop, **more)


async def _harmless(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise TheirError(error) from error
