"""Statements of the hot path: made by SQLAlchemy, compiled once, run by the driver.

SQLAlchemy binds each row by names, and makes objects of each result, which costs twenty times the
database's own work. Its text and the order of its parameters are all that is needed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Select, bindparam
from sqlalchemy.sql.dml import UpdateBase

from router.ledger.dialects import elements
from router.ledger.driver import Parameters, fetch, stream, write

_Arrange = Callable[[Parameters], Parameters]


class Prepared:
    """A statement whose rows are tuples in the order of `names`."""

    def __init__(self, statement: UpdateBase | Select[Any], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._statement = statement
        self._compiled: dict[str, tuple[str, _Arrange | None]] = {}

    def run(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Write, once for each row."""
        if rows:
            text, arrange = self._made(connection.dialect)
            write(connection, text, [*map(arrange, rows)] if arrange else rows)

    def ask(self, connection: Connection, *values: object) -> list[Parameters]:
        """What it finds for these values of `names`."""
        text, arrange = self._made(connection.dialect)
        return fetch(connection, text, arrange(values) if arrange else values)

    def stream(self, connection: Connection, *values: object) -> Any:
        """The same as the driver's cursor, for more rows than there is memory for."""
        text, arrange = self._made(connection.dialect)
        return stream(connection, text, arrange(values) if arrange else values)

    def _made(self, dialect: Dialect) -> tuple[str, _Arrange | None]:
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        return self._compiled[dialect.name]

    def _compile(self, dialect: Dialect) -> tuple[str, _Arrange | None]:
        keys = list(self.names) if isinstance(self._statement, UpdateBase) else None
        compiled = self._statement.compile(dialect=dialect, column_keys=keys)
        wanted = list(compiled.positiontup or ())
        if wanted == list(self.names):
            return str(compiled), None
        constants = [name for name in wanted if name not in self.names]
        values = tuple(compiled.params[name] for name in constants)
        places = [[*self.names, *constants].index(name) for name in wanted]
        if len(places) == 1:  # itemgetter would give it bare
            return str(compiled), lambda row: ((*row, *values)[places[0]],)
        take = itemgetter(*places)
        return str(compiled), lambda row: take((*row, *values))


def among(name: str, *, numbers: bool = False) -> Select[Any]:
    """For `column.in_(...)`: the values of a list that is given as `name`, made by `listed`.

    One text however many there are, where an expanding parameter would be another each time.
    """
    return elements(bindparam(name), numbers=numbers)


def listed(values: Iterable[str | int]) -> str:
    """A list as `among` takes it."""
    return orjson.dumps(list(values)).decode()
