"""Tests of the unit tests of rules: what passes, what fails and why, what no test looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rulemaking import SHIPPED, read, rule, said, shipped
from support.ruletesting import GAS, HEARD, SUPPLIER, failure, outcome, rule_test
from support.samples import device, user

from router.language.rules import Rules
from router.workbench.ruletests.runner import find_tests, run


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return read(
        tmp_path,
        rule(['recipient.role == "gas_supplier"'], "alert-gas"),
        rule(['hub.groups has "quiet"'], "quiet-please", suppress="asked for"),
    )


# --- what passes ----------------------------------------------------------------------------


def test_exactly_the_expected_alerts_pass(rules: Rules, tmp_path: Path) -> None:
    report = outcome(rules, tmp_path, rule_test())
    assert report.passed
    (result,) = report.results
    assert (result.test, result.message) == ("a test", "")
    assert result.location.file == tmp_path / "some.test.yaml"


def test_the_order_of_roles_and_alerts_and_the_case_of_ids_do_not_matter(tmp_path: Path) -> None:
    rules = read(tmp_path, rule(["recipient.role exists"]))
    both = [GAS, {"point": "import_mpan", "supplier_id": user(1)}]
    roles = ["import_supplier", "gas_supplier"]
    heard = {"user": user(1).lower(), "roles": roles, "code": "N64"}
    given = {"registrations": both, "users": [{"id": user(1), "roles": roles[::-1]}]}
    assert outcome(rules, tmp_path, rule_test(given=given, alerts=[heard])).passed


def test_what_a_test_leaves_out_comes_from_its_file(rules: Rules, tmp_path: Path) -> None:
    shared = {"registrations": [GAS], "users": [SUPPLIER], "hub": {"groups": ["quiet"]}}
    silent = {"name": "silent", "expect": {"alerts": []}}
    own = {"name": "own hub", "given": {"hub": {"model": "x"}}, "expect": {"alerts": []}}
    loud = {"name": "loud", "given": {"hub": {"groups": []}}, "expect": {"alerts": [HEARD]}}
    assert outcome(rules, tmp_path, silent, own, loud, given=shared).passed


def test_who_is_responsible_is_read_at_the_moment_of_decision(rules: Rules, tmp_path: Path) -> None:
    left = {**GAS, "effective_to": "2026-06-02"}
    given = {"registrations": [left], "activation": {"activated_at": "2026-06-01T12:00:00Z"}}
    before = rule_test("before", given=given)
    after = rule_test("after", given=given, at="2026-06-02T00:00:00+01:00", alerts=[])
    came = {**GAS, "supplier_id": user(2), "effective_from": "2026-06-02"}
    both = {
        **given,
        "registrations": [left, came],
        "users": [SUPPLIER, {**SUPPLIER, "id": user(2)}],
    }
    taken = rule_test("taken over", given=both, at=after["at"], alerts=[{**HEARD, "user": user(2)}])
    assert outcome(rules, tmp_path, before, taken).passed
    said = failure(outcome(rules, tmp_path, after))
    assert said.startswith("decides nothing: nobody is registered for the hub at 2026-06-01T23:00")


def test_the_usual_code_can_be_left_out(rules: Rules, tmp_path: Path) -> None:
    heard = {"user": user(1), "roles": ["gas_supplier"]}
    assert outcome(rules, tmp_path, rule_test(alerts=[heard])).passed
    other = read(tmp_path / "other", rule(["recipient.role exists"], alert="N65"))
    said = failure(outcome(other, tmp_path, rule_test(alerts=[heard])))
    assert said.startswith(f"- N64  {user(1)}  gas_supplier\n+ N65  {user(1)}  gas_supplier")


def test_another_hub_is_meant_everywhere(rules: Rules, tmp_path: Path) -> None:
    assert outcome(rules, tmp_path, rule_test(given={"hub": {"device_id": device(7)}})).passed


def test_the_shipped_rules_pass_their_tests_which_look_at_every_condition() -> None:
    report = run(shipped(), find_tests(SHIPPED))
    assert report.problems == ()
    assert [result for result in report.results if not result.passed] == []
    assert len(report.results) > 10
    assert report.uncovered == ()


def test_tests_are_found_below_a_folder_or_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    names = ["a.test.yaml", "a.yaml", "deep/b.test.yaml", ".hidden.test.yaml"]
    for name in names:
        (tmp_path / name).write_text("")
    assert find_tests(tmp_path) == [tmp_path / "a.test.yaml", tmp_path / "deep" / "b.test.yaml"]
    assert find_tests(tmp_path / "a.test.yaml") == [tmp_path / "a.test.yaml"]


# --- what fails -----------------------------------------------------------------------------


def test_a_test_decides_something_or_fails(rules: Rules, tmp_path: Path) -> None:
    nobody = rule_test(given={"registrations": []}, alerts=[])
    at = "2026-06-01T12:00:00+00:00"
    assert failure(outcome(rules, tmp_path, nobody)) == (
        f"decides nothing: nobody is registered for the hub at {at}"
    )
    other_role = {**SUPPLIER, "roles": ["import_supplier"]}
    for users, why in (
        ([], "not a Service User"),
        ([{**SUPPLIER, "id": user(2)}], "not a Service User"),
        ([other_role], "does not hold gas_supplier here"),
    ):
        unable = rule_test(given={"users": users}, alerts=[], expect={"suppressed": []})
        assert failure(outcome(rules, tmp_path, unable)).splitlines() == [
            "decides nothing: none of the users is responsible for the hub",
            f"  {user(1)} as gas_supplier: {why}",
        ]


def test_a_suspended_user_is_decided_about_as_any_other(rules: Rules, tmp_path: Path) -> None:
    given = {"users": [{**SUPPLIER, "status": "suspended"}]}
    assert outcome(rules, tmp_path, rule_test(given=given)).passed
    assert failure(outcome(rules, tmp_path, rule_test(given=given, alerts=[]))).startswith(
        "+ N64  "
    )


def test_rules_can_be_taken_away_for_a_test(rules: Rules, tmp_path: Path) -> None:
    quiet = {"hub": {"groups": ["quiet"]}}
    loud = rule_test(given=quiet, without=["quiet-please"])
    report = outcome(rules, tmp_path, loud)
    assert report.passed
    # what was taken away was not seen either
    assert {each.never for each in report.uncovered if each.rule.name == "quiet-please"} == {
        "held",
        "failed",
    }
    neither = rule_test(given=quiet, alerts=[], without=["alert-gas", "quiet-please"])
    assert outcome(rules, tmp_path, neither).passed
    said = failure(outcome(rules, tmp_path, rule_test(without=["alert-gas"])))
    assert said.endswith("no rule alerts N64")


# --- what is wrong in a file ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1 no tests in this file; write `tests:` and the tests"),
        ("[]", "1:1 must be a mapping"),
        ("tests: []", "1:8 tests: must have at least 1 item"),
        ("tests: [5]", "1:9 tests: must be a mapping"),
        ("tsts: []", "1:1 'tsts' means nothing here; did you mean 'tests'?"),
        (
            "given: {hub: {modle: x}}\ntests: []",
            "1:15 'modle' means nothing here; did you mean 'model'?",
        ),
        ("tests: [{name: a}]", "1:9 'expect' is needed here"),
        ("tests: [{name: a, expect: {}}]", "1:27 'alerts' is needed here"),
        ("tests: [{name: a, given: 5, expect: {alerts: []}}]", "1:26 given: must be a mapping"),
        ("tests: [{name: a, at: noon, expect: {alerts: []}}]", "1:23 at: must be an RFC 3339 time"),
        (
            "tests: [{name: a, given: {hub: {status: Gone}}, expect: {alerts: []}}]",
            "1:41 status: must be one of Pending",
        ),
        (
            "tests: [{name: a, given: {registrations: [{point: gas}]}, expect: {alerts: []}}]",
            "1:51 point: must be one of import_mpan, export_mpan, mprn",
        ),
        (
            "tests: [{name: a, given: {activation: {device_id: 90-B3-D5-1F-30-00-00-02}},"
            " expect: {alerts: []}}]",
            "1:51 the activation must be one of the hub that is given",
        ),
        (
            "tests: [{name: a, expect: {alerts: [],"
            " suppressed: [{user: 90-B3-D5-1F-30-01-00-01, role: gas_supplier, rule: quiet}]}}]",
            "1:111 there is no rule 'quiet'",
        ),
        (
            "tests: [{name: a, without: [quiet-pleas], expect: {alerts: []}}]",
            "1:29 there is no rule 'quiet-pleas'; did you mean 'quiet-please'?",
        ),
        (
            "tests: [{name: a, expect: {alerts: ["
            "{user: 90-B3-D5-1F-30-01-00-01, roles: [gas_supplier]},"
            " {user: 90-B3-D5-1F-30-01-00-01, roles: [import_supplier]}]}}]",
            "1:93 a second N64 to 90-B3-D5-1F-30-01-00-01; write one with all of its roles",
        ),
        (
            "tests: [{name: a, expect: {alerts: []}}, {name: a, expect: {alerts: []}}]",
            "1:49 a test named 'a' stands here already, in line 1",
        ),
        (
            "given: {users: [{id: 90-B3-D5-1F-30-01-00-01, roles: [gas_supplier]},"
            " {id: 90-b3-d5-1f-30-01-00-01, roles: [gas_supplier]}]}\n"
            "tests: [{name: a, expect: {alerts: []}}]",
            "1:76 user 90-B3-D5-1F-30-01-00-01 is given twice",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(
    rules: Rules, tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "bad.test.yaml"
    file.write_text(text)
    report = run(rules, [file])
    assert any(message in each for each in said(list(report.problems))), said(list(report.problems))
    assert (report.results, report.passed) == ((), False)


def test_mistakes_of_all_files_are_told_at_once(rules: Rules, tmp_path: Path) -> None:
    files = [tmp_path / "gone.test.yaml", tmp_path / "bad.test.yaml"]
    files[1].write_text("tests: 5")
    found = run(rules, files).problems
    assert [each.location.file for each in found] == files
