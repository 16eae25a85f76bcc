"""Runs the unit tests of rules with the real engine, and tells which conditions they leave out.

A condition that no test saw hold and fail may say anything; the tests would not notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router import ruletestfile
from router.conditions import Comparison, seen
from router.decisions import Decision, Verdict, candidates, decide, due
from router.document import Location, Problem
from router.engine import Engine, EngineAnomaly
from router.explaining import blamed
from router.fields import Value, fields_of
from router.inventory import in_effect, responsible
from router.rule import Rule
from router.rules import Rules, find
from router.ruletestfile import Case


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test."""

    test: str
    passed: bool
    message: str
    """What was missing or too much, a line each; empty when it passed."""
    location: Location


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A condition that some outcome was never seen of."""

    rule: Rule
    comparison: Comparison
    never: str
    """`held` or `failed`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all tests; without results when there are problems in their files."""

    results: tuple[Result, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems and all(result.passed for result in self.results)


def find_tests(folder: Path) -> list[Path]:
    """Every *.test.yaml below a folder, or the file itself."""
    if not folder.is_dir():
        return [folder]
    return [file for file in find(folder)[0] if file.name.endswith(".test.yaml")]


def run(rules: Rules, files: Sequence[Path]) -> Report:
    """Run the tests in these files. EngineError when durable_rules does not take the rules."""
    cases, problems = ruletestfile.load(files, rules)
    if problems:
        return Report(problems=tuple(problems))
    engine = Engine(rules)
    try:
        coverage = _Coverage(rules)
        results = tuple(_run(case, engine, coverage) for case in cases)
        return Report(results, tuple(coverage.uncovered()))
    finally:
        engine.close()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a test came to."""

    rules: Rules
    decisions: Sequence[Decision]
    values: Mapping[tuple[str, str], Mapping[str, Value]]
    """What rules saw of each candidate, by user and role."""


def _run(case: Case, engine: Engine, coverage: _Coverage) -> Result:
    activation = case.entry.given.activation
    parties = responsible(in_effect(case.home, case.entry.at or activation.activated_at))
    able, decisions = candidates(parties, case.users)
    values = [fields_of(activation, case.home.hub, each.role, each.user) for each in able]
    differences: list[str] = []
    for candidate, mine, matched in zip(able, values, engine.evaluate(values), strict=True):
        coverage.saw(mine)
        if isinstance(matched, EngineAnomaly):
            differences.append(str(matched))
        else:
            decisions.append(decide(candidate, matched, engine.rules))
    keys = [(each.user.id, str(each.role)) for each in able]
    outcome = _Outcome(engine.rules, decisions, dict(zip(keys, values, strict=True)))
    differences += _alerts(case, outcome)
    differences += _suppressions(case, outcome)
    if not able and not differences:
        differences.append(
            "decides nothing: none of the users is responsible for the hub at that moment, "
            "in a role that it holds"
        )
    return Result(case.entry.name, not differences, "\n".join(differences), case.location)


def _alerts(case: Case, outcome: _Outcome) -> Iterator[str]:
    wanted = {(each.user, _sorted(each.roles), each.code) for each in case.entry.expect.alerts}
    found = {
        (each.service_user_id, _sorted(each.rules), each.alert_code)
        for each in due(outcome.decisions)
    }
    for user, roles, code in sorted(wanted - found):
        yield f"missing: {code} to {user} as {', '.join(roles)}{_instead(user, outcome)}"
        for role in roles:
            yield from _why_not(user, role, code, outcome)
    for user, roles, code in sorted(found - wanted):
        yield f"not expected: {code} to {user} as {', '.join(roles)}{_instead(user, outcome)}"


def _suppressions(case: Case, outcome: _Outcome) -> Iterator[str]:
    if case.entry.expect.suppressed is None:
        return
    wanted = {(each.user, str(each.role), each.rule) for each in case.entry.expect.suppressed}
    found = {
        (each.party.id, str(each.party.role), each.rule or "")
        for each in outcome.decisions
        if each.verdict is Verdict.SUPPRESSED and each.party
    }
    for user, role, name in sorted(wanted - found):
        yield f"missing: {user} as {role} suppressed by {name}{_instead(user, outcome)}"
        named = [rule for rule in outcome.rules.rules if rule.name == name]
        yield from _nearest(named, role, outcome.values.get((user, role)))
    for user, role, name in sorted(found - wanted):
        yield f"not expected: {user} as {role} suppressed by {name}"


def _sorted(roles: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(str(role) for role in roles))


def _instead(user: str, outcome: _Outcome) -> str:
    """What was decided for that user."""
    mine = [
        f"{each.party.role} {each.verdict}{f' by {each.rule}' if each.rule else ''}"
        for each in outcome.decisions
        if each.party and each.party.id == user
    ]
    return f" (decided: {'; '.join(mine) or 'nothing, it is not responsible for the hub'})"


def _why_not(user: str, role: str, code: str, outcome: _Outcome) -> Iterator[str]:
    """Why a role was not alerted, where the decision does not say it."""
    alerting = [rule for rule in outcome.rules.rules if rule.alert == code]
    if not alerting:
        yield f"  {role}: no rule alerts {code}"
        return
    for each in outcome.decisions:
        mine = each.party and (each.party.id, each.party.role) == (user, role)
        if mine and (each.verdict is Verdict.NO_RULE or each.alert_code not in {None, code}):
            yield from _nearest(alerting, role, outcome.values.get((user, role)))


def _nearest(rules: Sequence[Rule], role: str, values: Mapping[str, Value] | None) -> Iterator[str]:
    """The first condition that failed, of the rule with the fewest of them."""
    if values is None:
        return
    failed = [(rule, found) for rule in rules if (found := blamed(rule.when, values))]
    if failed:
        rule, found = min(failed, key=lambda each: len(each[1]))
        yield f"  {role}: {rule.name} did not match: {found[0]}"


class _Coverage:
    """Which outcomes of each condition the tests have seen."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules.rules
        self.outcomes: dict[tuple[int, int], set[bool]] = {}

    def saw(self, values: dict[str, Value]) -> None:
        for number, rule in enumerate(self.rules):
            for index, each in enumerate(seen(rule.when, values)):
                self.outcomes.setdefault((number, index), set()).add(each.held)

    def uncovered(self) -> Iterator[Uncovered]:
        for number, rule in enumerate(self.rules):
            for index, each in enumerate(seen(rule.when, {})):
                for missing in sorted({True, False} - self.outcomes.get((number, index), set())):
                    yield Uncovered(rule, each.comparison, "held" if missing else "failed")
