"""The store of a ledger on a PostgreSQL server: one connection, used by one thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from router.errors import LedgerError
from router.ledger.postgres import said
from router.ledger.postgres.address import Address
from router.ledger.postgres.turns import WriteTurns
from router.ledger.store import (
    ASIDE,
    DOUBT,
    LOOKING,
    STORE,
    WRITTEN,
    LedgerUnavailable,
    SetBack,
    Use,
)

OLDEST = 13
"""The oldest PostgreSQL that is known to do."""
PREPARED_AFTER = 3
"""How often a statement is run before the server keeps its plan."""
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ABOUT = (
    "SELECT pg_backend_pid(), current_setting('server_version_num')::int, pg_is_in_recovery(),"
    " current_setting('server_version')"
)
_ANOTHER = 1 << 48
"""A version that no turns come to: what is remembered of what stands there is no more."""
_MARK = (
    "INSERT INTO lives (id, running, deaths, copied_at)"
    " VALUES (1, 0, 0, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    " ON CONFLICT (id) DO UPDATE SET copied_at = excluded.copied_at"
)


@dataclass
class PostgresServer:
    """A `Store`."""

    address: Address
    use: Use
    turns: WriteTurns
    memory: dict[str, Any] = field(default_factory=dict)
    ledger: int = 0
    """The number that tells it from others."""
    open: bool = False
    """It is a ledger, and begun transactions take their turn."""
    direct: bool = False
    """No pooler stands between: what a session keeps is there in the next transaction."""
    engine: Engine = field(init=False)
    _late: float | None = None
    _doubts: int = 0

    def __post_init__(self) -> None:
        self.engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connected,
            poolclass=NullPool,
            paramstyle="format",
            use_native_hstore=False,
            execution_options={STORE: self},
        )
        event.listen(self.engine, "begin", self._begin)

    @property
    def name(self) -> str:
        """Its URL without what is not its place."""
        return self.address.name

    def version(self, _connection: Connection) -> int:
        """As it was when this transaction began."""
        return self.turns.version + self._doubts * _ANOTHER

    def number(self, _connection: Connection) -> int:
        """As its migration gave it."""
        return self.ledger

    def lost(self) -> str | None:
        """What is lost, a transaction finds."""
        return None

    def full(self) -> str | None:
        """Only the server knows, and says so."""
        return None

    def explained(self, error: BaseException) -> LedgerError | None:
        """In the words of the server."""
        return said.explained(error)

    def failed(self, connection: Connection, error: BaseException) -> None:
        """What is broken is given up: the next transaction connects anew."""
        if isinstance(error, SetBack):
            self._mark(connection)
        self._drop_broken(connection)

    def uncommitted(self, connection: Connection, end: tuple[int, str] | None) -> None:
        """A commit that got no answer may have been one: then its end of the chain may be there."""
        if connection.invalidated:
            self.memory[DOUBT] = end
            self._doubts += 1

    def give_up_after(self, _connection: Connection, seconds: float) -> None:
        """Each transaction begins with what is left of that."""
        self._late = time.monotonic() + seconds

    def sizes(self, connection: Connection) -> Mapping[str, int]:
        """Of the whole `database`."""
        found = connection.exec_driver_sql("SELECT pg_database_size(current_database())")
        return {"database": int(found.scalar_one())}

    def close(self, connection: Connection) -> None:
        """Let go of the ledger, then close the connection."""
        with suppress(psycopg.Error):
            if self.open and not connection.closed and not connection.invalidated:
                self.turns.let_go(_driver(connection))
        connection.close()
        self.engine.dispose()

    def _connected(self) -> psycopg.Connection[Any]:
        # with our own BEGIN and COMMIT; a plan that the server keeps would outlive its transaction
        driver = psycopg.connect(
            self.address.url, autocommit=True, prepare_threshold=None, **self.address.parameters()
        )
        found = driver.execute(_ABOUT).fetchone()
        assert found is not None
        process, version, recovering, called = found
        try:
            self._may_be_used(version, called, recovering=recovering)
        except LedgerError:
            driver.close()
            raise
        # a pooler makes up the number of the process, as that changes with each transaction
        self.direct = process == driver.info.backend_pid
        if self.direct:
            driver.prepare_threshold = PREPARED_AFTER
        written = self.memory.get(WRITTEN)
        if written is not None:  # after a failover it may be another state: it is compared
            self.memory[WRITTEN] = replace(written, version=-1)
        return driver

    def _may_be_used(self, version: int, called: str, *, recovering: bool) -> None:
        if version < OLDEST * 10_000:
            raise LedgerError(
                f"{self.name}: this is PostgreSQL {called}; a ledger needs {OLDEST} or later"
            )
        if recovering and self.use is not Use.READ:
            raise self.in_recovery()

    def in_recovery(self) -> LedgerUnavailable:
        """It is a standby, or not back yet."""
        return LedgerUnavailable(
            f"{self.name}: the server is in recovery, or a standby, and takes no writes: name the "
            f"primary (also `postgresql://A,B/NAME?target_session_attrs=read-write`)"
        )

    def _begin(self, connection: Connection) -> None:
        driver = _driver(connection)
        try:
            self._begin_as(driver, connection.get_execution_options())
        except BaseException as error:
            if not driver.closed:
                with suppress(psycopg.Error):
                    driver.rollback()
            if driver.closed:
                connection.invalidate(error)
            raise

    def _begin_as(self, driver: Any, options: Mapping[str, Any]) -> None:
        if self.use is Use.READ:
            driver.execute(_SNAPSHOT + self._limit())
        elif not self.open:
            self.turns.lock(driver)
        elif options.get(ASIDE):
            driver.execute("BEGIN")
        elif options.get(LOOKING):
            self.turns.look(driver, direct=self.direct)
        else:
            self.turns.take(driver)

    def _limit(self) -> str:
        if self._late is None:
            return ""
        left = max(1, int((self._late - time.monotonic()) * 1000))
        return f"; SET LOCAL statement_timeout = {left}"

    def _drop_broken(self, connection: Connection) -> None:
        if not connection.invalidated and _driver(connection).closed:
            connection.invalidate()

    def _mark(self, connection: Connection) -> None:
        """An older state that a router has found says so: the next one gives no number again."""
        driver = _driver(connection)
        with suppress(psycopg.Error):
            driver.rollback()
            driver.execute(_MARK)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
