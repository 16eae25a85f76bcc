"""Rules that can never match, because what they ask of one field contradicts itself.

Such a rule would tell nobody, or hold nothing back, and nothing else would show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from router.files.codes import Code
from router.files.problems import Problem
from router.files.suggestions import lines
from router.language.alternatives import Alternative, Leaf, alternatives_of
from router.language.fields import FIELDS, FieldKind
from router.language.rules import Rule, Rules
from router.language.satisfiable import by_field, remains

_SHOWN = 3
"""How many alternatives of one rule are shown with what contradicts in them."""


def find(rules: Rules) -> list[Problem]:
    """A Problem for each rule that no candidate can ever match."""
    return [problem for rule in rules.rules for problem in _never(rule)]


def _never(rule: Rule) -> list[Problem]:
    alternatives = alternatives_of(rule.when)
    found: list[Alternative] = []
    for alternative in alternatives:
        clash = _clash(alternative)
        if not clash:
            return []
        found.append(clash)
    # what all alternatives share is to blame before what one of them adds
    shared = _clash(leaf for leaf in alternatives[0] if all(leaf in each for each in alternatives))
    return [_problem(rule, [shared] if shared else list(dict.fromkeys(found)))]


def _clash(alternative: Iterable[Leaf]) -> Alternative:
    """The fewest comparisons that can't hold together, in the order of the file; () for none."""
    for leaves in by_field(alternative).values():
        if not remains(leaves):
            return _fewest(leaves)
    return ()


def _fewest(leaves: Alternative) -> Alternative:
    for size in (1, 2):
        for few in combinations(leaves, size):
            if not remains(few):
                return few
    for leaf in leaves:
        rest = tuple(each for each in leaves if each is not leaf)
        if not remains(rest):
            leaves = rest
    return leaves


# --- what to say ----------------------------------------------------------------------------


def _problem(rule: Rule, clashes: list[Alternative]) -> Problem:
    where, what = clashes[0][-1].written.location, _said(clashes[0])
    meant = repr(rule.name)
    if len(clashes) > 1:
        shown = [_in_short(clash) for clash in clashes[:_SHOWN]]
        more = [f"{len(clashes) - _SHOWN} more like these"] if len(clashes) > _SHOWN else []
        where, what = rule.location, "; ".join(shown + more)
        meant = f"any alternative of {rule.name!r}"
    return Problem(where, f"nothing meets {meant}: {what}", Code.NEVER_MATCHES)


def _said(clash: Alternative) -> str:
    *others, last = clash
    if not others:
        return f"{_quoted(last)} never holds, as {_why(last)}"
    if len(others) == 1:
        return f"{_quoted(last)} contradicts {_quoted(others[0])} in {_lines(others)}"
    return f"{_quoted(last)} leaves {last.field} no value beside {_lines(others)}"


def _in_short(clash: Alternative) -> str:
    *others, last = clash
    said = f"{_quoted(last)} in {_lines([last])}"
    if not others:
        return f"{said} never holds"
    return f"{said} contradicts {_lines(others)}"


def _quoted(leaf: Leaf) -> str:
    return f"not: {leaf.written.text}" if leaf.denied else leaf.written.text


def _lines(leaves: Iterable[Leaf]) -> str:
    return lines(leaf.written.location.line for leaf in leaves)


def _why(leaf: Leaf) -> str:
    """Why a single comparison can't hold."""
    field = FIELDS[leaf.field]
    if leaf.operator == "exists":
        return f"{field.name} is always known"
    if field.kind is FieldKind.ENUM:
        return f"{field.name} is always one of {', '.join(field.values)}"
    return f"no version comes before {leaf.literal}"
