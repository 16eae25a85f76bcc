"""Opening a ledger, transactions, and migrations.

Where it is kept (`store.py`) knows who may write when, and what a failure means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from router.errors import LedgerError
from router.files.newfiles import Access
from router.ledger import sqlitefile
from router.ledger.reader import BUSY_SECONDS, NEWEST
from router.ledger.store import (
    ASIDE,
    LOOKING,
    NUMBERS,
    WORDED,
    WRITTEN,
    LedgerGone,
    LedgerUnavailable,
    LedgerUnreachable,
    Store,
    Use,
)

__all__ = ["Database", "LedgerUnavailable", "Use", "open_database"]

Transaction = Connection
"""A connection in a transaction that has begun."""


@dataclass
class Database:
    """An open database with one connection; used by one thread at a time."""

    url: str
    """As it was given to be opened."""
    connection: Connection
    use: Use
    store: Store
    made: bool
    """Whether there was no ledger before."""

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's; it has the one connection."""
        return self.connection.engine

    @property
    def name(self) -> str:
        """As people call it."""
        return self.store.name

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Alone, where it may write (or a snapshot to be read) ... COMMIT.

        LedgerUnavailable when it can't; LedgerGone when the files are others by now, also when
        that is found after the commit: what was committed may then be nowhere.
        """
        self._be_there()
        memory = self.store.memory
        before = tried = None
        try:
            with self.connection.begin():
                before = tried = memory.get(WRITTEN)
                try:
                    yield self.connection
                except BaseException as error:
                    memory[WRITTEN] = before
                    self.store.failed(self.connection, error)
                    raise
                tried, memory[WRITTEN] = memory.get(WRITTEN), before
        except BaseException as error:
            for name in (NUMBERS, WORDED):  # some may not have been committed
                memory.pop(name, None)
            if tried is not None and tried is not before:
                self.store.uncommitted(self.connection, tried.last)
            cause = error.orig if isinstance(error, DatabaseError) and error.orig else error
            explained = self.store.explained(cause)
            if explained is not None:
                raise explained from cause
            raise
        memory[WRITTEN] = tried
        self._be_there()

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """BEGIN ... COMMIT, for reading and for temporary tables: nobody waits for it.

        LedgerUnavailable when it can't.
        """
        with self._with(ASIDE) as connection:
            yield connection

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """To ask whether others have changed anything; it also tells others that we are there."""
        with self._with(LOOKING) as connection:
            yield connection

    @contextmanager
    def _with(self, option: str) -> Iterator[Connection]:
        self.connection.execution_options(**{option: True})
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execution_options(**{option: False})

    def lost(self) -> str | None:
        """Why this is not the ledger at its path any more, and what to do; None while it is."""
        return self.store.lost()

    def _be_there(self) -> None:
        if lost := self.lost():
            raise LedgerGone(lost)

    def give_up_after(self, seconds: float) -> None:
        """From now on: what is still being read then ends with LedgerUnavailable."""
        self.store.give_up_after(self.connection, seconds)

    def sizes(self) -> Mapping[str, int]:
        """Bytes on disk: of the `database`, and of the `log` that is not folded into it yet."""
        with self.aside() as connection:
            return self.store.sizes(connection)

    def full(self) -> str | None:
        """That its disk has no room for another transaction; None while it has."""
        return self.store.full()

    def close(self) -> None:
        """Close the connection, then let go of the ledger."""
        self.store.close(self.connection)


@dataclass(frozen=True, slots=True)
class ServerTrouble:
    """Why a server gives a router no ledger."""

    message: str
    answered: bool
    """The server said so; else it could not be asked."""


def server_trouble(url: str, password: str | None) -> ServerTrouble | None:
    """Why a router would get no ledger from the server at an URL; None where it would."""
    opening = _opening(url, Use.READ, Access.OWNER, password, BUSY_SECONDS)
    try:
        opening.try_out()
    except LedgerError as error:
        return ServerTrouble(str(error), not isinstance(error, LedgerUnreachable))
    finally:
        opening.undo()
    return None


class _Opening(Protocol):
    """A ledger that is being opened: `connect`, migrate, `finish`; `undo` when that fails."""

    name: str

    def connect(self, *, make: bool) -> Connection: ...
    def has_tables(self, connection: Connection) -> bool: ...
    def finish(self, connection: Connection) -> Store: ...
    def undo(self) -> None: ...
    def try_out(self) -> None: ...
    def explained(self, error: BaseException) -> LedgerError | None: ...


def open_database(
    url: str,
    use: Use,
    *,
    access: Access = Access.OWNER,
    password: str | None = None,
    busy_seconds: float = BUSY_SECONDS,
    make: bool = True,
) -> Database:
    """Open the ledger at an URL. LedgerError, in one line, when it can't be used.

    `access` is who may open its files: kept to by the router, and by whoever makes them.
    `password` is what a server is told. `busy_seconds` is how long a transaction waits for
    another program's. `make`: one that is not there yet is made, but by who only reads.
    """
    opening = _opening(url, use, access, password, busy_seconds)
    try:
        connection = opening.connect(make=make)
        made = _migrate(opening, connection, use)
        store = opening.finish(connection)
    except BaseException as error:
        cause = error.orig if isinstance(error, DatabaseError) and error.orig else error
        explained = opening.explained(cause)
        opening.undo()
        if explained is not None:
            raise explained from error
        raise
    return Database(url, connection, use, store, made)


def _opening(
    url: str, use: Use, access: Access, password: str | None, busy_seconds: float
) -> _Opening:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LedgerError(
            f"ledger.url {url!r} is not a database URL; use sqlite:///FILE or postgresql://HOST/NAME"
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = Path(parsed.database).absolute()
        return sqlitefile.OpeningFile(path, use, access, busy_seconds)
    if parsed.get_backend_name() == "postgresql":
        try:
            postgres = import_module("router.ledger.postgres.opening")
        except ModuleNotFoundError as error:
            if error.name != "psycopg":
                raise
            raise LedgerError(
                "a ledger on PostgreSQL needs psycopg: `pip install 'hubherald[postgresql]'`"
            ) from None
        opening: _Opening = postgres.OpeningServer(url, use, password, busy_seconds)
        return opening
    raise LedgerError(
        f"ledger.url must be sqlite:///FILE or postgresql://HOST/NAME, not "
        f"{parsed.get_backend_name()}"
    )


def _migrate(opening: _Opening, connection: Connection, use: Use) -> bool:
    """Bring the tables up to this program; gives whether there were none."""
    with connection.begin():
        if opening.has_tables(connection) and _revision(connection) == NEWEST:
            return False
        # Alembic takes longer to import than most commands to run, and most need none of it
        migrating = import_module("router.ledger.migrating")
        return bool(migrating.migrate(connection, opening.name, may_change=use is not Use.READ))


def _revision(connection: Connection) -> str | None:
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    return str(found[0]) if len(found) == 1 else None
