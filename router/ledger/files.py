"""The files of an open ledger: whether they are still the ones that were opened.

SQLite goes on with files that were deleted, moved or replaced under it, and what it commits then is
in no ledger that anybody will ever open.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from router.files.newfiles import Access
from router.ledger.lock import RouterLock
from router.ledger.store import LedgerGone

LOG, INDEX = "-wal", "-shm"
"""What SQLite keeps beside an open database: what is not folded into it yet, and where that is."""
MAGIC = b"SQLite format 3\0"
COUNTS = slice(24, 32)
"""Of the first bytes of a database: how often it was changed, and its pages; neither decreases."""
NAME = slice(60, 64)
"""Of the same: `PRAGMA user_version`, a number of its own for each ledger; 0 while it has none."""
Identity = tuple[int, int]
"""Device and number of a file."""


@dataclass
class LedgerFiles:
    """The files as they were when the ledger was opened."""

    path: Path
    """As configured, absolute."""
    real: Path
    """The same without links; log and index stand beside it."""
    database: Identity | None
    beside: dict[Path, Identity | None]
    """The log and the index; asked for with each transaction, so their paths are made once."""
    lock: RouterLock | None
    """Its descriptor of the database is the one to read from: see there."""
    name: int
    """The number that the ledger has of its own."""
    named: bool = False
    """It was seen in the database, and not only in the log."""
    changed: int = field(default=0)
    """The highest counts seen in the database."""

    @classmethod
    def opened(cls, path: Path, real: Path, lock: RouterLock | None, name: int) -> Self:
        """Of a ledger that SQLite has just opened. LedgerGone when it was replaced meanwhile."""
        paths = [_beside(real, end) for end in (LOG, INDEX)]
        beside = {path: _identity(path) for path in paths}
        found = _identity(path)
        if lock is not None:
            ours = os.fstat(lock.database)
            if found != (ours.st_dev, ours.st_ino):
                raise LedgerGone(f"{real}: replaced while it was being opened; start again")
        return cls(path, real, found, beside, lock, name)

    def lost(self) -> str | None:
        """What happened and what to do, in a line; None while all files are the ones opened.

        Also None where that can't be told now: SQLite goes on with what it has open.
        """
        try:
            return self._database_lost() or self._beside_lost()
        except OSError:
            return None

    def _database_lost(self) -> str | None:
        now = _identity(self.path)
        if now != self.database:
            what = "gone: deleted or moved" if now is None else "not the one opened: replaced"
            return (
                f"{self.real}: the ledger is {what} while it was open; put it back, or restore a "
                f"backup, before the router is started again: on an empty place a new ledger is "
                f"made, which begins each sequence at 1"
            )
        if self.overwritten():
            return (
                f"{self.real}: the ledger was written over while it was open; restore a backup "
                f"before the router is started again, and only while it is stopped"
            )
        return None

    def _beside_lost(self) -> str | None:
        for path, opened in self.beside.items():
            now = _identity(path)
            if now != opened:
                what = "gone" if now is None else "not the one opened"
                return (
                    f"{path}: the file is {what} while the ledger was open, of which it "
                    f"is a part; touch none of them and start the router again: what was in it is "
                    f"folded into the ledger as the router ends"
                )
        return None

    def overwritten(self) -> bool:
        """Whether something other than SQLite has written into the database, as `cp` does.

        An older ledger is known by its counts, another one by its name.
        """
        if self.lock is None:
            return False
        before = self.changed  # first: another thread may look at the same time
        head = os.pread(self.lock.database, NAME.stop, 0)
        changed = int.from_bytes(head[COUNTS], "big")
        self.changed = max(self.changed, changed)
        name = int.from_bytes(head[NAME], "big")
        self.named = self.named or name == self.name
        other = name != self.name and (name != 0 or self.named)
        return not head.startswith(MAGIC) or changed < before or other

    def may_fold(self) -> bool:
        """Whether SQLite may fold the log into the database, and then delete it by its name."""
        try:
            return not self.overwritten() and all(
                _identity(path) in (None, opened) for path, opened in self.beside.items()
            )
        except OSError:
            return False

    def set_log_aside(self) -> None:
        """Once closed, keep our log from what was written over the database, if anything was.

        The next to open that would fold the one into the other.
        """
        log = _beside(self.real, LOG)
        with suppress(OSError):
            if self.overwritten() and _identity(log) == self.beside[log] is not None:
                log.rename(f"{log}.{os.getpid()}")


def close_beside(real: Path, access: Access) -> None:
    """What a router left beside its database gets the permissions of the database.

    What is made anew has them from SQLite.
    """
    for end in (LOG, INDEX):
        file = _beside(real, end)
        with suppress(OSError):  # somebody else's
            if file.is_file() and not file.is_symlink():
                file.chmod(access.file_mode)


def _beside(real: Path, end: str) -> Path:
    return real.with_name(real.name + end)


def _identity(path: Path) -> Identity | None:
    """None when there is certainly no file; OSError when that can't be told."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
