"""Tests of rules that ask for somebody who is not in the service users file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import IDS, conditions, drawn, lines, read, rule, said, shipped
from support.samples import user

from router.config import usersfile
from router.domain.users import ServiceUser, ServiceUsers
from router.domain.words import Role, UserStatus
from router.files.codes import Code
from router.files.problems import Location, Problem
from router.language import contradictions
from router.language.conditions import holds
from router.language.fields import FIELDS, recipient_fields
from router.language.folder import load
from router.language.rules import Rules
from router.language.unmet import find
from router.workbench import starter


def users(*listed: ServiceUser) -> ServiceUsers:
    return ServiceUsers({each.id: each for each in listed}, digest="", text="")


ACME = ServiceUser(
    user(1),
    "Acme Energy",
    frozenset({Role.IMPORT_SUPPLIER, Role.GAS_SUPPLIER}),
    status=UserStatus.SUSPENDED,
    duis_version="5.4",
)
WIRES = ServiceUser(
    user(2),
    "Northern Wires",
    frozenset({Role.ELECTRICITY_DISTRIBUTOR}),
    subscriptions=("firmware", "pilot"),
)
USERS = users(ACME, WIRES)
HELD = "electricity_distributor, gas_supplier, import_supplier"


def found(folder: Path, *when: Any) -> list[str]:
    """What is said of one rule; its lines stand in lines 6, 7, ... of the file."""
    return said(find(read(folder, rule(list(when))), USERS))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "recipient.role == 'export_supplier'",
            "24 no Service User has the role 'export_supplier'; "
            f"roles in the service users file: {HELD}",
        ),
        (
            "recipient.role in ['export_supplier', 'gas_transporter']",
            "25 no Service User has the role 'export_supplier' or 'gas_transporter'; "
            f"roles in the service users file: {HELD}",
        ),
        (
            "recipient.subscriptions has 'firmwares'",
            "34 no Service User subscribes to 'firmwares'; did you mean 'firmware'?",
        ),
        (
            "recipient.subscriptions has 'x'",
            "34 no Service User subscribes to 'x'; known here: firmware, pilot",
        ),
        (
            f"recipient.id == '{user(3).lower()}'",
            f"22 no Service User has the id '{user(3)}'; did you mean '{user(2)}'?",
        ),
        (
            "recipient.name in ['North Wires', 'Acme']",
            "25 no Service User has the name 'North Wires' or 'Acme'; "
            "did you mean 'Northern Wires'?",
        ),
        (
            "recipient.duis_version == '5.10'",
            "32 no Service User has the DUIS version '5.10'; known here: 5.4",
        ),
    ],
)
def test_what_nobody_has_is_named(tmp_path: Path, line: str, message: str) -> None:
    assert found(tmp_path, line) == [f"6:{message}"]


@pytest.mark.parametrize(
    "line",
    [
        'recipient.role == "gas_supplier"',
        'recipient.role in ["gas_transporter", "gas_supplier"]',
        'recipient.subscriptions has "pilot"',
        "recipient.subscriptions exists",
        f'recipient.id == "{ACME.id}"',
        'recipient.duis_version == "5.4"',
        'recipient.role != "gas_transporter"',
        f'recipient.id not in ["{user(8)}", "{user(9)}"]',
        {"not": ['recipient.subscriptions has "firmwares"']},
        'hub.groups has "firmwares"',
    ],
)
def test_what_somebody_has_is_not(tmp_path: Path, line: Any) -> None:
    assert not found(tmp_path, line)


@pytest.mark.parametrize(
    "line",
    [
        'recipient.duis_version < "5.1"',
        'recipient.name startswith "B"',
        {"not": ['recipient.subscriptions has "firmware"']},
        f'recipient.id != "{ACME.id}"',
    ],
)
def test_a_policy_may_concern_nobody_today(tmp_path: Path, line: Any) -> None:
    assert not find(read(tmp_path, rule([line])), users(replace(ACME, subscriptions=("firmware",))))
    assert not found(tmp_path / "with", line, f'recipient.id == "{ACME.id}"')


def test_each_is_shown_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        """rules:
  - name: a-rule
    when:
      - any:
          - recipient.role == "gas_supplier"
          - "recipient.subscriptions has 'pilots'"
          - not: ['recipient.role != "export_supplier"']
    suppress: they know
