"""Statements as text, asked of the driver.

It knows no SQLAlchemy: what a short command asks must not wait for that to be imported.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    Asked = Connection | sqlite3.Connection
    """A connection in a transaction that has begun, SQLAlchemy's or the driver's own."""

Parameters = tuple[Any, ...]
WATCHED = "watched"
"""Where a connection keeps who is told of each statement and its first row, if anybody is."""


def read(connection: Asked, text: str, values: Parameters = ()) -> list[Parameters]:
    """What a statement finds, row by row."""
    driver: Any = connection
    if not isinstance(connection, sqlite3.Connection):
        if watch := connection.info.get(WATCHED):
            watch(text, values)
        driver = connection.connection.driver_connection
    found: list[Parameters] = driver.execute(text, values).fetchall()
    return found
