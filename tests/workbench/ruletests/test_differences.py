"""What a failed test says: the difference, and why it came to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.rulemaking import read, rule
from support.ruletesting import GAS, HEARD, SUPPLIER, failure, outcome, rule_test
from support.samples import user

from router.language.rules import Rules

ROLE = 'recipient.role == "gas_supplier"'
QUIET = {"hub": {"groups": ["quiet"]}}
SILENCED = {"user": user(1), "role": "gas_supplier", "rule": "quiet-please"}


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return read(
        tmp_path,
        rule([ROLE], "alert-gas"),
        rule(['hub.groups has "quiet"'], "quiet-please", suppress="asked for"),
    )


def lines(rules: Rules, folder: Path, **test: Any) -> list[str]:
    """What is said of one test that fails."""
    return failure(outcome(rules, folder, rule_test(**test))).splitlines()


def test_an_alert_too_much_is_told_with_the_conditions_that_hold(
    rules: Rules, tmp_path: Path
) -> None:
    assert lines(rules, tmp_path, alerts=[]) == [
        f"+ N64  {user(1)}  gas_supplier (alert-gas)",
        f"  gas_supplier of {user(1)}: alerted by alert-gas",
        f'    {ROLE}: holds, recipient.role is "gas_supplier"',
    ]


def test_a_missing_alert_is_told_with_the_rule_that_suppressed_it(
    rules: Rules, tmp_path: Path
) -> None:
    assert lines(rules, tmp_path, given=QUIET) == [
        f"- N64  {user(1)}  gas_supplier",
        f"  gas_supplier of {user(1)}: suppressed by quiet-please",
        '    hub.groups has "quiet": holds, hub.groups is ["quiet"]',
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"users": []}, "no eligible user: not a Service User"),
        (
            {"users": [{**SUPPLIER, "roles": ["import_supplier"]}]},
            "no eligible user: does not hold gas_supplier here",
        ),
        ({"registrations": []}, "not responsible for the hub at that moment"),
    ],
)
def test_who_could_not_be_told_is_said(
    rules: Rules, tmp_path: Path, given: dict[str, Any], why: str
) -> None:
    assert lines(rules, tmp_path, given=given) == [
        f"- N64  {user(1)}  gas_supplier",
        f"  gas_supplier of {user(1)}: {why}",
    ]


def test_the_condition_that_failed_is_told_with_what_it_saw(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        rule(['recipient.role == "import_supplier"', 'hub.model == "A"'], "further"),
        rule([ROLE, 'hub.csp_region == "North"', 'hub.model in ["A"]'], "nearest"),
        rule([ROLE, 'hub.groups has "pilot"'], "hush", suppress="for pilots"),
    )
    known = {"hub": {"model": "B", "csp_region": "North", "groups": ["a", "b"]}}
    assert lines(rules, tmp_path, given=known) == [
        f"- N64  {user(1)}  gas_supplier",
        f"  gas_supplier of {user(1)}: no rule matches",
        "    nearest does not match:",
        '      hub.model in ["A"]: fails, hub.model is "B"',
    ]
    hushed = [{**SILENCED, "rule": "hush"}]
    assert lines(rules, tmp_path, given=known, alerts=[], expect={"suppressed": hushed}) == [
        f"- suppressed  {user(1)}  gas_supplier (hush)",
        f"  gas_supplier of {user(1)}: no rule matches",
        "    hush does not match:",
        '      hub.groups has "pilot": fails, hub.groups is ["a", "b"]',
    ]


def test_a_rule_about_another_role_is_not_near(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        rule(['recipient.role == "import_supplier"'], "other"),
        rule([ROLE, 'hub.groups has "pilot"', "hub.model exists"], "meant"),
    )
    assert "    meant does not match:" in lines(rules, tmp_path)


def test_of_many_conditions_the_first_are_told(tmp_path: Path) -> None:
    many = {"any": [f'hub.model == "{number}"' for number in range(20)]}
    said = lines(read(tmp_path, rule([many])), tmp_path)
    assert said[-2:] == [
        '      hub.model == "5": fails, hub.model is not known',
        "      and 14 more",
    ]


def test_another_code_is_both_missing_and_too_much(rules: Rules, tmp_path: Path) -> None:
    assert lines(rules, tmp_path, alerts=[{**HEARD, "code": "N65"}]) == [
        f"- N65  {user(1)}  gas_supplier",
        f"+ N64  {user(1)}  gas_supplier (alert-gas)",
        f"  gas_supplier of {user(1)}: alerted by alert-gas",
        f'    {ROLE}: holds, recipient.role is "gas_supplier"',
        "    no rule alerts N65",
    ]


def test_suppressions_are_compared_when_they_are_given(rules: Rules, tmp_path: Path) -> None:
    expected = {"suppressed": [SILENCED]}
    right = rule_test(given=QUIET, alerts=[], expect=expected)
    assert outcome(rules, tmp_path, right).passed
    assert lines(rules, tmp_path, given=QUIET, alerts=[], expect={"suppressed": []}) == [
        f"+ suppressed  {user(1)}  gas_supplier (quiet-please)",
        f"  gas_supplier of {user(1)}: suppressed by quiet-please",
        '    hub.groups has "quiet": holds, hub.groups is ["quiet"]',
    ]
    assert lines(rules, tmp_path, expect=expected) == [
        f"- suppressed  {user(1)}  gas_supplier (quiet-please)",
        f"  gas_supplier of {user(1)}: alerted by alert-gas",
        f'    {ROLE}: holds, recipient.role is "gas_supplier"',
        "    quiet-please does not match:",
        '      hub.groups has "quiet": fails, hub.groups is not known',
        "  1 more as expected",
    ]


def test_the_second_of_two_suppressing_rules_is_told_as_such(tmp_path: Path) -> None:
    rules = read(
        tmp_path,
        rule([ROLE], "first", suppress="a"),
        rule([ROLE], "second", suppress="b"),
    )
    expected = {"suppressed": [{**SILENCED, "rule": "second"}]}
    assert lines(rules, tmp_path, alerts=[], expect=expected) == [
        f"- suppressed  {user(1)}  gas_supplier (second)",
        f"+ suppressed  {user(1)}  gas_supplier (first)",
        f"  gas_supplier of {user(1)}: suppressed by first",
        f'    {ROLE}: holds, recipient.role is "gas_supplier"',
        "    second matches too, and comes second",
    ]


def test_names_stand_in_line_and_what_is_as_expected_is_only_counted(tmp_path: Path) -> None:
    rules = read(tmp_path, rule(["recipient.role exists"], "all"))
    points = {1: "import_mpan", 2: "export_mpan", 3: "mprn"}
    users = [
        {"id": user(1), "name": "Acme Energy", "roles": ["import_supplier"]},
        {"id": user(2), "name": "Borealis", "roles": ["export_supplier"]},
        {"id": user(3), "name": "Cymru Gas", "roles": ["gas_supplier"]},
    ]
    given = {
        "registrations": [
            {"point": point, "supplier_id": user(number)} for number, point in points.items()
        ],
        "users": users,
    }
    alerts = [
        {"user": user(1), "roles": ["import_supplier"]},
        {"user": user(2), "roles": ["gas_supplier"]},
    ]
    assert lines(rules, tmp_path, given=given, alerts=alerts) == [
        f"- N64  Borealis   {user(2)}  gas_supplier",
        f"+ N64  Borealis   {user(2)}  export_supplier (all)",
        f"+ N64  Cymru Gas  {user(3)}  gas_supplier (all)",
        "  export_supplier of Borealis: alerted by all",
        '    recipient.role exists: holds, recipient.role is "export_supplier"',
        "  gas_supplier of Borealis: not responsible for the hub at that moment",
        "  gas_supplier of Cymru Gas: alerted by all",
        '    recipient.role exists: holds, recipient.role is "gas_supplier"',
        "  1 more as expected",
    ]


def test_only_the_roles_that_differ_are_explained(tmp_path: Path) -> None:
    rules = read(tmp_path, rule([ROLE], "gas"))
    roles = ["import_supplier", "gas_supplier"]
    given = {
        "registrations": [GAS, {"point": "import_mpan", "supplier_id": user(1)}],
        "users": [{**SUPPLIER, "roles": roles}],
    }
    assert lines(rules, tmp_path, given=given, alerts=[{**HEARD, "roles": roles}]) == [
        f"- N64  {user(1)}  gas_supplier, import_supplier",
        f"+ N64  {user(1)}  gas_supplier (gas)",
        f"  import_supplier of {user(1)}: no rule matches",
        "    gas does not match:",
        f'      {ROLE}: fails, recipient.role is "import_supplier"',
    ]
