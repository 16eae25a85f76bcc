"""Alerting rules that never count, because rules that suppress match wherever they do.

Each rule for itself is right, so nothing but the two together shows that nobody will be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.codes import Code
from router.document import Problem
from router.leeway import by_field, possible
from router.paths import Leaf, TooLarge, paths
from router.rule import Rule
from router.rules import Rules

_Asked = Mapping[str, tuple[Leaf, ...]]
"""What must hold of each field."""
_MOST_STEPS = 1000
"""After how many wrong turns a rule is left in peace: the worst sets of rules have no end."""


@dataclass(frozen=True, slots=True)
class _Suppressor:
    """A rule that suppresses, seen from those who want to get past it."""

    rule: Rule
    ways: tuple[_Asked, ...]
    """What must hold so that it does not match; one of them is enough."""


def find(rules: Rules) -> list[Problem]:
    """A Problem for each alerting rule all of whose candidates are suppressed.

    Rules that match nobody in the first place are left to `contradictions`.
    """
    suppressors = [known for rule in rules.rules for known in _suppressor(rule)]
    return [
        _problem(rule, covering)
        for rule in rules.rules
        if rule.alert is not None and (covering := _covering(rule, suppressors))
    ]


def _suppressor(rule: Rule) -> list[_Suppressor]:
    if rule.suppress is None:
        return []
    try:
        ways = map(by_field, paths(rule.when, wanted=False))
    except TooLarge:
        return []  # its opposite has too many alternatives; nobody is blamed without proof
    return [_Suppressor(rule, tuple(way for way in ways if possible(way)))]


def _covering(rule: Rule, suppressors: Sequence[_Suppressor]) -> list[Rule]:
    """The rules that together suppress all that a rule matches, as few as will do."""
    alternatives = [asked for asked in map(by_field, paths(rule.when)) if possible(asked)]
    if not alternatives:
        return []
    for each in suppressors:
        if _cover(alternatives, [each]):
            return [each.rule]
    if not _cover(alternatives, suppressors):
        return []
    needed = list(suppressors)
    for each in suppressors:
        fewer = [other for other in needed if other is not each]
        if _cover(alternatives, fewer):
            needed = fewer
    return [each.rule for each in needed]


def _cover(alternatives: Sequence[_Asked], suppressors: Sequence[_Suppressor]) -> bool:
    return not any(_escapes(asked, suppressors) for asked in alternatives)


def _escapes(asked: _Asked, suppressors: Sequence[_Suppressor]) -> bool:
    """Whether some candidate may meet what is asked without meeting any of the suppressors."""
    turns = [(asked, 0)]
    for _ in range(_MOST_STEPS + len(suppressors)):
        if not turns:
            return False
        so_far, past = turns.pop()
        if past == len(suppressors):
            return True
        ways = reversed(suppressors[past].ways)
        turns += [(both, past + 1) for way in ways if (both := _both(so_far, way)) is not None]
    return True


def _both(one: _Asked, other: _Asked) -> _Asked | None:
    """All that two ask; None where no candidate can meet both."""
    found = {field: (*one.get(field, ()), *leaves) for field, leaves in other.items()}
    return {**one, **found} if possible(found) else None


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
