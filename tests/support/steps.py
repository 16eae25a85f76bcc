"""What something costs in calls, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import FrameType


def counted(work: Callable[[], object]) -> int:
    """How many functions were called meanwhile in this thread, those written in C among them."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


async def counted_async(work: Callable[[], Awaitable[object]]) -> int:
    """The same of work that others are awaited in: what is called in this thread, the loop's."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return calls
