"""Standard error that nobody waits for.

Whoever reads our log may stop reading, with the pipe left open: a pager, a collector that hangs, a
disk on a mount that is away. A write would then never return, and with it everything would stand
still that runs on the event loop, SIGTERM too. So a thread writes, behind a bounded queue.
"""

from __future__ import annotations

import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

MOST = 4 * 1024 * 1024
"""Bytes that wait at most; what comes on top is dropped."""
PIECE = 8_192
"""Bytes that are written at once, as they are how it shows that a slow reader reads."""
STUCK = 3.0
"""Seconds without a byte taken after which nobody waits for the rest at the end."""
LAST = 10.0
"""Seconds that the rest has at the end, however steadily it goes."""


class LogStream(io.TextIOBase):
    """Writes to a descriptor in a thread of its own; `write` takes no time, whoever reads.

    What is dropped is whole writes, so whole lines, and in one row until half of the queue is free
    again; `note` gives the line that says how many were dropped, which stands where they would.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, note: Callable[[int], str], most: int = MOST) -> None:
        super().__init__()
        self.dropped = 0
        """Lines that were not written, since the start."""
        self._descriptor = descriptor
        self._note = note
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        """Bytes that wait or are being written."""
        self._moved = 0
        """How often something was taken, or given up."""
        self._full = False
        self._untold = 0
        # daemon: it may never come back from a write
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor behind it."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether people read it."""
        return os.isatty(self._descriptor)

    def write(self, text: str) -> int:
        """Have it written, or dropped where too much waits already."""
        data = text.encode(self.encoding, self.errors)
        with self._changed:
            self._full = self._full or self._size + len(data) > self._most
            if self._full:
                self._drop(data)
            else:
                self._add(data)
        return len(text)

    def flush(self) -> None:
        """Nobody waits here: see `drain`."""

    def drain(self) -> None:
        """Wait for what is left, at the end of the process; not for a reader that is stuck."""
        last = time.monotonic() + LAST
        with self._changed:
            while self._size and self._moves(min(STUCK, last - time.monotonic())):
                pass

    def _moves(self, longest: float) -> bool:
        before = self._moved
        return self._changed.wait_for(lambda: self._moved > before, longest)

    def _add(self, data: bytes) -> None:
        self._waiting.append(data)
        self._size += len(data)
        self._changed.notify_all()

    def _drop(self, data: bytes) -> None:
        lines = data.count(b"\n")
        self.dropped += lines
        self._untold += lines

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                data = self._waiting.popleft()
            whole = self._put(data)
            with self._changed:
                self._size -= len(data)
                if not whole:
                    self._drop(data)
                if self._size <= self._most // 2:
                    self._full = False
                    if whole and self._untold:
                        untold, self._untold = self._untold, 0
                        self._add(self._note(untold).encode(self.encoding, self.errors))
                self._move()

    def _move(self) -> None:
        self._moved += 1
        self._changed.notify_all()

    def _put(self, data: bytes) -> bool:
        """Write all of it; False where nobody takes it: a full disk, a reader that has gone."""
        position = 0
        while position < len(data):
            try:
                count = os.write(self._descriptor, data[position : position + PIECE])
            except BlockingIOError:  # whoever shares the descriptor has made it so
                select.select([], [self._descriptor], [])
                continue
            except OSError:
                return False
            position += count
            with self._changed:
                self._move()
        return True
