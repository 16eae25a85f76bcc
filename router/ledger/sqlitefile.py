"""A ledger in a file of SQLite.

One router holds it at a time (`lock.py`). Operators' commands write beside it in short
transactions; reading never waits for anybody. Before and after each transaction it is looked
whether the files are still the ones that were opened (`files.py`).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from router.errors import LedgerError
from router.files.newfiles import Access, make_file
from router.ledger.driver import read
from router.ledger.files import LedgerFiles, close_beside
from router.ledger.lock import RouterLock, take_lock
from router.ledger.store import ASIDE, STORE, LedgerGone, LedgerUnavailable, Use

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
INSTRUCTIONS = 10_000
"""Of SQLite's machine, between two looks at the clock: well under a millisecond."""
ROOM = 256 * 1024
"""Bytes that must be free for the ledger to take more; a large transaction needs about as many."""


@dataclass
class SqliteFile:
    """A `Store`."""

    name: str
    engine: Engine
    lock: RouterLock | None = None
    files: LedgerFiles | None = None
    """None where nothing is written: who only reads takes what is there."""
    memory: dict[str, Any] = field(default_factory=dict)

    def version(self, connection: Connection) -> int:
        """As long as it stays, so does all that was read."""
        return int(read(connection, "PRAGMA data_version")[0][0])

    def number(self, connection: Connection) -> int:
        """As `_named` gave it."""
        return int(read(connection, "PRAGMA user_version")[0][0])

    def lost(self) -> str | None:
        """What became of its files."""
        return self.files.lost() if self.files is not None else None

    def full(self) -> str | None:
        """That its disk is."""
        where = Path(self.name).parent
        try:
            disk = os.statvfs(where)
        except OSError:
            return None
        if disk.f_bavail * disk.f_frsize >= ROOM:
            return None
        return f"the disk that {where} is on is full: free some of it"

    def explained(self, error: BaseException) -> LedgerError | None:
        """LedgerUnavailable for what is in the way, LedgerGone for what is damaged."""
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        if lost := self.lost():  # what SQLite says of a file that was written over is not the cause
            return LedgerGone(lost)
        if isinstance(error, sqlite3.OperationalError):
            return LedgerUnavailable(f"the ledger can't be used now: {error}")
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            return LedgerGone(
                f"{self.name}: the ledger is damaged ({error}): was it written "
                f"over, is the disk at fault? Restore a backup before the router is started again"
            )
        return None

    def failed(self, connection: Connection, error: BaseException) -> None:
        """The connection is as good as before."""

    def uncommitted(self, connection: Connection, end: tuple[int, str] | None) -> None:
        """It is plain what was committed, and what was not."""

    def give_up_after(self, connection: Connection, seconds: float) -> None:
        """By looks at the clock."""
        driver: Any = connection.connection.driver_connection
        late = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > late, INSTRUCTIONS)

    def sizes(self, _connection: Connection) -> Mapping[str, int]:
        """Of the `database`, and of the `log` that is not folded into it yet."""
        files = {
            part: Path(f"{self.name}{end}") for part, end in (("database", ""), ("log", "-wal"))
        }
        return {part: file.stat().st_size if file.exists() else 0 for part, file in files.items()}

    def close(self, connection: Connection) -> None:
        """Fold the log into the database that was opened, wherever it is by now."""
        if self.files is not None and self.files.may_fold():
            if self.files.lost():
                _fold(connection)
            if self.lock is not None:
                self.lock.may_close()
        connection.close()
        self.engine.dispose()
        if self.files is not None:
            self.files.set_log_aside()
        if self.lock is not None:
            self.lock.let_go()


