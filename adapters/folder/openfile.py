"""One file that is held open, so that its name may come to mean another one.

What is read of a file that others write must be checked to have stood there: a piece of a file
that has just changed is read twice, and the edges of all that was read are remembered, so that a
look at them tells a file that grew from one that was written anew.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from adapters.folder.look import FileStatus

EDGE = 65_536
"""Bytes that are remembered at either end of what was read: all of a file of up to twice that."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not hold us


class ShiftedError(Exception):
    """What was read is not what stands there: somebody writes it at this moment."""


class OpenFile:
    """Reads the bytes of one file by their place."""

    def __init__(self, path: Path, pause: Callable[[], None]) -> None:
        """`pause` is called before each piece; it may raise, to stop what takes long."""
        self._pause = pause
        self.careful = False
        """Read each piece twice: the status does not tell whether it has changed."""
        self._handle = os.open(path, _FLAGS)
        self.forget()
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            self.close()
            raise OSError(errno.EINVAL, "not a plain file")

    def close(self) -> None:
        """Let go of it; nothing may be read any more."""
        os.close(self._handle)

    def status(self) -> FileStatus:
        """How it stands now, under whatever name."""
        return FileStatus.of(os.fstat(self._handle))

    def read(self, position: int, size: int) -> bytes:
        """What stands there, less where the file ends. ShiftedError while it is being changed."""
        self._pause()
        data = self._read(position, size)
        if self.careful and self._read(position, len(data)) != data:
            raise ShiftedError
        self._remember(position, data)
        return data

    def untouched(self) -> bool:
        """Whether the edges of all that was read still stand there."""
        tail = self._far - len(self._tail)
        return (
            self._read(0, len(self._head)) == self._head
            and self._read(tail, len(self._tail)) == self._tail
        )

    def forget(self) -> None:
        """What was read is read again."""
        self._head = self._tail = b""
        self._far = 0

    def _read(self, position: int, size: int) -> bytes:
        data = os.pread(self._handle, size, position)
        while 0 < len(data) < size:  # some file systems give less than there is
            more = os.pread(self._handle, size - len(data), position + len(data))
            if not more:
                break
            data += more
        return data

    def _remember(self, position: int, data: bytes) -> None:
        end = position + len(data)
        if position <= len(self._head) < min(end, EDGE):
            self._head = (self._head[:position] + data)[:EDGE]
        if end > self._far:
            tail = self._far - len(self._tail)
            before = self._tail[: position - tail] if tail <= position <= self._far else b""
            self._tail, self._far = (before + data)[-EDGE:], end
