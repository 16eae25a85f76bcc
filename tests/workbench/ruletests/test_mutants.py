"""Small changes to rules: which there are, and which come to the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import ENUMERATED, candidates, conditions, drawn, enumerated, read, rule

from router.language.conditions import holds
from router.language.fields import Value
from router.language.rules import Rule
from router.workbench.ruletests.mutants import Mutant, makes_no_difference, mutants

MODEL = 'hub.model == "A"'
PILOT = 'hub.groups has "pilot"'
NORTH = 'hub.csp_region startswith "North"'


def one(folder: Path, *when: Any) -> Rule:
    return read(folder, rule(list(when))).rules[0]


def told(found: list[Mutant]) -> list[tuple[str, str]]:
    """Changes of lines and groups, in words."""
    return [(each.change, each.text) for each in found if each.what != "rule"]


def test_a_rule_is_left_out_and_its_line_left_out_and_turned_round(tmp_path: Path) -> None:
    found = mutants(one(tmp_path, MODEL))
    # that the only line never holds is the same as a rule that is left out
    assert [(each.what, each.change, each.text) for each in found] == [
        ("rule", "is left out", "a-rule"),
        ("condition", "is left out", MODEL),
        ("condition", "is turned round", MODEL),
    ]
    assert [holds(each.when, {"hub.model": "A"}) for each in found] == [False, True, False]
    assert [holds(each.when, {}) for each in found] == [False, True, True]


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ('hub.hardware_version < "2.0"', ["has <= in place of <"]),
        ('hub.hardware_version <= "2.0"', ["has < in place of <="]),
        ('hub.hardware_version > "2.0"', ["has >= in place of >"]),
        ('hub.hardware_version >= "2.0"', ["has > in place of >="]),
        ('hub.model startswith "A"', ["has == in place of startswith"]),
        ('hub.model in ["A", "B"]', ['has no "A" in its list', 'has no "B" in its list']),
        ('hub.model not in ["A", "B"]', ['has no "A" in its list', 'has no "B" in its list']),
        ('hub.model in ["A"]', []),  # without its last member it never holds
        ('hub.model not in ["A"]', []),
        ('hub.model != "A"', []),
        ("hub.model exists", []),
        ("activation.version_changed == true", []),
        (PILOT, []),
    ],
)
def test_comparisons_change_at_their_edge(tmp_path: Path, line: str, more: list[str]) -> None:
    found = told(mutants(one(tmp_path, line)))
    assert [change for change, _ in found] == ["is left out", "is turned round", *more]


def test_what_a_change_of_a_line_is_called_goes_by_where_it_stands(tmp_path: Path) -> None:
    found = mutants(one(tmp_path, NORTH, {"any": [MODEL, PILOT]}))
    assert told(found) == [
        ("is left out", NORTH),
        ("is turned round", NORTH),
        ("has == in place of startswith", NORTH),
        ("always holds", MODEL),  # and so the whole group
        ("is turned round", MODEL),
        ("is left out", MODEL),
        ("is turned round", PILOT),
        ("is left out", PILOT),
        ("is an all:", "any:"),
    ]
    (group,) = [each for each in found if each.what == "group"]
    assert (group.location.line, group.text) == (8, "any:")
    assert '"any"' in group.location.text


def test_the_lines_of_not_are_changed_and_it_is_itself(tmp_path: Path) -> None:
    assert told(mutants(one(tmp_path, NORTH, {"not": [MODEL, PILOT]})))[3:] == [
        ("is left out", MODEL),
        ("is turned round", MODEL),
        ("never holds", MODEL),
        ("is left out", PILOT),
        ("is turned round", PILOT),
        ("is an all:", "not:"),
        ("means that none of its lines holds", "not:"),
    ]
    # of a single line, turning it round is taking the not: away
    assert told(mutants(one(tmp_path, NORTH, {"not": [MODEL]})))[3:] == [
        ("is turned round", MODEL),
        ("never holds", MODEL),
    ]


def test_all_becomes_any(tmp_path: Path) -> None:
    found = told(mutants(one(tmp_path, {"any": [NORTH, {"all": [MODEL, PILOT]}]})))
    assert ("is an any:", "all:") in found


def test_groups_of_one_line_do_not_change(tmp_path: Path) -> None:
    found = mutants(one(tmp_path, {"any": [MODEL]}, {"all": [PILOT]}))
    assert [each for each in found if each.what == "group"] == []


@settings(deadline=None)
@given(st.lists(conditions(), min_size=1, max_size=3), st.lists(candidates(), max_size=20))
def test_no_two_changes_are_the_same_and_each_keeps_to_its_rule(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any], values: list[dict[str, Value]]
) -> None:
    written = drawn(tmp_path_factory.mktemp("rules"), rule(when)).rules[0]
    found = mutants(written)
    assert len({(each.location, each.change, each.text) for each in found}) == len(found)
    assert all(each.rule is written for each in found)
    fields = {field for value in values for field in value}
    for each in found:
        assert each.location.file == written.location.file
        [holds(each.when, value) for value in values]
    assert len(found) > 1 or not fields  # a line more than the rule itself


@settings(deadline=None)
@given(st.lists(conditions(*ENUMERATED), min_size=1, max_size=2))
def test_what_makes_no_difference_makes_none(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any]
) -> None:
    written = drawn(tmp_path_factory.mktemp("rules"), rule(when)).rules[0]
    every = [(values, holds(written.when, values)) for values in enumerated()]
    for each in filter(makes_no_difference, mutants(written)):
        assert all(holds(each.when, values) is held for values, held in every)


@pytest.mark.parametrize(
    ("when", "change"),
    [
        (["hub.status exists"], "is left out"),
        (['hub.status in ["Pending", "Suspended"]', 'hub.status != "Pending"'], "has no"),
        (['hub.model startswith "A"', 'hub.model startswith "AB"'], "is left out"),
        ([{"any": ["hub.model exists", 'hub.model == "A"']}], "is left out"),
    ],
)
def test_what_other_lines_say_makes_no_difference(
    tmp_path: Path, when: list[Any], change: str
) -> None:
    assert [
        each.change
        for each in mutants(one(tmp_path, *when))
        if makes_no_difference(each) and each.change.startswith(change)
    ]


def test_nothing_is_claimed_of_what_is_too_large(tmp_path: Path) -> None:
    eight = {"any": [f'hub.model == "{number}"' for number in range(8)]}
    seven = {"any": [f'hub.csp_region == "{number}"' for number in range(8)]}
    written = one(tmp_path, eight, seven)
    same = mutants(written)[1]
    assert not makes_no_difference(replace(same, when=written.when))
