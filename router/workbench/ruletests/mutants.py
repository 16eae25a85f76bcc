"""Small changes to rules, each of which their tests should notice. Pure.

Each condition is left out, turned round, held to be true and to be false; comparisons of order
get or lose their `=`, lists lose each of their members, `startswith` becomes `==`; `any:` becomes
`all:` and the other way round, `not:` is taken away; and each rule as a whole is left out. Changes
that come to the same condition count once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

from router.files.problems import Location
from router.language.alternatives import TooLarge, alternatives_of
from router.language.conditions import AllOf, AnyOf, Comparison, Condition, Not
from router.language.rules import Rule
from router.language.satisfiable import by_field, possible

ALWAYS = AllOf(())
NEVER = AnyOf(())
LEFT_OUT = "is left out"
_EDGES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "startswith": "=="}
"""Comparisons that differ at the edge only."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one change."""

    rule: Rule
    what: str
    """What is changed: a `condition`, a `group` or the `rule`."""
    change: str
    """What happens to it: `is left out`."""
    text: str
    """The condition or `any:` as it was written, or the name of the rule."""
    location: Location
    when: Condition
    """The conditions of the rule after the change."""


def mutants(rule: Rule) -> list[Mutant]:
    """Every change of a rule that comes to something else than the rule and the other changes."""
    whole = _Edit("rule", LEFT_OUT, rule.name, rule.location, NEVER)
    known = {_essence(rule.when)}
    found: list[Mutant] = []
    for each in (whole, *_parts(rule.when, LEFT_OUT, "never holds")):
        essence = _essence(each.when)
        if essence not in known:
            known.add(essence)
            found.append(Mutant(rule, each.what, each.change, each.text, each.location, each.when))
    return found


def makes_no_difference(mutant: Mutant) -> bool:
    """Whether the changed rule is sure to match whoever the rule matches, and nobody else."""
    one, other = mutant.rule.when, mutant.when
    return _never(AllOf((one, Not(other)))) and _never(AllOf((other, Not(one))))


def _never(condition: Condition) -> bool:
    try:
        return not any(possible(by_field(path)) for path in alternatives_of(condition))
    except TooLarge:
        return False  # nobody knows


# --- changes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Edit:
    what: str
    change: str
    text: str
    location: Location
    when: Condition


def _parts(condition: AllOf | AnyOf, always: str, never: str) -> Iterator[_Edit]:
    """Every change of a line or group in a group; `always` and `never` say what it is called
    that a line of it holds, or does not, for everybody."""
    for number, part in enumerate(condition.parts):
        before, after = condition.parts[:number], condition.parts[number + 1 :]
        for each in _changes(part, always, never):
            parts = (*before, each.when, *after)
            yield replace(each, when=replace(condition, parts=parts))


def _changes(condition: Condition, always: str, never: str) -> Iterator[_Edit]:
    match condition:
        case Comparison():
            for change, when in _of_line(condition, always, never):
                yield _Edit("condition", change, condition.text, condition.location, when)
        case AnyOf(parts, where):
            # to leave out a line of several is to say that it never holds
            yield from _parts(condition, "always holds", LEFT_OUT if parts[1:] else "never holds")
            yield from _of_group("any:", where, (("is an all:", AllOf(parts)),))
        case AllOf(parts, where):
            yield from _parts(condition, LEFT_OUT if parts[1:] else "always holds", "never holds")
            yield from _of_group("all:", where, (("is an any:", AnyOf(parts)),))
        case Not(AllOf(parts, where) as group):
            always = LEFT_OUT if parts[1:] else "always holds"
            for each in _parts(group, always, "never holds"):
                yield replace(each, when=Not(each.when))
            none, every = Not(AnyOf(parts)), AllOf(parts)
            changes = (("is an all:", every), ("means that none of its lines holds", none))
            yield from _of_group("not:", where, changes)


def _of_group(
    key: str, where: Location | None, changes: tuple[tuple[str, Condition], ...]
) -> Iterator[_Edit]:
    if where is not None:
        for change, when in changes:
            yield _Edit("group", change, key, where, when)


def _of_line(line: Comparison, always: str, never: str) -> Iterator[tuple[str, Condition]]:
    yield always, ALWAYS
    yield "is turned round", Not(line)
    yield never, NEVER
    other = _EDGES.get(line.operator)
    if other is not None:
        yield f"has {other} in place of {line.operator}", replace(line, operator=other)
    if isinstance(line.literal, tuple):
        for member in line.literal:
            rest = tuple(each for each in line.literal if each != member)
            yield f'has no "{member}" in its list', replace(line, literal=rest)


# --- which changes are the same -------------------------------------------------------------


def _essence(condition: Condition, *, wanted: bool = True) -> Hashable:
    """The same for conditions that differ only in how they are written: True and False for what
    always and never holds, else negations at the comparisons and no group for a single line."""
    match condition:
        case Comparison():
            return _asked(condition, wanted=wanted)
        case Not(part):
            return _essence(part, wanted=not wanted)
        case AllOf(parts) | AnyOf(parts):
            every = isinstance(condition, AllOf) is wanted
            found = {_essence(part, wanted=wanted) for part in parts}
            nested = {each for each in found if isinstance(each, tuple) and each[0] is every}
            found = (found - nested).union(*(each[1] for each in nested)) - {every}
            if (not every) in found:
                return not every
            if not found:
                return every
            return found.pop() if len(found) == 1 else (every, frozenset(found))


def _asked(line: Comparison, *, wanted: bool) -> Hashable:
    operator, literal = line.operator, line.literal
    if operator in {"!=", "not in"}:
        operator, wanted = "==" if operator == "!=" else "in", not wanted
    if operator in {"==", "in"}:
        operator, literal = "in", literal if isinstance(literal, tuple) else (str(literal),)
    if literal == ():
        return not wanted
    if isinstance(literal, tuple):
        return line.field, operator, frozenset(literal), wanted
    return line.field, operator, literal, wanted
