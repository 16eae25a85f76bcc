"""Chunk after chunk to the publisher, each remembered when it is confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import BinaryIO

import uvloop

from router.errors import PublishError
from router.ports import Publisher
from router.publishing.lines import LONGEST, Line, outgoing, read_lines
from router.publishing.progress import Progress
from router.publishing.rate import EvenRate

CHUNK_BYTES = 4 * 1024 * 1024
"""A chunk ends when it has reached so many bytes: it is in memory as a whole."""


def send(
    publisher: Publisher,
    file: BinaryIO,
    end: int,
    progress: Progress,
    *,
    rate: float | None,
    report: Callable[[int], None],
) -> int:
    """Publish the lines from the mark of `progress` to byte `end`; gives how many facts went.

    `rate` is in facts a second, None: as fast as it goes. `report` is told how many bytes are
    confirmed since it was last told. PublishError, in words, when it ends before the end.
    """
    lines = read_lines(file, progress.mark, end)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send(publisher, lines, progress, EvenRate(rate), report))


async def _send(
    publisher: Publisher,
    lines: Iterator[Line],
    progress: Progress,
    rate: EvenRate,
    report: Callable[[int], None],
) -> int:
    sent = 0
    async with publisher:
        while True:
            chunk = _take(lines, await _allowed(rate))
            if not chunk:
                return sent
            too_long = chunk.pop() if chunk[-1].size > LONGEST else None
            facts = [outgoing(line.body) for line in chunk if not line.blank]
            if facts:
                await publisher.publish(facts)
            progress.confirmed(chunk)
            rate.gone(len(facts))
            sent += len(facts)
            report(sum(line.size for line in chunk))
            if too_long is not None:
                more = " and more, with no end to be seen" if too_long.endless else ""
                raise PublishError(
                    f"line {too_long.number:,} is too long for a broker: {too_long.size:,} bytes"
                    f"{more}"
                )


async def _allowed(rate: EvenRate) -> int:
    """How many facts may go, 1 to CHUNK, when the rate has been waited for."""
    clock = asyncio.get_running_loop().time
    allowed = rate.allowed(clock())
    if not allowed:
        await asyncio.sleep(rate.wait())
        allowed = rate.allowed(clock())
    return max(1, allowed)  # sleeping may end a hair too early


def _take(lines: Iterator[Line], most: int) -> list[Line]:
    """The next lines with at most so many facts, up to one that is too long; none at the end."""
    taken: list[Line] = []
    size = 0
    for line in lines:
        taken.append(line)
        size += line.size
        most -= not line.blank
        if not most or size >= CHUNK_BYTES:
            break
    return taken
