"""Conditions as alternatives of conjunctions: the shape that durable_rules decides exactly.

Negation is pushed down to the comparisons, which is exact because conditions are two-valued.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from router.conditions import AllOf, AnyOf, Comparison, Condition, Not

MOST = 48
"""The most alternatives of one rule: one ruleset of the engine holds 50."""
LONGEST = 48
"""The most comparisons in one alternative: beyond 64 the engine gives up."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A comparison that must, or must not, hold."""

    comparison: Comparison
    wanted: bool


Path = tuple[Leaf, ...]


class TooManyPaths(Exception):
    """The condition has more alternatives than the engine can be trusted with."""


def paths(condition: Condition, *, wanted: bool = True) -> tuple[Path, ...]:
    """The alternatives of a condition, each a conjunction. TooManyPaths beyond MOST."""
    match condition:
        case Comparison():
            return ((Leaf(condition, wanted),),)
        case Not(part):
            return paths(part, wanted=not wanted)
        case AllOf(parts) | AnyOf(parts):
            found = [paths(part, wanted=wanted) for part in parts]
            if isinstance(condition, AnyOf) == wanted:
                return _checked(tuple(path for each in found for path in each))
            return _every(found)


def _every(found: list[tuple[Path, ...]]) -> tuple[Path, ...]:
    total = 1
    for each in found:
        total *= len(each)
        if total > MOST:
            raise TooManyPaths
    joined = (tuple(leaf for path in chosen for leaf in path) for chosen in product(*found))
    return _checked(tuple(joined))


def _checked(found: tuple[Path, ...]) -> tuple[Path, ...]:
    # what is asked twice counts once
    unique = tuple({tuple(dict.fromkeys(path)): None for path in found})
    if len(unique) > MOST or any(len(path) > LONGEST for path in unique):
        raise TooManyPaths
    return unique
