"""Files and folders that we make: closed to others, and never by way of a symbolic link.

Alerts, ledgers and what was published tell which company supplies whose home. Under the usual umask
everybody with a login could read that.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVER = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Access(StrEnum):
    """Whose the files are that the router writes."""

    OWNER = "owner"  # who runs it, and nobody else
    GROUP = "group"  # and the group of the file

    @property
    def file_mode(self) -> int:
        """The permissions of a file."""
        return 0o660 if self is Access.GROUP else 0o600

    @property
    def folder_mode(self) -> int:
        """The permissions of a folder."""
        return 0o770 if self is Access.GROUP else 0o700


def make_file(file: Path, access: Access) -> BinaryIO:
    """A file that was not there, to be written. OSError, also where a link stands in its place."""
    opened = os.open(file, _NEW, access.file_mode)
    os.fchmod(opened, access.file_mode)  # whatever the umask is
    return os.fdopen(opened, "wb")


def put_in_place(file: Path, content: bytes, access: Access) -> None:
    """Write a file that is there as a whole or not at all, over the one before. OSError."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)  # of a process that died over it
    with make_file(unfinished, access) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    unfinished.rename(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Have on disk which files are in it. OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make_folder(folder: Path, access: Access) -> None:
    """The folder, with those above it, where they are missing; what is there stays as it is."""
    for missing in reversed(list(takewhile(_is_missing, [folder, *folder.parents]))):
        try:
            missing.mkdir(access.folder_mode)
        except FileExistsError:  # somebody else was faster
            continue
        missing.chmod(access.folder_mode)
    if not folder.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))


def _is_missing(folder: Path) -> bool:
    return not folder.exists()


def replace(file: Path, content: bytes) -> None:
    """Another content for a file that is there, all of it at once; owner and mode stay. OSError."""
    real = Path(os.path.realpath(file))
    found = real.stat()
    draft = real.with_name(f".{real.name}.new")
    try:
        with make_file(draft, Access.OWNER) as out:
            out.write(content)
            os.fsync(out.fileno())
            os.fchmod(out.fileno(), stat.S_IMODE(found.st_mode))
            with suppress(PermissionError):  # then it is ours
                os.fchown(out.fileno(), found.st_uid, found.st_gid)
        draft.replace(real)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_over(file: Path, content: bytes) -> None:
    """Write a file that may be there already. OSError where anything but a plain file stands."""
    try:
        opened = os.open(file, _OVER, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            why = "a symbolic link stands in its place"
            raise OSError(errno.ELOOP, why, str(file)) from None
        raise
    with os.fdopen(opened, "wb") as out:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", str(file))
        out.truncate()
        out.write(content)
