"""Runs the unit tests of rules with the real engine.

A test must decide something: where nobody can be told, it fails, whatever it expects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from router.deciding.case import Case
from router.deciding.decisions import Decision
from router.deciding.engine import Engine, EngineAnomaly
from router.files.problems import Location, Problem
from router.language.folder import TESTS, find
from router.language.rules import Rules
from router.workbench.ruletests.coverage import Coverage, Share, Uncovered
from router.workbench.ruletests.differences import Evaluated, differences
from router.workbench.ruletests.file import RuleTest
from router.workbench.ruletests.file import load as load_tests


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test."""

    test: str
    passed: bool
    message: str
    """What was expected and did not come, what came and was not expected, and why, a line each
    (`differences` has an example); empty when it passed."""
    location: Location
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of all tests; without results when there are problems in their files."""

    results: tuple[Result, ...] = ()
    uncovered: tuple[Uncovered, ...] = ()
    coverage: tuple[Share, ...] = ()
    """Of each file of rules, and of all at the end."""
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.problems and all(result.passed for result in self.results)


def find_tests(folder: Path) -> list[Path]:
    """Every *.test.yaml below a folder, or the file itself."""
    if not folder.is_dir():
        return [folder]
    return [file for file in find(folder)[0] if file.name.endswith(TESTS)]


def run(rules: Rules, files: Sequence[Path], wanted: Callable[[str], bool] | None = None) -> Report:
    """Run the tests in these files, or those whose name is `wanted`.

    EngineError when durable_rules does not take the rules.
    """
    found, problems = load_tests(files, rules)
    if problems:
        return Report(problems=tuple(problems))
    tests = [test for test in found if wanted is None or wanted(test.entry.name)]
    engine, coverage = Engine(rules), Coverage(rules)
    try:
        results = tuple(_run(Question.of(test), engine, coverage) for test in tests)
    finally:
        engine.close()
    return Report(results, tuple(coverage.uncovered()), tuple(coverage.shares()))


@dataclass(frozen=True, slots=True)
class Question:
    """What a test asks of rules."""

    test: RuleTest
    case: Case

    @classmethod
    def of(cls, test: RuleTest) -> Question:
        """All that does not depend on rules."""
        activation = test.entry.given.activation
        return cls(test, Case.opened(activation, test.home, test.users, _moment(test)))

    def decided(self, matched: Sequence[Iterable[int]], rules: Rules) -> list[Decision]:
        """What follows, given the indexes of the rules that matched each candidate."""
        away = {n for n, rule in enumerate(rules.rules) if rule.name in self.test.entry.without}
        return self.case.decided(({*hits} - away for hits in matched), rules)


def _moment(test: RuleTest) -> datetime:
    return test.entry.at or test.entry.given.activation.activated_at


def _run(question: Question, engine: Engine, coverage: Coverage) -> Result:
    started = time.perf_counter()
    test, case = question.test, question.case
    for each in case.values:
        coverage.saw(each, test.entry.without)
    answers = engine.evaluate(case.values)
    anomalies = [str(each) for each in answers if isinstance(each, EngineAnomaly)]
    matched = [() if isinstance(each, EngineAnomaly) else each for each in answers]
    decisions = question.decided(matched, engine.rules)
    keys = [(each.user.id, str(each.role)) for each in case.candidates]
    asked = engine.rules.without(test.entry.without)
    answer = Evaluated(asked, decisions, dict(zip(keys, case.values, strict=True)))
    said = anomalies + differences(test, answer)
    if not case.candidates and not said:
        said = _nothing(question)
    seconds = time.perf_counter() - started
    return Result(test.entry.name, not said, "\n".join(said), test.location, seconds)


def _nothing(question: Question) -> list[str]:
    """Why no rule was asked about anybody."""
    settled = question.case.settled
    unable = [f"  {e.party.id} as {e.party.role}: {e.reason}" for e in settled if e.party]
    if not unable:
        at = _moment(question.test).isoformat()
        return [f"decides nothing: {each.reason} at {at}" for each in settled]
    return ["decides nothing: none of the users is responsible for the hub", *unable]
