"""What one source has given and is not committed yet: bounded in messages and in bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from router.ledger.quarantine import PORTION, PORTION_BYTES
from router.ports import Cursor, Message

GATHER = PORTION
"""The most messages in one batch, as of what leaves quarantine."""
BATCH_BYTES = PORTION_BYTES
"""A batch that has so many bytes is full; that many facts of usual size are more than GATHER."""
IN_HAND = 3 * GATHER
"""The most messages of one source that are in the intake's hands at a time."""
IN_HAND_BYTES = 32 * 1024 * 1024
"""The most bytes of them; facts of usual size are never that many."""


REST = 0.008
"""Seconds at most from one batch to the next, while not many come: see `rest`."""
FEW = 50
"""So many messages are worth a commit at once."""


class Gathered:
    """A queue between who reads a source and who decides."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Message | Cursor] = asyncio.Queue(maxsize=IN_HAND - GATHER)
        self._bytes = 0
        self._room = asyncio.Event()
        self._rests_until = 0.0

    async def put(self, given: Message | Cursor) -> None:
        """Add one, once there is room for it; there always is for the first."""
        size = _size(given)
        while self._bytes and self._bytes + size > IN_HAND_BYTES:
            self._room.clear()
            await self._room.wait()
        self._bytes += size
        await self._queue.put(given)

    async def batch(self) -> list[Message | Cursor]:
        """What has come, up to GATHER or BATCH_BYTES; waits for the first."""
        found = [await self._queue.get()]
        rest = self._rests_until - time.monotonic()
        if rest > 0 and self._queue.qsize() < FEW:
            await asyncio.sleep(rest)
        size = _size(found[0])
        while len(found) < GATHER and size < BATCH_BYTES and not self._queue.empty():
            found.append(self._queue.get_nowait())
            size += _size(found[-1])
        return found

    def rest(self, seconds: float, count: int) -> None:
        """A batch of so many took so long: the next begins as much later, so more share it.

        Not after a lone one: facts do not come faster then than they are committed, and what comes
        to a router that keeps up waits for nothing.
        """
        if count > 1:
            self._rests_until = time.monotonic() + min(seconds, REST)

    def settled(self, given: Sequence[Message | Cursor]) -> None:
        """These are committed: others may come."""
        self._bytes -= sum(_size(each) for each in given)
        self._room.set()


def _size(given: Message | Cursor) -> int:
    return given.size if isinstance(given, Message) else 0
