"""*.test.yaml: unit tests of rules, written beside them by operators.

    given:                                  # optional: what every test of the file starts from
      users:
        - {id: 90-B3-D5-1F-30-01-00-01, roles: [import_supplier]}
    tests:
      - name: a commissioned hub is announced
        given:                              # beats the file's; hub and activation key by key
          hub: {model: Alpha}
          registrations:
            - {point: import_mpan, supplier_id: 90-B3-D5-1F-30-01-00-01}
          activation: {firmware_version: "9002"}
        at: 2026-06-01T12:00:00Z            # moment of decision; that of the activation if left out
        without: [hub-pending]              # optional: rules that are taken away for this test
        expect:
          alerts:                           # exactly these; [] for none
            - {user: 90-B3-D5-1F-30-01-00-01, roles: [import_supplier], code: N64}
          suppressed:                       # optional; exactly these, where it is given
            - {user: 90-B3-D5-1F-30-01-00-01, role: gas_supplier, rule: hub-replaced}

Left out, a hub is a commissioned SMETS2 hub, an activation is a successful one of that hub, and
a registration is one of that hub, of the usual meter point of its kind, from 2020 on; an Alert has
the code N64. A test fails, whatever it expects, where nobody is responsible: it says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from router.domain.identifiers import Moment, ShortText, UserId
from router.domain.inventory import Home
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.problems import Location, Problem
from router.files.values import read_model
from router.files.yamlfile import read
from router.language.rules import Rules
from router.ports import Options
from router.workbench.ruletests import given
from router.workbench.ruletests.given import Given

CODE = "N64"


class ExpectedAlert(Options):
    """One Alert that must come of it."""

    user: UserId
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    code: str = CODE


class ExpectedSuppression(Options):
    """One candidate that must be suppressed by this rule."""

    user: UserId
    role: Role
    rule: str


class Expected(Options):
    """What must come of it."""

    alerts: tuple[ExpectedAlert, ...]
    suppressed: tuple[ExpectedSuppression, ...] | None = None


class RuleTestEntry(Options):
    """One test as written, with what it left out filled in."""

    name: ShortText
    given: Given
    at: Moment | None = None
    without: tuple[str, ...] = ()
    """Rules that are taken away, to see what others come to where these would hide it."""
    expect: Expected


class RuleTestsFile(Options):
    """The whole file."""

    given: Given
    tests: Annotated[tuple[RuleTestEntry, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test, ready to run."""

    entry: RuleTestEntry
    location: Location

    @property
    def home(self) -> Home:
        """The hub and its registrations."""
        return self.entry.given.home

    @property
    def users(self) -> dict[str, ServiceUser]:
        """The Service Users by id."""
        return self.entry.given.service_users


def load(files: Sequence[Path], rules: Rules | None) -> tuple[list[RuleTest], list[Problem]]:
    """The tests in files, and every problem of these; never raises for what they hold.

    Without `rules`, as these have mistakes themselves, no rule is called unknown.
    """
    tests: list[RuleTest] = []
    problems: list[Problem] = []
    for file in files:
        document = read(file)
        tests += _tests_in(document, rules)
        problems += document.problems
    return tests, problems


def _tests_in(document: Document, rules: Rules | None) -> list[RuleTest]:
    value = document.value
    if value is None:
        if not document.problems:
            message = "no tests in this file; write `tests:` and the tests"
            document.add(document.at(), message, Code.EMPTY)
        return []
    shared = value.get("given") if isinstance(value, dict) else None
    filled = _fill_file(value, shared)
    if shared is not None and read_model(document, Given, filled["given"], "given") is None:
        return []  # each test would repeat what is wrong with it
    found = read_model(document, RuleTestsFile, filled)
    if found is None:
        return []
    tests = [
        RuleTest(entry, document.at("tests", number)) for number, entry in enumerate(found.tests)
    ]
    for number, test in enumerate(tests):
        _check(document, test.entry, rules, number)
    for name, times in Counter(test.entry.name for test in tests).items():
        if times > 1:
            first, *again = (n for n, test in enumerate(tests) if test.entry.name == name)
            line = document.at("tests", first, "name").line
            message = f"a test named {name!r} stands here already, in line {line}"
            document.add(document.at("tests", again[0], "name"), message, Code.DUPLICATE_NAME)
    return [] if document.problems else tests


def _check(document: Document, entry: RuleTestEntry, rules: Rules | None, number: int) -> None:
    """What can be wrong between the parts of a test."""
    given.check(document, entry.given, "tests", number, "given")
    if rules is not None:
        for place, name in _named(entry):
            given.check_rule(document, name, rules, "tests", number, *place)
    before: set[tuple[str, str]] = set()
    for index, alert in enumerate(entry.expect.alerts):
        if (alert.user, alert.code) in before:
            where = document.at("tests", number, "expect", "alerts", index)
            message = f"a second {alert.code} to {alert.user}; write one with all of its roles"
            document.add(where, message, Code.CONFLICT)
        before.add((alert.user, alert.code))


def _named(entry: RuleTestEntry) -> Iterator[tuple[Place, str]]:
    """Every rule that is named, and where."""
    for index, name in enumerate(entry.without):
        yield ("without", index), name
    for index, each in enumerate(entry.expect.suppressed or ()):
        yield ("expect", "suppressed", index, "rule"), each.rule


# --- what was left out ----------------------------------------------------------------------


def _fill_file(value: Any, shared: Any) -> Any:
    if not isinstance(value, dict):
        return value
    tests = value.get("tests")
    filled = {**value, "given": given.filled(shared)}
    if isinstance(tests, list):
        filled["tests"] = [_fill_test(test, shared) for test in tests]
    return filled


def _fill_test(test: Any, shared: Any) -> Any:
    if not isinstance(test, dict):
        return test
    return {**test, "given": given.filled(test.get("given"), shared)}
