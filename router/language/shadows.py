"""Alerting rules that never count, because rules that suppress match wherever they do.

Each rule for itself is right, so nothing but the two together shows that nobody will be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.files.codes import Code
from router.files.problems import Problem
from router.language.alternatives import Leaf, TooLarge, alternatives_of
from router.language.fields import FIELDS, FieldKind, Value
from router.language.rules import Rule, Rules
from router.language.satisfiable import by_field, possible, remains

_Demanded = Mapping[str, tuple[Leaf, ...]]
"""What must hold of each field."""
_Named = Mapping[str, frozenset[Value]]
"""By field the values outside of which nothing can match, where lines name them."""
_MOST_STEPS = 2000
"""After how many wrong turns a rule is left in peace: the worst sets of rules have no end."""


@dataclass(frozen=True, slots=True)
class _Suppressor:
    """A rule that suppresses, seen from those who want to get past it."""

    rule: Rule
    named: _Named
    ways: tuple[_Demanded, ...]
    """What must hold so that it does not match; one of them is enough. The loosest come first."""

    def may_match(self, asked: _Named) -> bool:
        """False when no candidate with these values can be suppressed by it."""
        return not any(
            field in asked and values.isdisjoint(asked[field])
            for field, values in self.named.items()
        )


def find(rules: Rules) -> list[Problem]:
    """A Problem for each alerting rule all of whose candidates are suppressed.

    Rules that match nobody in the first place are left to `contradictions`.
    """
    suppressors = [known for rule in rules.rules for known in _suppressor(rule)]
    past_all = _past({}, suppressors)
    found: list[Problem] = []
    for rule in rules.rules:
        asked = [each for each in map(by_field, alternatives_of(rule.when)) if possible(each)]
        # most rules leave room for what gets past all suppressors anyway: then nothing is tried
        freely = past_all and any(_fit(past_all, each) for each in asked)
        if rule.alert is not None and asked and not freely:
            named = [_named(each) for each in asked]
            # of hundreds of rules about one hub or version each, few are about this one's
            near = [each for each in suppressors if any(map(each.may_match, named))]
            if not any(_past_freely(each, near) for each in asked):
                covering = _covering(asked, near)
                found += [_problem(rule, covering)] if covering else []
    return found


def _suppressor(rule: Rule) -> list[_Suppressor]:
    if rule.suppress is None:
        return []
    try:
        ways = map(by_field, alternatives_of(rule.when, wanted=False))
    except TooLarge:
        return []  # its opposite has too many alternatives; nobody is blamed without proof
    named = _named_by_all([_named(by_field(each)) for each in alternatives_of(rule.when)])
    return [_Suppressor(rule, named, tuple(sorted(filter(possible, ways), key=_grip)))]


def _grip(way: _Demanded) -> int:
    """How many of its leaves do more than take single values from a field that has many."""
    return sum(
        leaf.wanted
        or leaf.operator not in {"==", "in", "has"}
        or FIELDS[leaf.field].kind in {FieldKind.ENUM, FieldKind.BOOLEAN}
        for leaves in way.values()
        for leaf in leaves
    )


def _past_freely(asked: _Demanded, suppressors: Sequence[_Suppressor]) -> bool:
    """Whether the first way past each suppressor by itself leads past all of them together.

    It mostly does, and spares `_past`, which takes them up one after the other.
    """
    taken: dict[str, list[Leaf]] = {}
    for each in suppressors:
        way = next((way for way in each.ways if _fit(asked, way)), None)
        if way is None:
            return False
        for field, leaves in way.items():
            taken.setdefault(field, []).extend(leaves)
    return all(remains((*asked.get(field, ()), *leaves)) for field, leaves in taken.items())


def _named(asked: _Demanded) -> _Named:
    """By field the values that its lines name, where they name all that can be."""
    return {
        field: frozenset(literal if isinstance(literal, tuple) else [literal])
        for field, leaves in asked.items()
        for leaf in leaves
        if leaf.wanted and leaf.operator in {"==", "in"} and (literal := leaf.literal) is not None
    }


def _named_by_all(alternatives: Sequence[_Named]) -> _Named:
    """What every alternative names, with the values of all of them."""
    fields = set.intersection(*(set(each) for each in alternatives)) if alternatives else set()
    return {
        field: frozenset[Value]().union(*(each[field] for each in alternatives)) for field in fields
    }


def _covering(asked: Sequence[_Demanded], suppressors: Sequence[_Suppressor]) -> list[Rule]:
    """The rules that together suppress all alternatives of a rule, as few as will do."""
    for each in suppressors:
        if _cover([each], asked):
            return [each.rule]
    if not _cover(suppressors, asked):
        return []
    needed = list(suppressors)
    for each in suppressors:
        fewer = [other for other in needed if other is not each]
        if _cover(fewer, asked):
            needed = fewer
    return [each.rule for each in needed]


def _cover(suppressors: Sequence[_Suppressor], asked: Sequence[_Demanded]) -> bool:
    return all(_past(each, suppressors) is None for each in asked)


def _past(asked: _Demanded, suppressors: Sequence[_Suppressor]) -> _Demanded | None:
    """What is asked, together with a way past each suppressor; None where no candidate gets past.

    When it takes too long, what is asked alone: nobody is blamed without proof.
    """
    turns = [(asked, 0, 0)]
    for _ in range(_MOST_STEPS + len(suppressors)):
        if not turns:
            return None
        so_far, past, way = turns.pop()
        if past == len(suppressors):
            return so_far
        if way < len(suppressors[past].ways):
            turns.append((so_far, past, way + 1))
            both = _both(so_far, suppressors[past].ways[way])
            if both is not None:
                turns.append((both, past + 1, 0))
    return asked


def _both(one: _Demanded, other: _Demanded) -> _Demanded | None:
    """All that two ask; None where no candidate can meet both."""
    if not _fit(one, other):
        return None
    shared = {
        field: tuple(dict.fromkeys(one[field] + leaves))
        for field, leaves in other.items()
        if field in one
    }
    return {**one, **other, **shared}


def _fit(one: _Demanded, other: _Demanded) -> bool:
    """Whether a candidate may meet both."""
    return all(remains(one[field] + leaves) for field, leaves in other.items() if field in one)


def _problem(rule: Rule, covering: Sequence[Rule]) -> Problem:
    by = " or ".join(f"{each.name!r} ({_where(each, rule)})" for each in covering)
    those = "that rule" if len(covering) == 1 else "one of those rules"
    message = (
        f"{rule.name!r} never counts: all that it matches is suppressed by {by}; "
        f"narrow {those}, or remove this one"
    )
    return Problem(rule.location, message, Code.SHADOWED)


def _where(named: Rule, beside: Rule) -> str:
    where = named.location
    line = f"line {where.line}"
    return line if where.file == beside.location.file else f"{where.file}, {line}"
