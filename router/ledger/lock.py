"""The lock of the one router that may hold a ledger.

It is on the database itself: a link, a mount or another spelling of the path leads to the same
lock, and there is no file beside it that could be taken away. `flock` belongs to our descriptor,
knows nothing of the record locks that SQLite sets on the same file, and is dropped by the operating
system with the process, however that ends.

The descriptor is opened before SQLite opens the file and closed after SQLite has closed it: whoever
closes any descriptor of a file drops all record locks of the process on it, SQLite's among them.
Should that happen all the same, `keep_open` stands in for them.

The files `*.lock`, by which older versions lock, are locked as well where that can be done: so an
older router is kept out, and they say who holds the ledger. What stands there otherwise, a left
file, a foreign one or none, changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from router.errors import LedgerError
from router.files.newfiles import Access

SHARED = 0x4000_0002
"""The first of the bytes on which SQLite has a shared lock as long as it has the file open."""
LOCKS = Path("/proc/locks")
_BESIDE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class RouterLock:
    """Held until `let_go`, or until the process ends."""

    database: int
    """A descriptor of the database. To read from, at most: see above before closing any other."""
    beside: Sequence[int]
    """Descriptors of the lock files."""
    before: bool
    """Whether a lock file stood there: a router has held a ledger at this place before."""

    def names(self) -> int:
        """How many names the database has; SQLite's log stands beside one of them."""
        return os.fstat(self.database).st_nlink

    def exposed(self) -> bool:
        """Whether everybody on this machine may read the database."""
        return bool(os.fstat(self.database).st_mode & 0o004)

    def keep_open(self) -> None:
        """Tell other processes that the database is open, whatever becomes of SQLite's own locks.

        A process that thinks itself the last to close the database deletes its log, under us.
        """
        self._share(fcntl.F_RDLCK)

    def may_close(self) -> None:
        """SQLite may fold the log into the database, and delete the log, when it closes it now."""
        self._share(fcntl.F_UNLCK)

    def let_go(self) -> None:
        """Another router may have the ledger; only after SQLite has closed it."""
        for descriptor in (self.database, *self.beside):
            os.close(descriptor)

    def _share(self, kind: int) -> None:
        # not everywhere; what it stands in for is there all the same
        one_byte = struct.pack("hhqqi", kind, os.SEEK_SET, SHARED, 1, 0)
        with suppress(OSError):
            fcntl.fcntl(self.database, fcntl.F_OFD_SETLK, one_byte)


def take_lock(path: Path, real: Path, access: Access) -> RouterLock:
    """Lock the database at a path, `real` without links; made, empty, when it is not there.

    Its files are closed to all but those who may open them.

    LedgerError when another router holds it.
    """
    with ExitStack() as undo:
        before, beside = False, list[int]()
        given = path.parent.resolve() / path.name
        for name in sorted({f"{given}.lock", f"{real}.lock"}):
            before = before or Path(name).exists()
            if Path(name).exists() and not Path(name).is_file():
                continue  # a pipe can be opened, but not read by its place
            with suppress(OSError):  # not ours to open, or no file: older versions did not get in
                beside.append(os.open(name, _BESIDE, access.file_mode))
                undo.callback(os.close, beside[-1])
        for descriptor in beside:
            _lock(descriptor, real, said=os.pread(descriptor, 20, 0))
        try:
            database = os.open(real, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, access.file_mode)
        except OSError as error:
            raise LedgerError(f"{real}: the ledger can't be opened: {error.strerror}") from error
        undo.callback(os.close, database)
        _lock(database, real)
        for descriptor in beside:
            with suppress(OSError):  # a full disk
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        for descriptor in (database, *beside):
            with suppress(OSError):  # somebody else's
                os.fchmod(descriptor, access.file_mode)
        undo.pop_all()
        return RouterLock(database, beside, before)


def _lock(descriptor: int, real: Path, *, said: bytes = b"") -> None:
    """`said` is what stands in a lock file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor) or said.decode(errors="replace").strip() or "unknown"
        raise LedgerError(
            f"{real}: held by another router (process {holder}); one ledger serves one router, "
            f"stop that one first"
        ) from None
    except OSError as error:
        raise LedgerError(
            f"{real}: the ledger can't be locked: {error.strerror}; it belongs on a local disk"
        ) from error


def _holder(descriptor: int) -> str | None:
    """The process that has locked a file, where the system tells."""
    file = os.fstat(descriptor)
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    with suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            match line.split():
                case [_, "FLOCK", _, "WRITE", process, where, *_] if where == place:
                    return process
    return None
