"""Statements of the hot path: made by SQLAlchemy, compiled once, run with rows as tuples.

SQLAlchemy binds each row of an `executemany` by names, which costs more than the database's own
work. Its text and the order of its parameters are all that is needed again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.dml import UpdateBase

Parameters = tuple[Any, ...]


class Prepared:
    """A statement that writes; its rows are tuples in the order of `names`."""

    def __init__(self, statement: UpdateBase, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._statement = statement
        self._compiled: dict[str, tuple[str, Callable[[Parameters], Parameters] | None]] = {}

    def run(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Once for each row."""
        if not rows:
            return
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, arrange = self._compiled[dialect.name]
        connection.exec_driver_sql(text, [*map(arrange, rows)] if arrange else list(rows))

    def _compile(self, dialect: Dialect) -> tuple[str, Callable[[Parameters], Parameters] | None]:
        compiled = self._statement.compile(dialect=dialect, column_keys=list(self.names))
        wanted = list(compiled.positiontup or ())
        if wanted == list(self.names):
            return str(compiled), None
        constants = [name for name in wanted if name not in self.names]
        values = tuple(compiled.params[name] for name in constants)
        take = itemgetter(*([*self.names, *constants].index(name) for name in wanted))
        return str(compiled), lambda row: take(row + values)