def _fold(connection: Connection) -> None:
    """SQLite folds in no log when the file has moved: the next at its place would get it."""
    driver: Any = connection.connection.driver_connection
    with suppress(sqlite3.Error):  # full, or in use
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@dataclass
class OpeningFile:
    """A file on its way to be a ledger: `connect`, migrate, `finish`; `undo` when that fails."""

    path: Path
    """As configured, absolute."""
    use: Use
    access: Access
    busy_seconds: float

    def __post_init__(self) -> None:
        self.real = Path(os.path.realpath(self.path))
        self.name = str(self.real)
        self._lock: RouterLock | None = None
        self._connection: Connection | None = None
        self._undo = ExitStack()

    def connect(self, *, make: bool) -> Connection:
        """An open connection; LedgerError where there is no place for it."""
        _may_be_there(self.real, make=make and self.use is not Use.READ)
        if self.use is Use.ROUTE:
            self._lock = take_lock(self.path, self.real, self.access)
            self._undo.callback(self._lock.let_go)
            close_beside(self.real, self.access)
        elif self.use is Use.CHANGE:
            _make(self.real, self.access)
        engine = _engine(self.real, self.use, self.busy_seconds)
        self.store = SqliteFile(self.name, engine, self._lock)
        engine.update_execution_options(**{STORE: self.store})
        self._undo.callback(engine.dispose)
        self._connection = engine.connect()
        self._undo.callback(self._connection.close)
        return self._connection

    def has_tables(self, connection: Connection) -> bool:
        """Whether some program has made any that migrations know."""
        question = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        return bool(connection.exec_driver_sql(question).scalar_one())

    def finish(self, connection: Connection) -> SqliteFile:
        """The ledger, at this program's revision."""
        name = _named(connection, self.use)
        if self.use is not Use.READ:
            self.store.files = LedgerFiles.opened(self.path, self.real, self._lock, name)
        if self._lock is not None:
            self._lock.keep_open()
        self._undo.pop_all()
        return self.store

    def try_out(self) -> None:
        """A file is tried by `check` of the configuration."""

    def undo(self) -> None:
        """It was not to be."""
        self._undo.close()

    def explained(self, error: BaseException) -> LedgerError | None:
        """Why it can't be opened, in one line; None for what is no failure of the database."""
        if not isinstance(error, sqlite3.DatabaseError):
            return None
        return LedgerError(_explain(self.real, str(error), self.busy_seconds))


def _make(path: Path, access: Access) -> None:
    """An empty file where there is none: SQLite would make one that everybody may read."""
    try:
        make_file(path, access).close()
    except FileExistsError:
        pass
    except OSError as error:
        raise LedgerError(f"{path}: the ledger can't be opened: {error.strerror}") from error


def _may_be_there(path: Path, *, make: bool) -> None:
    if not make and not path.exists():
        raise LedgerError(
            f"{path}: there is no ledger; it is made by `hubherald run` or `hubherald inventory "
            f"import` (is ledger.url in the configuration right?)"
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise LedgerError(f"{path}: not a plain file; mend ledger.url, or move it away")
    if not path.parent.is_dir():
        raise LedgerError(f"{path}: its folder does not exist; make it, or mend ledger.url")


def _explain(path: Path, reason: str, busy_seconds: float) -> str:
    if "locked" in reason:
        return (
            f"{path}: the ledger is locked by another program for more than {busy_seconds:g} s; "
            f"wait for it (a long import?) or look with `fuser {path}`"
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        found = path.stat()
        return (
            f"{path}: the ledger is closed to you; run this as user {found.st_uid}, or with "
            f"`ledger: {{access: group}}`, from the router's next start on, in group {found.st_gid}"
        )
    if "not a database" in reason:
        return f"{path}: not a ledger of Hubherald; mend ledger.url or move the file away"
    return f"{path}: the ledger can't be opened: {reason}"


def _engine(path: Path, use: Use, busy_seconds: float) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -65536")
        if use is Use.READ:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        alone = use is not Use.READ and not connection.get_execution_options().get(ASIDE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")

    return engine


def _named(connection: Connection, use: Use) -> int:
    """The number that tells this ledger from others; it is given one if it has none."""
    driver: Any = connection.connection.driver_connection
    (name,) = driver.execute("PRAGMA user_version").fetchone()
    if not name and use is not Use.READ:
        name = secrets.randbelow(2**31 - 1) + 1
        with connection.begin():
            connection.exec_driver_sql(f"PRAGMA user_version = {name}")
        with suppress(sqlite3.Error):  # it waits in the log until the next time
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return int(name)
