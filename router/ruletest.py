"""Runs the unit tests of rules with the real engine, and tells which conditions they leave out.

A condition that no test saw hold and fail may say anything; the tests would not notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from router import ruletestfile
from router.conditions import Comparison, seen
from router.decisions import Decision, Verdict, candidates, decide, due
from router.document import Location, Problem
from router.engine import Engine, EngineAnomaly
from router.fields import Value, fields_of
from router.inventory import in_effect, responsible
from router.rules import Rule, Rules, find
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


def _run(case: Case, engine: Engine, coverage: _Coverage) -> Result:
    activation = case.entry.given.activation
    parties = responsible(in_effect(case.home, case.entry.at or activation.activated_at))
    able, decisions = candidates(parties, case.users)
    values = [fields_of(activation, case.home.hub, each.role, each.user) for each in able]
    anomalies: list[str] = []
    for candidate, mine, matched in zip(able, values, engine.evaluate(values), strict=True):
        coverage.saw(mine)
        if isinstance(matched, EngineAnomaly):
            anomalies.append(str(matched))
        else:
            decisions.append(decide(candidate, matched, engine.rules))
    differences = [*anomalies, *_differences(case, decisions)]
    return Result(case.entry.name, not differences, "\n".join(differences), case.location)


def _differences(case: Case, decisions: Sequence[Decision]) -> Iterator[str]:
    expect = case.entry.expect
    wanted = {(each.user, _sorted(each.roles), each.code) for each in expect.alerts}
    found = {
        (each.service_user_id, _sorted(each.rules), each.alert_code) for each in due(decisions)
    }
    for user, roles, code in sorted(wanted - found):
        yield f"missing: {code} to {user} as {', '.join(roles)}{_instead(user, decisions)}"
    for user, roles, code in sorted(found - wanted):
        yield f"not expected: {code} to {user} as {', '.join(roles)}{_instead(user, decisions)}"
    if expect.suppressed is None:
        return
    silenced = {(each.user, str(each.role), each.rule) for each in expect.suppressed}
    silent = {
        (each.party.id, str(each.party.role), each.rule or "")
        for each in decisions
        if each.verdict is Verdict.SUPPRESSED and each.party
    }
    for user, role, rule in sorted(silenced - silent):
        yield f"missing: {user} as {role} suppressed by {rule}{_instead(user, decisions)}"
    for user, role, rule in sorted(silent - silenced):
        yield f"not expected: {user} as {role} suppressed by {rule}"


def _sorted(roles: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(str(role) for role in roles))


def _instead(user: str, decisions: Sequence[Decision]) -> str:
    """What was decided for that user."""
    mine = [
        f"{each.party.role} {each.verdict}{f' by {each.rule}' if each.rule else ''}"
        for each in decisions
        if each.party and each.party.id == user
    ]
    return f" (decided: {'; '.join(mine) or 'nothing, it is not responsible for the hub'})"


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
