"""From messages to facts, beside the event loop where that takes more than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from router.deciding.batch import Arrival
from router.deciding.judgement import Found
from router.domain.facts import parse

AT_ONCE = 8 * 1024
"""Bytes that are read on the loop: a lone fact is decided without going to a thread and back."""


async def read_all(arrivals: Sequence[Arrival]) -> list[Found]:
    """What stands in each of them, in their order."""
    if sum(len(each.message.body) for each in arrivals) <= AT_ONCE:
        return _read(arrivals)
    return await asyncio.to_thread(_read, arrivals)


def _read(arrivals: Sequence[Arrival]) -> list[Found]:
    return [(each, parse(each.message.body)) for each in arrivals]
