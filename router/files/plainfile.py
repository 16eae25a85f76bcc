"""Plain files, opened without waiting, whatever stands at their path.

A pipe holds whoever opens it until somebody writes, a device may do anything, and neither ends.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

ENDLESS = 256 * 1024 * 1024
"""Bytes of a line after which it is none, nor a hole in a sparse file one to read to its end."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_plain(file: Path, *, follow: bool = True) -> BinaryIO:
    """The file, to be read. OSError, with words in `strerror`, when it is anything but plain.

    `follow`: also by a symbolic link. ValueError when it is not the name of a file.
    """
    _require_plain(file.stat(follow_symlinks=follow), file)  # opening a device has effects
    opened = os.open(file, _FLAGS | (0 if follow else os.O_NOFOLLOW))
    try:
        _require_plain(os.fstat(opened), file)
    except OSError:
        os.close(opened)
        raise
    return PlainFile(FileIO(opened))


class PlainFile(BufferedReader):
    """One that has nothing to give now says so as an error, and not by None.

    What is plain by its status can be anything below /proc or on a FUSE.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """So many bytes, or what there is. BlockingIOError when it has none now, and no end."""
        found: bytes | None = super().read(size)
        if found is None:
            raise BlockingIOError(errno.EAGAIN, "it has nothing to give now")
        return found


def _require_plain(status: os.stat_result, file: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "a symbolic link", str(file))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(file))
