"""Statements as text, asked of the driver: SQLite's, or psycopg for PostgreSQL.

It knows no SQLAlchemy: what a short command asks must not wait for that to be imported. Our own
texts have `?` for each value, as SQLite has it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    Asked = Connection | sqlite3.Connection
    """A connection in a transaction that has begun, SQLAlchemy's or the driver's own."""

Parameters = tuple[Any, ...]
_NUMBER = count(1)
"""Of cursors that the server keeps; each has a name."""
WATCHED = "watched"
"""Where a connection keeps who is told of each statement and its first row, if anybody is."""


def read(connection: Asked, text: str, values: Parameters = ()) -> list[Parameters]:
    """What a statement of ours finds, row by row."""
    if isinstance(connection, sqlite3.Connection):
        return connection.execute(text, values).fetchall()
    return fetch(connection, spelt(connection, text), values)


def change(connection: Connection, text: str, values: Parameters = ()) -> int:
    """Run a statement of ours that writes; gives how many rows it has changed."""
    found: int = run(connection, spelt(connection, text), values).rowcount
    return found


def change_each(connection: Connection, text: str, rows: Sequence[Parameters]) -> int:
    """The same, once for each row."""
    return write(connection, spelt(connection, text), rows)


def fetch(connection: Connection, text: str, values: Parameters) -> list[Parameters]:
    """What a statement finds that is written as the driver has it."""
    found: list[Parameters] = run(connection, text, values).fetchall()
    return found


def run(connection: Connection, text: str, values: Parameters) -> Any:
    """The driver's cursor of a statement that is written as the driver has it."""
    if watch := connection.info.get(WATCHED):
        watch(text, values)
    driver: Any = connection.connection.driver_connection
    return driver.execute(text, values)


def stream(connection: Connection, text: str, values: Parameters) -> Any:
    """The same, for more rows than there is memory for."""
    if connection.dialect.name == "sqlite":
        return run(connection, text, values)
    driver: Any = connection.connection.driver_connection
    return driver.cursor(f"stream_{next(_NUMBER)}").execute(text, values)


def write(connection: Connection, text: str, rows: Sequence[Parameters]) -> int:
    """Run such a statement once for each row; gives how many rows it has changed."""
    if watch := connection.info.get(WATCHED):
        watch(text, rows[0])
    driver: Any = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        return driver.executemany(text, rows).rowcount
    with driver.cursor() as cursor:
        cursor.executemany(text, rows)
        return int(cursor.rowcount)


def spelt(connection: Connection, text: str) -> str:
    """A text of ours as the driver of this connection has it."""
    return text if connection.dialect.name == "sqlite" else _with_places(text)


@cache
def _with_places(text: str) -> str:
    return text.replace("%", "%%").replace("?", "%s")