"""
    )
    loaded, _ = load(tmp_path)
    assert loaded is not None
    assert find(loaded, USERS) == [
        Problem(
            Location(file, 6, 42, """          - "recipient.subscriptions has 'pilots'\""""),
            "no Service User subscribes to 'pilots'; did you mean 'pilot'?",
            Code.NOBODY,
        ),
        Problem(
            Location(file, 7, 38, """          - not: ['recipient.role != "export_supplier"']"""),
            "no Service User has the role 'export_supplier'; "
            f"roles in the service users file: {HELD}",
            Code.NOBODY,
        ),
    ]


def test_a_rule_that_can_never_match_has_its_words_looked_at_too(tmp_path: Path) -> None:
    never = ['hub.model == "a"', 'hub.model == "b"']
    assert len(found(tmp_path, *never, 'recipient.subscriptions has "firmwares"')) == 1
    between = ['recipient.role == "gas_supplier"', 'recipient.subscriptions has "firmware"']
    assert not found(tmp_path, *never, *between)


def test_of_many_only_a_close_one_is_named(tmp_path: Path) -> None:
    many = users(
        *(
            ServiceUser(user(number), f"Company {number}", frozenset({Role.GAS_SUPPLIER}))
            for number in range(30)
        )
    )
    loaded = read(
        tmp_path, rule(["recipient.name == 'Acme'"]), rule(["recipient.name == 'Compani'"], "b")
    )
    acme, company = find(loaded, many)
    assert acme.message == "no Service User has the name 'Acme'"
    assert "; did you mean 'Company " in company.message


def test_no_single_user_may_have_it_all(tmp_path: Path) -> None:
    between = ['recipient.role == "gas_supplier"', 'recipient.subscriptions has "firmware"']
    assert found(tmp_path, *between, "hub.model exists") == [
        "3:3 'a-rule' matches nobody: no Service User meets what it asks of the recipient "
        "(lines 6 and 7) in any of its roles"
    ]
    both = ServiceUser(user(3), "Both", frozenset({Role.GAS_SUPPLIER}), subscriptions=("firmware",))
    assert not find(read(tmp_path, rule(between)), users(ACME, WIRES, both))


def test_two_roles_of_one_user_are_two_recipients(tmp_path: Path) -> None:
    either = {"any": [f'recipient.id == "{ACME.id}"', 'recipient.duis_version == "5.4"']}
    assert found(tmp_path, 'recipient.role == "electricity_distributor"', either) == [
        "3:3 'a-rule' matches nobody: no Service User meets what one of its alternatives asks of "
        "the recipient in any of its roles"
    ]


def test_the_shipped_rules_find_somebody_in_the_starter(tmp_path: Path) -> None:
    starter.write(tmp_path)
    found, problems = usersfile.load(tmp_path / "service_users.yaml", {})
    assert found is not None, problems
    assert not find(shipped(), found)


# --- at random ------------------------------------------------------------------------------

RECIPIENT = tuple(name for name in FIELDS if name.startswith("recipient."))
KNOWN = ServiceUser(
    IDS[0], "a", frozenset(Role), subscriptions=("pilot", "firmware"), duis_version="5.4"
)
EVERYBODY = users(ACME, WIRES, KNOWN)


def matches_somebody(rules: Rules) -> bool:
    return any(
        holds(rules.rules[0].when, recipient_fields(role, each))
        for each in EVERYBODY.by_id.values()
        for role in each.roles
    )


def any_of(listed: list[str]) -> dict[str, Any]:
    return {"any": listed}


def words() -> st.SearchStrategy[str]:
    """A line that names words which the recipient must have."""
    asking = re.compile(r"recipient\S* (==|in|has) .*")
    return lines(*RECIPIENT).filter(lambda line: asking.fullmatch(line) is not None)


@settings(max_examples=200)
@given(
    st.lists(
        words() | st.lists(words(), min_size=1, max_size=3).map(any_of), min_size=1, max_size=3
    )
)
def test_a_rule_of_words_matches_somebody_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any]
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "words", rule(when))
    matches = matches_somebody(loaded)
    named = find(loaded, EVERYBODY)
    assert matches or named or contradictions.find(loaded)
    assert not (matches and any("matches nobody" in each.message for each in named))


@settings(max_examples=200)
@given(st.lists(conditions(*RECIPIENT), min_size=1, max_size=3))
def test_a_rule_that_matches_somebody_is_not_said_to_match_nobody(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any]
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "reach", rule(when))
    named = any("matches nobody" in each.message for each in find(loaded, EVERYBODY))
    assert not (named and matches_somebody(loaded))
