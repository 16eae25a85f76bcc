"""Which small changes to rules no test would notice.

Conditions are evaluated as they are written, without the engine: it would have to be built for each
of thousands of changes, and decides nothing in which the second opinion differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from router.language.conditions import Values, comparisons, holds
from router.language.rules import Rule, Rules
from router.workbench.ruletests.differences import met
from router.workbench.ruletests.file import RuleTest
from router.workbench.ruletests.mutants import LEFT_OUT, Mutant, makes_no_difference, mutants
from router.workbench.ruletests.runner import Question


@dataclass(frozen=True, slots=True)
class Tried:
    """What the tests made of one change."""

    mutant: Mutant
    noticed_by: str | None
    """The first test that fails under it; None where all pass."""
    needless: bool = False
    """Whether the condition can be left out for good: the rest of its rule says as much."""


def changes(rules: Rules) -> list[Mutant]:
    """Every change of every rule, in the order of the files."""
    return [each for rule in rules.rules for each in mutants(rule)]


def attempt(
    rules: Rules, tests: Sequence[RuleTest], changed: Sequence[Mutant]
) -> Iterator[Tried | None]:
    """What comes of each change, given tests that all pass; None for what changes nothing.

    Of these, a condition that can be left out is told: its rule says less than it seems to.
    """
    all_tests = _Tests(rules, tests)
    for mutant in changed:
        noticed_by = all_tests.noticed_by(mutant)
        if noticed_by is not None or not makes_no_difference(mutant):
            yield Tried(mutant, noticed_by)
        elif mutant.what == "condition" and mutant.change == LEFT_OUT:
            yield Tried(mutant, None, needless=True)
        else:
            yield None


@dataclass(frozen=True, slots=True)
class _Alike:
    """Candidates that a rule can't tell apart."""

    values: Values
    matches: bool
    """Whether the rule as it is written matches them."""
    places: list[tuple[int, int]]
    """The number of the test, and that of the candidate in it."""


class _Tests:
    """All tests, with the rules that match each candidate as the rules are written."""

    def __init__(self, rules: Rules, tests: Sequence[RuleTest]) -> None:
        self._rules = rules
        self._questions = [Question.of(test) for test in tests]
        self._matched: list[list[set[int]]] = [
            [set() for _ in question.case.values] for question in self._questions
        ]
        self._numbers = {rule.name: number for number, rule in enumerate(rules.rules)}
        self._alike = [self._sorted(rule) for rule in rules.rules]
        for number, groups in enumerate(self._alike):
            for test, candidate in (p for each in groups if each.matches for p in each.places):
                self._matched[test][candidate].add(number)

    def noticed_by(self, mutant: Mutant) -> str | None:
        """The first test that fails under a change."""
        number = self._numbers[mutant.rule.name]
        turned: dict[int, list[int]] = defaultdict(list)
        for each in self._alike[number]:
            if holds(mutant.when, each.values) is not each.matches:
                for test, candidate in each.places:
                    turned[test].append(candidate)
        for test in sorted(turned):
            if not self._passes(test, number, turned[test]):
                return self._questions[test].test.entry.name
        return None

    def _passes(self, test: int, rule: int, turned: Sequence[int]) -> bool:
        """Whether a test passes when a rule is the other way round for these candidates."""
        question, matched = self._questions[test], list(self._matched[test])
        for candidate in turned:
            matched[candidate] = matched[candidate] ^ {rule}
        decisions = question.decided(matched, self._rules)
        return met(question.test.entry.expect, decisions)

    def _sorted(self, rule: Rule) -> list[_Alike]:
        fields = tuple(dict.fromkeys(each.field for each in comparisons(rule.when)))
        found: dict[tuple[object, ...], _Alike] = {}
        for test, question in enumerate(self._questions):
            for candidate, values in enumerate(question.case.values):
                key = tuple(map(values.get, fields))
                if key not in found:
                    found[key] = _Alike(values, holds(rule.when, values), [])
                found[key].places.append((test, candidate))
        return list(found.values())
