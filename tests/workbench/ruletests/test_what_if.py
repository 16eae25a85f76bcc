"""What-ifs: files that give all that one decision needs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.rulemaking import shipped

from router.domain.inventory import in_effect
from router.files.document import Document
from router.files.yamlfile import parse
from router.workbench.ruletests import what_if
from router.workbench.ruletests.what_if import WhatIf

USER = "90-B3-D5-1F-30-01-00-01"
FILE = Path("what-if.yaml")


def read(text: str) -> Document:
    return parse(text.encode(), FILE)


def what_if_of(text: str, number: int | None = None) -> WhatIf:
    document = read(text)
    found = what_if.load(document, shipped(), number)
    assert found is not None, [problem.render() for problem in document.problems]
    return found


def problems(text: str, number: int | None = None) -> list[str]:
    document = read(text)
    assert what_if.load(document, shipped(), number) is None
    return [
        f"{each.location.line}:{each.location.column} {each.message}" for each in document.problems
    ]


def test_what_is_left_out_is_the_usual() -> None:
    found = what_if_of(f"given:\n  registrations:\n    - {{point: mprn, supplier_id: {USER}}}\n")
    assert found.given.hub.status == "Commissioned"
    assert [each.supplier_id for each in found.given.registrations] == [USER]
    assert found.given.users == ()
    assert found.at == found.given.activation.activated_at


def test_a_meter_point_is_one_in_every_spelling_and_need_not_check() -> None:
    text = "given:\n  registrations:\n"
    for since, number in (("2020-01-01", "0012345602"), ("2021-01-01", "12345602")):
        text += f"    - {{point: mprn, mpxn: '{number}', effective_from: {since}}}\n"
    given = what_if_of(text).given
    assert [each.mpxn for each in given.registrations] == ["12345602"] * 2
    held = in_effect(given.home, given.activation.activated_at)
    assert [each.effective_from.year for each in held] == [2021]


def test_the_moment_of_decision_can_be_given() -> None:
    found = what_if_of("given: {}\nat: 2026-06-02T00:01:00+01:00\n")
    assert found.at == datetime(2026, 6, 1, 23, 1, tzinfo=UTC)


def test_rules_can_be_taken_away() -> None:
    assert what_if_of("given: {}\nwithout: [hub-pending]\n").without == ("hub-pending",)
    assert what_if_of("given: {}\n").without == ()


def test_one_of_several_tests_starts_from_what_its_file_gives() -> None:
    text = """\
given:
  hub: {model: Alpha}
  users: [{id: 90-B3-D5-1F-30-01-00-01, roles: [gas_supplier]}]
tests:
  - name: one
    expect: {alerts: []}
  - name: two
    given: {hub: {status: Pending}}
    expect: whatever
"""
    assert what_if.tests(read(text)) == ["one", "two"]
    two = what_if_of(text, 1).given
    assert (two.hub.model, two.hub.status) == ("Alpha", "Pending")
    assert list(two.service_users) == [USER]
    assert what_if_of(text, 0).given.hub.status == "Commissioned"


def test_a_test_alone_will_do() -> None:
    assert what_if.tests(read("name: x\ngiven: {}\nexpect: {alerts: []}\n")) == []
    assert (
        what_if_of("name: x\ngiven: {}\nexpect: {alerts: []}\n").given.hub.status == "Commissioned"
    )


@pytest.mark.parametrize(
    ("text", "is_what_if"),
    [
        ("given: {}", True),
        ("tests: []", True),
        ('{"given": {}}', True),
        ('{"specversion": "1.0", "given": 1}', False),
        ("at: 2026-06-02T00:01:00Z", False),
        ("[given]", False),
        ("", False),
    ],
)
def test_it_is_no_fact(text: str, is_what_if: bool) -> None:
    assert what_if.is_what_if(read(text)) is is_what_if


@pytest.mark.parametrize(
    ("text", "number", "told"),
    [
        ("", None, ["1:1 must have `given:`, or be a file of tests"]),
        ("tests: 3", None, ["1:1 must have `given:`, or be a file of tests"]),
        ("given: 3", None, ["1:8 given: must be a mapping, such as {key: value}, not 3"]),
        ("given: {}\naat: x", None, ["2:1 'aat' means nothing here; did you mean 'at'?"]),
        (
            "given: {hub: {grups: [x]}}",
            None,
            ["1:15 'grups' means nothing here; did you mean 'groups'?"],
        ),
        ("given: {}\ngiven: {}", None, ["2:1 'given' stands here already, in line 1"]),
        (
            "given: {usrs: []}\ntests:\n  - {name: x}",
            0,
            ["1:9 'usrs' means nothing here; did you mean 'users'?"],
        ),
        (
            "given: {}\nwithout: [hub-pendin]",
            None,
            ["2:11 there is no rule 'hub-pendin'; did you mean 'hub-pending'?"],
        ),
        ("tests:\n  - x\n", 0, ["2:5 tests: must be a mapping, such as {key: value}, not 'x'"]),
        (
            "given: {activation: {device_id: 90-B3-D5-1F-30-00-10-02}}",
            None,
            ["1:33 the activation must be one of the hub that is given"],
        ),
    ],
)
def test_mistakes_have_their_place(text: str, number: int | None, told: list[str]) -> None:
    assert problems(text, number) == told
