"""Conditions as values, and what one of them comes to for a candidate.

Two-valued and without surprises: a comparison with an absent field is false, except `!=` and
`not in`, which are the exact negations of `==` and `in`. `not:` is exact negation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from router.domain.versions import compare_versions
from router.files.problems import Location
from router.language.fields import FieldKind, Value

Literal = str | bool | tuple[str, ...] | None
"""The right side of a comparison; None for `exists`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line such as `hub.status == "Commissioned"`."""

    field: str
    operator: str
    literal: Literal
    text: str
    """As it was written."""
    location: Location


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one holds."""

    parts: tuple[Condition, ...]
    location: Location | None = field(default=None, compare=False, repr=False)
    """Where its `all:` or `not:` stands; None where no key of its own does."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one holds."""

    parts: tuple[Condition, ...]
    location: Location | None = field(default=None, compare=False, repr=False)
    """Where its `any:` stands."""


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold (of a list of lines: not all of them hold)."""

    part: Condition


Condition = Comparison | AllOf | AnyOf | Not
Values = Mapping[str, Value]


def holds(condition: Condition, values: Values) -> bool:
    """Whether a condition holds for one candidate."""
    match condition:
        case Comparison():
            return compare(condition, values.get(condition.field))
        case AllOf(parts):
            return all(holds(part, values) for part in parts)
        case AnyOf(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)


def compare(comparison: Comparison, value: Value | None) -> bool:
    """Whether one comparison holds for the value of its field."""
    return _OPERATORS[comparison.operator](comparison, value)


def _equal(comparison: Comparison, value: Value | None) -> bool:
    return value is not None and value == comparison.literal


def _in(comparison: Comparison, value: Value | None) -> bool:
    return isinstance(comparison.literal, tuple) and value in comparison.literal


def _starts(comparison: Comparison, value: Value | None) -> bool:
    literal = comparison.literal
    return isinstance(value, str) and isinstance(literal, str) and value.startswith(literal)


def _has(comparison: Comparison, value: Value | None) -> bool:
    return isinstance(value, tuple) and comparison.literal in value


def _ordered(accept: Callable[[int], bool]) -> Callable[[Comparison, Value | None], bool]:
    def compared(comparison: Comparison, value: Value | None) -> bool:
        literal = comparison.literal
        if not isinstance(value, str) or not isinstance(literal, str):
            return False
        return accept(compare_versions(value, literal))

    return compared


_OPERATORS: dict[str, Callable[[Comparison, Value | None], bool]] = {
    "==": _equal,
    "!=": lambda comparison, value: not _equal(comparison, value),
    "in": _in,
    "not in": lambda comparison, value: not _in(comparison, value),
    "startswith": _starts,
    "has": _has,
    "exists": lambda _, value: value is not None,
    "<": _ordered(lambda sign: sign < 0),
    "<=": _ordered(lambda sign: sign <= 0),
    ">": _ordered(lambda sign: sign > 0),
    ">=": _ordered(lambda sign: sign >= 0),
}
OPERATORS = tuple(_OPERATORS)

OPERATORS_OF = {
    FieldKind.TEXT: ("==", "!=", "in", "not in", "startswith", "exists"),
    FieldKind.ID: ("==", "!=", "in", "not in", "startswith", "exists"),
    FieldKind.ENUM: ("==", "!=", "in", "not in", "exists"),
    FieldKind.VERSION: ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "startswith", "exists"),
    FieldKind.WORDS: ("has", "exists"),
    FieldKind.BOOLEAN: ("==", "!=", "exists"),
}
"""Which comparisons each kind of field takes."""


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Every comparison in a condition, in the order of the file."""
    match condition:
        case Comparison():
            yield condition
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part):
            yield from comparisons(part)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one comparison came to for one candidate."""

    comparison: Comparison
    value: Value | None
    held: bool

    @property
    def saw(self) -> str:
        """The value in words, to be read after the name of the field."""
        return "is not known" if self.value is None else f"is {json.dumps(self.value)}"

    def __str__(self) -> str:
        """With what it came to: under `not:` one that held can be to blame as well."""
        came_to = "holds" if self.held else "fails"
        return f"{self.comparison.text}: {came_to}, {self.comparison.field} {self.saw}"


def seen(condition: Condition, values: Values) -> list[Seen]:
    """Each comparison with the value that it saw; for `explain` and for coverage."""
    return [
        Seen(each, values.get(each.field), compare(each, values.get(each.field)))
        for each in comparisons(condition)
    ]
