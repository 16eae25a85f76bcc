"""What something costs in calls, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def _counting() -> Iterator[list[int]]:
    """In its one number, how many functions are called in this thread, those in C among them."""
    calls = [0]

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        calls[0] += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def counted(work: Callable[[], object]) -> int:
    """How many functions were called meanwhile in this thread, those written in C among them."""
    with _counting() as calls:
        work()
    return calls[0]


async def counted_async(work: Callable[[], Awaitable[object]]) -> int:
    """The same of work that others are awaited in: what is called in this thread, the loop's."""
    with _counting() as calls:
        await work()
    return calls[0]
