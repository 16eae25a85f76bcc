"""A database of a PostgreSQL server on its way to be a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from router.errors import LedgerError
from router.ledger.postgres import said
from router.ledger.postgres.address import Address
from router.ledger.postgres.server import PostgresServer
from router.ledger.postgres.turns import WriteTurns
from router.ledger.store import Use

_RIGHTS = """
SELECT pg_is_in_recovery(),
    current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE'),
    current_user, current_schema()
"""
_DENIED = """
SELECT tablename, tableowner FROM pg_tables WHERE schemaname = current_schema()
    AND NOT has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename),
        'SELECT, INSERT, UPDATE, DELETE')
LIMIT 1
"""


@dataclass
class OpeningServer:
    """`connect`, migrate, `finish`; `undo` when that fails."""

    url: str
    use: Use
    password: str | None
    busy_seconds: float

    def __post_init__(self) -> None:
        address = Address(self.url, self.password)
        self.name = address.name
        self.store = PostgresServer(address, self.use, WriteTurns(address.name, self.busy_seconds))
        self._connection: Connection | None = None
        self._make = True

    def connect(self, *, make: bool) -> Connection:
        """An open connection."""
        self._make = make and self.use is not Use.READ
        self._connection = self.store.engine.connect()
        return self._connection

    def has_tables(self, connection: Connection) -> bool:
        """Whether some program has made any that migrations know."""
        question = "SELECT to_regclass('alembic_version') IS NOT NULL"
        found = bool(connection.exec_driver_sql(question).scalar_one())
        if not found and not self._make:
            raise LedgerError(
                f"{self.name}: there is no ledger in this database; it is made by `hubherald run` "
                f"or `hubherald inventory import` (is ledger.url in the configuration right?)"
            )
        return found

    def finish(self, connection: Connection) -> PostgresServer:
        """The ledger, at this program's revision; the router holds it."""
        driver: Any = connection.connection.driver_connection
        row = driver.execute("SELECT ledger FROM turns").fetchone()
        self.store.ledger = int(row[0])
        if self.use is Use.ROUTE:
            self.store.turns.hold(driver, direct=self.store.direct)
        self.store.open = True
        return self.store

    def try_out(self) -> None:
        """Ask for all that a router needs; LedgerError says what is missing."""
        try:
            with self.store.engine.connect() as connection:
                self._connection = connection
                driver: Any = connection.connection.driver_connection
                recovers, may_make, user, schema = driver.execute(_RIGHTS).fetchone()
                if recovers:
                    raise self.store.in_recovery()
                made = driver.execute("SELECT to_regclass('alembic_version')").fetchone()[0]
                if not made and not may_make:
                    raise LedgerError(
                        f"{self.name}: {user} may make no tables there: `GRANT CREATE, USAGE ON"
                        f" SCHEMA {schema or 'public'} TO {user}`, or make it the owner"
                    )
                missing = driver.execute(_DENIED).fetchone() if made else None
                if missing is not None:
                    raise LedgerError(
                        f"{self.name}: {user} may not write table {missing[0]}, which {missing[1]}"
                        f" owns: `ALTER TABLE ... OWNER TO {user}`, or use {missing[1]}"
                    )
        except (psycopg.Error, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
            raise self.explained(cause) or LedgerError(str(cause)) from error

    def undo(self) -> None:
        """It was not to be."""
        if self._connection is not None:
            self._connection.close()
        self.store.engine.dispose()

    def explained(self, error: BaseException) -> LedgerError | None:
        """Why it can't be opened, in one line; None for what is no failure of the database."""
        if not isinstance(error, psycopg.Error):
            return None
        user = "its user"
        if self._connection is not None and not self._connection.invalidated:
            driver: Any = self._connection.connection.driver_connection
            user = str(driver.info.user)
        return said.why_closed(self.name, user, error)
