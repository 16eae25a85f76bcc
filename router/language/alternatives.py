"""Conditions as alternatives of conjunctions: the shape that durable_rules decides exactly.

Negation is pushed down to the comparisons, which is exact because conditions are two-valued.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import product

from router.language.conditions import AllOf, AnyOf, Comparison, Condition, Literal, Not, compare
from router.language.fields import Value

MOST = 64
"""The most alternatives of one rule. `any:` times `any:` grows fast, and each is a rule to the
engine."""
LONGEST = 48
"""The most comparisons in one alternative."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A comparison that must, or must not, hold."""

    field: str
    operator: str
    """Never `!=` or `not in`: these are `==` and `in` that must not hold."""
    literal: Literal
    wanted: bool
    written: Comparison = dataclasses.field(compare=False, repr=False)
    """The line that asks it, which may say `!=` or `not in`. Two lines can ask the same."""

    @property
    def denied(self) -> bool:
        """Whether the line as it is written must not hold: it stands under `not:`."""
        return self.wanted is (self.written.operator != self.operator)

    def met(self, value: Value | None) -> bool:
        """Whether a value of the field, or its absence, is as it must be."""
        return compare(self.written, value) is not self.denied


Alternative = tuple[Leaf, ...]


class TooLarge(Exception):
    """The condition is more than the engine can be trusted with; the text says in what."""


def alternatives_of(condition: Condition, *, wanted: bool = True) -> tuple[Alternative, ...]:
    """The alternatives of a condition, each a conjunction. TooLarge beyond MOST or LONGEST."""
    match condition:
        case Comparison():
            return ((_leaf(condition, wanted=wanted),),)
        case Not(part):
            return alternatives_of(part, wanted=not wanted)
        case AllOf(parts) | AnyOf(parts):
            found = [alternatives_of(part, wanted=wanted) for part in parts]
            if isinstance(condition, AnyOf) == wanted:
                return _checked(tuple(one for each in found for one in each))
            return _every(found)


def _leaf(comparison: Comparison, *, wanted: bool) -> Leaf:
    operator = comparison.operator
    if operator in {"!=", "not in"}:
        operator, wanted = "==" if operator == "!=" else "in", not wanted
    return Leaf(comparison.field, operator, comparison.literal, wanted, comparison)


def _every(found: list[tuple[Alternative, ...]]) -> tuple[Alternative, ...]:
    total = 1
    for each in found:
        total *= len(each)
        if total > MOST:
            raise _too_many()
    joined = (tuple(leaf for each in chosen for leaf in each) for chosen in product(*found))
    return _checked(tuple(joined))


def _checked(found: tuple[Alternative, ...]) -> tuple[Alternative, ...]:
    # what is asked twice counts once
    unique = tuple(dict.fromkeys(tuple(dict.fromkeys(each)) for each in found))
    if len(unique) > MOST:
        raise _too_many()
    if any(len(each) > LONGEST for each in unique):
        raise TooLarge(f"more than {LONGEST} comparisons must hold at once; use `in` for lists")
    return unique


def _too_many() -> TooLarge:
    return TooLarge(
        f"more than {MOST} alternatives (`any:` times `any:`); split it into several rules"
    )
