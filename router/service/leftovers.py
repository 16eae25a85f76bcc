"""What somebody else's code leaves behind in the event loop, as the router ends.

A task that goes on when it is cancelled would keep the process alive for as long as it likes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from traceback import format_exception
from typing import Any

import structlog

import router

CANCELLED_S = 1.0
"""Seconds that what was cancelled has to end."""
_log = structlog.get_logger(__name__)


async def let_go() -> list[asyncio.Task[Any]]:
    """Cancel all that still runs; what goes on all the same is told, not waited for, and given."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=CANCELLED_S)
    deaf = [task for task in left if not task.done()]
    for task in deaf:
        advice = "it is left to itself; mend the adapter or source that it belongs to"
        _log.error("task.left_behind", task=_where(task), advice=advice)
        asyncio._unregister_task(task)  # else the loop would wait for it as it closes
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it was told
    return deaf


def told_by(hide: Callable[[str], str]) -> Callable[[asyncio.AbstractEventLoop, Any], None]:
    """What becomes of an error that nobody waits for: a line of ours, without secrets."""

    def tell(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        trace = hide("".join(format_exception(error))) if error is not None else ""
        _log.error("task.failed", detail=hide(str(context.get("message", ""))), exception=trace)

    return tell


def _where(task: asyncio.Task[Any]) -> str:
    """The outermost function in it that is not ours, for who looks for it."""
    found, ours = [], str(Path(router.__file__).parent)
    coro: Any = task.get_coro()
    while (code := getattr(coro, "cr_code", None)) is not None:
        found.append(f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}")
        coro = coro.cr_await
    return next((each for each in found if not each.startswith(ours)), "".join(found[:1]))
