"""A database of a PostgreSQL server on its way to be a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection

from router.errors import LedgerError
from router.ledger.postgres import said
from router.ledger.postgres.address import Address
from router.ledger.postgres.server import PostgresServer
from router.ledger.postgres.turns import WriteTurns
from router.ledger.store import Use


@dataclass
class OpeningServer:
    """`connect`, migrate, `finish`; `undo` when that fails."""

    url: str
    use: Use
    password_file: Path | None
    busy_seconds: float

    def __post_init__(self) -> None:
        address = Address(self.url, self.password_file)
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
