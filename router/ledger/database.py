"""Opening a ledger, transactions, and migrations.

On SQLite one router holds the ledger at a time (`lock.py`). Operators' commands write beside it in
short transactions; reading never waits for anybody. Before and after each transaction it is looked
whether the files are still the ones that were opened (`files.py`).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import StaticPool

from router.errors import LedgerError
from router.files.newfiles import Access, make_file
from router.ledger.driver import read
from router.ledger.files import LedgerFiles, LedgerGone, close_beside
from router.ledger.lock import RouterLock, take_lock
from router.ledger.reader import BUSY_SECONDS, NEWEST

WRITTEN = "written"
"""Where a connection keeps what its recorder knows of the records (`recorder.Written`)."""
NUMBERS = "numbers"
"""Where a connection keeps the numbers of what repeats in records."""
WORDED = "worded"
"""Where a connection keeps how Alerts are worded."""
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
INSTRUCTIONS = 10_000
"""Of SQLite's machine, between two looks at the clock: well under a millisecond."""

Transaction = Connection
"""A connection in a transaction that has begun."""
ASIDE = "aside"
"""The option of a connection whose transactions change nothing that others see."""


class Use(StrEnum):
    """What a ledger is opened for."""

    ROUTE = "route"  # the router: alone, makes and migrates
    CHANGE = "change"  # an operator's change or import: makes and migrates
    READ = "read"  # must be there already


ROOM = 256 * 1024
"""Bytes that must be free for the ledger to take more; a large transaction needs about as many."""


class LedgerUnavailable(LedgerError):
    """The database did not take it now (locked, disk full); the same may work later."""


@dataclass
class Database:
    """An open database with one connection; used by one thread at a time."""

    engine: Engine
    connection: Connection
    use: Use
    files: LedgerFiles | None
    """None where nothing is written: who only reads takes what is there."""
    lock: RouterLock | None
    made: bool
    """Whether there was no ledger before."""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """BEGIN IMMEDIATE (or a read snapshot) ... COMMIT.

        LedgerUnavailable when it can't; LedgerGone when the files are others by now, also when
        that is found after the commit: what was committed may then be nowhere.
        """
        self._be_there()
        written = self.connection.info.get(WRITTEN)
        try:
            with self.connection.begin():
                yield self.connection
        except BaseException as error:
            self.connection.info[WRITTEN] = written
            for name in (NUMBERS, WORDED):  # some may not have been committed
                self.connection.info.pop(name, None)
            cause = error.orig if isinstance(error, DatabaseError) else error
            if isinstance(cause, sqlite3.DatabaseError):
                self._explain(cause)
            raise
        self._be_there()

    def _explain(self, error: sqlite3.DatabaseError) -> None:
        self._be_there()  # what SQLite says of a file that was written over is not the cause
        if isinstance(error, sqlite3.OperationalError):
            raise LedgerUnavailable(f"the ledger can't be used now: {error}") from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            raise LedgerGone(
                f"{self.engine.url.database}: the ledger is damaged ({error}): was it written "
                f"over, is the disk at fault? Restore a backup before the router is started again"
            ) from error

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """BEGIN ... COMMIT, for reading and for temporary tables: nobody waits for it.

        LedgerUnavailable when it can't.
        """
        self.connection.execution_options(**{ASIDE: True})
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execution_options(**{ASIDE: False})

    def lost(self) -> str | None:
        """Why this is not the ledger at its path any more, and what to do; None while it is."""
        return self.files.lost() if self.files is not None else None

    def _be_there(self) -> None:
        if lost := self.lost():
            raise LedgerGone(lost)

    def give_up_after(self, seconds: float) -> None:
        """From now on: what is still being read then ends with LedgerUnavailable."""
        driver: Any = self.connection.connection.driver_connection
        late = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > late, INSTRUCTIONS)

    def sizes(self) -> dict[str, int]:
        """Bytes on disk: of the `database`, and of the `log` that is not folded into it yet."""
        parts = {"database": "", "log": "-wal"}
        files = {part: Path(f"{self.engine.url.database}{end}") for part, end in parts.items()}
        return {part: file.stat().st_size if file.exists() else 0 for part, file in files.items()}

    def full(self) -> str | None:
        """That its disk has no room for another transaction; None while it has."""
        where = Path(str(self.engine.url.database)).parent
        try:
            disk = os.statvfs(where)
        except OSError:
            return None
        if disk.f_bavail * disk.f_frsize >= ROOM:
            return None
        return f"the disk that {where} is on is full: free some of it"

    def close(self) -> None:
        """Close the connection, then let go of the lock."""
        if self.files is not None and self.files.may_fold():
            if self.files.lost():
                self._fold()
            if self.lock is not None:
                self.lock.may_close()
        self.connection.close()
        self.engine.dispose()
        if self.files is not None:
            self.files.set_log_aside()
        if self.lock is not None:
            self.lock.let_go()

    def _fold(self) -> None:
        """SQLite folds in no log when the file has moved: the next at its place would get it."""
        driver: Any = self.connection.connection.driver_connection
        with suppress(sqlite3.Error):  # full, or in use
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def version_of(connection: Connection) -> int:
    """The same, in a transaction that has begun: as long as it stays, so does all that was read."""
    return int(read(connection, "PRAGMA data_version")[0][0])


def open_database(
    url: str,
    use: Use,
    *,
    access: Access = Access.OWNER,
    busy_seconds: float = BUSY_SECONDS,
    make: bool = True,
) -> Database:
    """Open the ledger at an SQLAlchemy URL. LedgerError, in one line, when it can't be used.

    `access` is who may open its files: kept to by the router, and by whoever makes them.
    `busy_seconds` is how long a transaction waits for another program's. `make`: one that is not
    there yet is made, but by who only reads.
    """
    path = _path(url)
    real = Path(os.path.realpath(path))
    _may_be_there(real, make=make and use is not Use.READ)
    with ExitStack() as undo:
        lock = take_lock(path, real, access) if use is Use.ROUTE else None
        if lock is not None:
            undo.callback(lock.let_go)
            close_beside(real, access)
        elif use is Use.CHANGE:
            _make(real, access)
        try:
            engine = _engine(real, use, busy_seconds)
            undo.callback(engine.dispose)
            connection = engine.connect()
            undo.callback(connection.close)
            made = _migrate(connection, use, real)
            name = _named(connection, use)
        except DatabaseError as error:
            raise LedgerError(_explain(real, str(error.orig), busy_seconds)) from error
        files = None if use is Use.READ else LedgerFiles.opened(path, real, lock, name)
        if lock is not None:
            lock.keep_open()
        undo.pop_all()
    return Database(engine, connection, use, files, lock, made)


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


def _path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError(f"ledger.url {url!r} is not a database URL; use sqlite:///FILE") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise LedgerError(f"ledger.url must be sqlite:///FILE, not {parsed.get_backend_name()}")
    return Path(parsed.database).absolute()


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


def _migrate(connection: Connection, use: Use, path: Path) -> bool:
    """Bring the tables up to this program; gives whether there were none."""
    with connection.begin():
        if _revision(connection) == NEWEST:
            return False
        # Alembic takes longer to import than most commands to run, and most need none of it
        migrating = import_module("router.ledger.migrating")
        return bool(migrating.migrate(connection, path, may_change=use is not Use.READ))


def _revision(connection: Connection) -> str | None:
    question = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
    if not connection.exec_driver_sql(question).scalar_one():
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    return str(found[0]) if len(found) == 1 else None
