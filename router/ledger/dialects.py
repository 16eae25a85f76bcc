"""What SQLite and PostgreSQL write differently in SQL, each said once.

A statement is made once, for both: which database it is for, its compiler knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, Text, literal, literal_column
from sqlalchemy import select as _select
from sqlalchemy.dialects.sqlite.dml import Insert, OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

POSTGRESQL = "postgresql"
_QUOTED = "'$."
upsert = Insert
"""An INSERT with `on_conflict_do_...`: of both, but SQLAlchemy has one for each."""


@compiles(OnConflictDoUpdate, POSTGRESQL)
def _update(clause: Any, compiler: Any, **more: Any) -> Any:
    clause.constraint_target = None  # PostgreSQL's has this, too; we name columns
    return compiler.visit_on_conflict_do_update(clause, **more)


@compiles(OnConflictDoNothing, POSTGRESQL)
def _nothing(clause: Any, compiler: Any, **more: Any) -> Any:
    clause.constraint_target = None
    return compiler.visit_on_conflict_do_nothing(clause, **more)


class _Of(FunctionElement[Any]):
    """Of some arguments; SQLite's function, unless a compiler below says otherwise."""

    inherit_cache = True
    ours = ""

    def __init__(self, *given: Any, type_: TypeEngine[Any] | None = None) -> None:
        super().__init__(*given)
        if type_ is not None:
            self.type = type_


@compiles(_Of)
def _usual(element: _Of, compiler: Any, **more: Any) -> str:
    return f"{element.name}({_told(element, compiler, more)})"


@compiles(_Of, POSTGRESQL)
def _theirs(element: _Of, compiler: Any, **more: Any) -> str:
    return f"{element.ours}({_told(element, compiler, more)})"


def _told(element: _Of, compiler: Any, more: dict[str, Any]) -> str:
    return ", ".join(compiler.process(each, **more) for each in element.clauses)


class _Greatest(_Of):
    name, ours = "max", "greatest"
    inherit_cache = True


class _Least(_Of):
    name, ours = "min", "least"
    inherit_cache = True


class _Position(_Of):
    name, ours = "instr", "strpos"
    inherit_cache = True


class _PositionInBytes(_Of):
    name = "instr"
    inherit_cache = True


class _Each(_Of):
    name, ours = "json_each", "json_array_elements_text"
    inherit_cache = True


class _EachValue(_Each):
    ours = "json_each_text"
    inherit_cache = True


class _Member(_Of):
    name = "json_extract"
    inherit_cache = True


class _AsNumber(_Of):
    inherit_cache = True


class _AsText(_Of):
    inherit_cache = True


def greatest(*values: Any) -> ColumnElement[int]:
    """The greatest of some numbers in a row; none of them is null."""
    return _Greatest(*values, type_=BigInteger())


def least(*values: Any) -> ColumnElement[int]:
    """The least of some numbers in a row; none of them is null."""
    return _Least(*values, type_=BigInteger())


def holds(column: ColumnElement[Any], part: Any) -> ColumnElement[bool]:
    """Whether a text, or bytes, has this in it, letter for letter."""
    kind = _PositionInBytes if isinstance(part, bytes) else _Position
    return kind(column, part, type_=BigInteger()) > 0


def text_of(content: ColumnElement[Any]) -> ColumnElement[str]:
    """The text that stands in bytes."""
    return _AsText(content, type_=Text())


def member(told: ColumnElement[Any], *names: str) -> ColumnElement[str]:
    """What stands in a JSON object under a name, and what in that under the next."""
    return _Member(told, _path(names), type_=Text())


def each_in(told: ColumnElement[Any], *names: str) -> FromClause:
    """The members of the JSON list that stands there, as rows with a `value`."""
    given = (told, _path(names)) if names else (told,)
    return _Each(*given).table_valued("value")


def values_in(told: ColumnElement[Any], *names: str) -> FromClause:
    """The same of a JSON object."""
    return _EachValue(told, _path(names)).table_valued("value")


def as_number(value: Any) -> ColumnElement[int]:
    """A value of `each_in` as a number."""
    return _AsNumber(value, type_=BigInteger())


def elements(given: ColumnElement[Any], *, numbers: bool = False) -> Select[Any]:
    """For `column.in_(...)`: the values of a list that is given as JSON, in one bound value."""
    value = each_in(given).c.value
    return _select(as_number(value) if numbers else value)


def texts(found: Iterable[str]) -> Select[Any]:
    """The same of texts that are here, however many."""
    return elements(literal(json.dumps(list(found))))


def numbers(found: Iterable[int]) -> Select[Any]:
    """The same of numbers."""
    return elements(literal(json.dumps(list(found))), numbers=True)


def _path(names: tuple[str, ...]) -> ColumnElement[str]:
    return literal_column("'" + ".".join(("$", *names)) + "'")  # as a bound value, no cache has it


@compiles(_AsNumber)
def _bare(element: _AsNumber, compiler: Any, **more: Any) -> str:
    return _told(element, compiler, more)


@compiles(_AsNumber, POSTGRESQL)
def _as_number(element: _AsNumber, compiler: Any, **more: Any) -> str:
    return f"CAST({_told(element, compiler, more)} AS BIGINT)"


@compiles(_AsText)
def _cast(element: _AsText, compiler: Any, **more: Any) -> str:
    return f"CAST({_told(element, compiler, more)} AS TEXT)"


@compiles(_AsText, POSTGRESQL)
def _converted(element: _AsText, compiler: Any, **more: Any) -> str:
    return f"convert_from({_told(element, compiler, more)}, 'UTF8')"


@compiles(_PositionInBytes, POSTGRESQL)
def _position(element: _PositionInBytes, compiler: Any, **more: Any) -> str:
    content, part = (compiler.process(each, **more) for each in element.clauses)
    return f"position({part} IN {content})"


@compiles(_Each, POSTGRESQL)
def _elements(element: _Each, compiler: Any, **more: Any) -> str:
    told, *path = element.clauses
    within = "".join(f" #> {_names(each)}" for each in path)
    return f"{element.ours}(CAST({compiler.process(told, **more)} AS JSON){within})"


@compiles(_Member, POSTGRESQL)
def _member(element: _Member, compiler: Any, **more: Any) -> str:
    told, path = element.clauses
    return f"(CAST({compiler.process(told, **more)} AS JSON) #>> {_names(path)})"


def _names(path: Any) -> str:
    return f"'{{{path.name.strip(_QUOTED).replace('.', ',')}}}'"
