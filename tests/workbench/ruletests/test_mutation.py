"""Which changes of rules tests notice: each kind is found, and goes unnoticed where it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.rulemaking import SHIPPED, matching, read, rule, shipped
from support.ruletesting import HEARD, SUPPLIER, loaded, rule_test

from router.language.rules import Rules
from router.workbench.ruletests.differences import met
from router.workbench.ruletests.file import RuleTest
from router.workbench.ruletests.file import load as load_tests
from router.workbench.ruletests.mutants import Mutant
from router.workbench.ruletests.mutation import Tried, attempt, changes
from router.workbench.ruletests.runner import Question, find_tests

GAS = 'recipient.role == "gas_supplier"'
TOLD: dict[str, Any] = {}
QUIET: dict[str, Any] = {"alerts": []}


def hub(told: dict[str, Any], **known: Any) -> dict[str, Any]:
    """A test with this hub, under a name that says so."""
    name = f"{'quiet' if told else 'told'}: {known}"
    return rule_test(name, given={"hub": known}, **told)


def tried(rules: Rules, tests: Sequence[RuleTest]) -> list[Tried]:
    return [each for each in attempt(rules, tests, changes(rules)) if each]


def unnoticed(folder: Path, when: list[Any], *tests: dict[str, Any]) -> list[tuple[str, str]]:
    """The changes of one rule that these tests let pass."""
    rules = read(folder, rule(when))
    return [
        (each.mutant.change, each.mutant.text)
        for each in tried(rules, loaded(rules, folder, *tests))
        if each.noticed_by is None
    ]


NORTH = 'hub.csp_region == "North"'
PILOT = 'hub.groups has "pilot"'
OLD = 'hub.hardware_version < "2.0"'
MODELS = 'hub.model in ["A", "B"]'
ALPHA = 'hub.model startswith "Alpha"'


@pytest.mark.parametrize(
    ("when", "tests", "left"),
    [
        pytest.param(
            [NORTH],
            [hub(TOLD, csp_region="North"), hub(QUIET, csp_region="South")],
            [],
            id="both sides of a line",
        ),
        pytest.param(
            [NORTH],
            [hub(TOLD, csp_region="North")],
            [("is left out", NORTH)],
            id="only where it holds",
        ),
        pytest.param(
            [NORTH],
            [hub(QUIET, csp_region="South")],
            [("is left out", "a-rule")],
            id="only where it fails",
        ),
        pytest.param(
            [NORTH, PILOT],
            [
                hub(TOLD, csp_region="North", groups=["pilot"]),
                hub(QUIET, csp_region="South", groups=["pilot"]),
                hub(QUIET, csp_region="South"),
            ],
            [("is left out", PILOT)],
            id="a line that never fails alone",
        ),
        pytest.param(
            [OLD],
            [hub(TOLD, hardware_version="1.0"), hub(QUIET, hardware_version="3.0")],
            [("has <= in place of <", OLD)],
            id="nothing at the edge",
        ),
        pytest.param(
            [OLD],
            [hub(TOLD, hardware_version="1.0"), hub(QUIET, hardware_version="2.0")],
            [],
            id="the edge itself",
        ),
        pytest.param(
            [MODELS],
            [hub(TOLD, model="A"), hub(QUIET, model="C")],
            [('has no "B" in its list', MODELS)],
            id="a member that nobody is",
        ),
        pytest.param(
            [ALPHA],
            [hub(TOLD, model="Alpha"), hub(QUIET, model="Beta")],
            [("has == in place of startswith", ALPHA)],
            id="only the beginning itself",
        ),
        pytest.param(
            [{"any": [NORTH, PILOT]}],
            [hub(TOLD, csp_region="North", groups=["pilot"]), hub(QUIET)],
            [
                ("is left out", NORTH),
                ("is left out", PILOT),
                ("is an all:", "any:"),
            ],
            id="never only one of any",
        ),
        pytest.param(
            [{"any": [NORTH, PILOT]}],
            [hub(TOLD, csp_region="North"), hub(TOLD, groups=["pilot"]), hub(QUIET)],
            [],
            id="each of any alone",
        ),
        pytest.param(
            [{"any": [{"all": [NORTH, PILOT]}, MODELS]}],
            [
                hub(TOLD, csp_region="North", groups=["pilot"]),
                hub(TOLD, model="A"),
                hub(TOLD, model="B"),
                hub(QUIET),
            ],
            [
                ("is left out", NORTH),
                ("is left out", PILOT),
                ("is an any:", "all:"),
            ],
            id="never only one of all",
        ),
        pytest.param(
            [GAS, {"not": [NORTH]}],
            [hub(TOLD, csp_region="South")],
            [("is left out", GAS), ("never holds", NORTH)],
            id="what is not never is",
        ),
        pytest.param(
            [{"not": [NORTH, PILOT]}],
            [hub(TOLD), hub(QUIET, csp_region="North", groups=["pilot"])],
            [
                ("is left out", NORTH),
                ("is left out", PILOT),
                ("means that none of its lines holds", "not:"),
            ],
            id="never only one of not",
        ),
    ],
)
def test_what_tests_leave_open_is_named(
    tmp_path: Path, when: list[Any], tests: list[dict[str, Any]], left: list[tuple[str, str]]
) -> None:
    assert unnoticed(tmp_path, when, *tests) == left


def test_the_test_that_notices_is_named(tmp_path: Path) -> None:
    rules = read(tmp_path, rule([NORTH]))
    north, south = hub(TOLD, csp_region="North"), hub(QUIET, csp_region="South")
    found = tried(rules, loaded(rules, tmp_path, north, south))
    assert [(each.mutant.what, each.mutant.change, each.noticed_by) for each in found] == [
        ("rule", "is left out", north["name"]),
        ("condition", "is left out", south["name"]),
        ("condition", "is turned round", north["name"]),
    ]


def test_a_rule_that_another_hides_can_be_tested_without_that(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        rule([GAS, 'activation.outcome == "success"'], "alert"),
        rule(['activation.outcome == "failure"'], "hush", suppress="failed"),
    )
    failed = {"activation": {"outcome": "failure"}}
    other = {**SUPPLIER, "roles": ["import_supplier"]}
    both = {
        "users": [other],
        "registrations": [{"point": "import_mpan", "supplier_id": SUPPLIER["id"]}],
    }
    hushed = {"suppressed": [{"user": SUPPLIER["id"], "role": "gas_supplier", "rule": "hush"}]}
    tests = [rule_test("told"), rule_test("another role", given=both, alerts=[])]
    tests += [rule_test("hushed", given=failed, alerts=[], expect=hushed)]
    found = tried(rules, loaded(rules, tmp_path, *tests))
    (left,) = [each for each in found if each.noticed_by is None]
    assert (left.mutant.text, left.mutant.change) == (
        'activation.outcome == "success"',
        "is left out",
    )
    assert not left.needless  # of its own rule it is a part
    alone = rule_test("alone", given=failed, alerts=[], without=["hush"])
    found = tried(rules, loaded(rules, tmp_path, *tests, alone))
    assert all(each.noticed_by for each in found)


def test_a_line_that_others_imply_is_needless(tmp_path: Path) -> None:
    rules = read(tmp_path, rule([GAS, "recipient.role exists"]))
    other = {"users": [{**SUPPLIER, "roles": ["import_supplier"]}]}
    other["registrations"] = [{"point": "import_mpan", "supplier_id": SUPPLIER["id"]}]
    tests = loaded(rules, tmp_path, rule_test(), rule_test("other", given=other, alerts=[]))
    left = [each for each in tried(rules, tests) if each.noticed_by is None]
    assert [(each.mutant.text, each.needless) for each in left] == [("recipient.role exists", True)]


def test_what_can_make_no_difference_is_not_told(tmp_path: Path) -> None:
    lines = ['hub.hardware_version <= "2.0"', 'hub.hardware_version not in ["2.0", "02.0"]']
    older, same = hub(TOLD, hardware_version="1.0"), hub(QUIET, hardware_version="2.0")
    other, newer = hub(QUIET, hardware_version="02.0"), hub(QUIET, hardware_version="3.0")
    left = unnoticed(tmp_path, lines, older, same, other, newer)
    # every version beside 2.0 in the order is written out in the list, but nobody can be sure
    assert left == [("has < in place of <=", lines[0])]
    words = ['hub.status in ["Pending", "Suspended"]', 'hub.status != "Pending"']
    found = unnoticed(tmp_path, words, hub(TOLD, status="Suspended"), hub(QUIET, status="Pending"))
    assert ('has no "Pending" in its list', words[0]) not in found


def test_another_role_or_code_of_an_alert_is_noticed(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        rule([GAS, NORTH], "first", alert="N65"),
        rule([GAS], "second"),
    )
    north = rule_test(
        "north", given={"hub": {"csp_region": "North"}}, alerts=[{**HEARD, "code": "N65"}]
    )
    found = tried(rules, loaded(rules, tmp_path, rule_test(), north))
    by_rule = {
        (each.mutant.rule.name, each.mutant.what, each.mutant.change): each.noticed_by
        for each in found
    }
    assert by_rule["first", "rule", "is left out"] == "north"
    assert by_rule["second", "rule", "is left out"] == "a test"
    # who is not told by the second rule is told by the first
    assert by_rule["second", "condition", "is left out"] is None


# --- as a whole -----------------------------------------------------------------------------


def plainly(rules: Rules, tests: Sequence[RuleTest], mutant: Mutant) -> str | None:
    """The first test that fails under a change, with all of it decided anew."""
    changed = tuple(
        replace(each, when=mutant.when) if each is mutant.rule else each for each in rules.rules
    )
    other = replace(rules, rules=changed)
    for each in tests:
        question = Question.of(each)
        matched = [matching(other, values) for values in question.case.values]
        if not met(each.entry.expect, question.decided(matched, other)):
            return each.entry.name
    return None


def shipped_tests() -> list[RuleTest]:
    tests, problems = load_tests(find_tests(SHIPPED), shipped())
    assert not problems
    return tests


def test_no_change_of_the_shipped_rules_goes_unnoticed() -> None:
    rules = shipped()
    found = tried(rules, shipped_tests())
    assert len(found) > 30
    assert [
        (each.mutant.location.line, each.mutant.change, each.mutant.text)
        for each in found
        if each.noticed_by is None
    ] == []


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_it_agrees_with_deciding_everything_anew(data: st.DataObject) -> None:
    rules = shipped()
    some = data.draw(st.lists(st.sampled_from(shipped_tests()), unique_by=id, max_size=6))
    for mutant, found in zip(changes(rules), attempt(rules, some, changes(rules)), strict=True):
        if found is not None:
            assert found.noticed_by == plainly(rules, some, mutant)
        else:
            assert plainly(rules, some, mutant) is None
