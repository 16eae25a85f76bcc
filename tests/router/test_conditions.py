"""Tests of the second opinion: what conditions come to, also where a value is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from rulemaking import candidates, comparison, conditions, drawn, read, rule

from router.conditions import AllOf, AnyOf, Condition, Not, compare, comparisons, holds, seen
from router.fields import Value
from router.paths import LONGEST, MOST, TooLarge, paths
from router.rules import matching

A, B = comparison('hub.model == "a"'), comparison('hub.csp_region == "b"')
BOTH = {"hub.model": "a", "hub.csp_region": "b"}


@pytest.mark.parametrize(
    ("line", "value", "held"),
    [
        ('hub.model == "a"', "a", True),
        ('hub.model == "a"', "A", False),
        ('hub.model == "a"', "ab", False),
        ('hub.model != "a"', "b", True),
        ('hub.model != "a"', "a", False),
        ('hub.model in ["a", "b"]', "b", True),
        ('hub.model in ["a", "b"]', "ab", False),
        ('hub.model not in ["a", "b"]', "c", True),
        ('hub.model not in ["a", "b"]', "a", False),
        ('hub.model startswith "a"', "ab", True),
        ('hub.model startswith "ab"', "a", False),
        ("hub.model exists", "a", True),
        ('hub.groups has "pilot"', ("east", "pilot"), True),
        ('hub.groups has "pilot"', ("pilots",), False),
        ("hub.groups exists", ("east",), True),
        ("activation.version_changed == true", True, True),
        ("activation.version_changed == true", False, False),
        ("activation.version_changed != false", True, True),
        ("activation.version_changed exists", False, True),
        ('activation.firmware_version < "1.10"', "1.9", True),
        ('activation.firmware_version < "1.10"', "1.10", False),
        ('activation.firmware_version <= "1.10"', "01.10", True),
        ('activation.firmware_version == "1.10"', "01.10", False),
        ('activation.firmware_version > "1.10"', "1.9", False),
        ('activation.firmware_version > "1.9"', "1.10", True),
        ('activation.firmware_version >= "1.10"', "1.10", True),
    ],
)
def test_a_comparison(line: str, value: Value, held: bool) -> None:
    assert compare(comparison(line), value) is held


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ('hub.model == "a"', False),
        ('hub.model != "a"', True),
        ('hub.model in ["a"]', False),
        ('hub.model not in ["a"]', True),
        ('hub.model startswith "a"', False),
        ("hub.model exists", False),
        ('hub.groups has "a"', False),
        ("activation.version_changed == false", False),
        ("activation.version_changed != false", True),
        ('activation.previous_firmware_version < "1"', False),
        ('activation.previous_firmware_version <= "1"', False),
        ('activation.previous_firmware_version > "1"', False),
        ('activation.previous_firmware_version >= "1"', False),
    ],
)
def test_with_an_absent_value_only_negations_hold(line: str, held: bool) -> None:
    assert holds(comparison(line), {}) is held


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (AllOf((A, B)), True),
        (AllOf((A, Not(B))), False),
        (AnyOf((Not(A), B)), True),
        (AnyOf((Not(A), Not(B))), False),
        (Not(AllOf((A, Not(B)))), True),
        (Not(Not(A)), True),
    ],
)
def test_groups(condition: Condition, held: bool) -> None:
    assert holds(condition, BOTH) is held


def test_what_was_seen_is_told_for_each_comparison_in_order() -> None:
    condition = AllOf((A, AnyOf((Not(B), A))))
    assert list(comparisons(condition)) == [A, B, A]
    told = [
        (each.comparison, each.value, each.held) for each in seen(condition, {"hub.model": "x"})
    ]
    assert told == [(A, "x", False), (B, None, False), (A, "x", False)]


def test_rules_match_by_their_index(tmp_path: Path) -> None:
    rules = read(
        tmp_path, rule([A.text], "one"), rule([B.text], "two"), rule([A.text, B.text], "both")
    )
    assert matching(rules, BOTH) == {0, 1, 2}
    assert matching(rules, {"hub.csp_region": "b"}) == {1}


# --- the shape that the engine takes --------------------------------------------------------


@settings(max_examples=200)
@given(conditions(), candidates())
def test_alternatives_come_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, written: Any, values: dict[str, Value]
) -> None:
    found = drawn(tmp_path_factory.getbasetemp() / "alternatives", rule([written])).rules[0].when
    by_operator = {(each.field, each.operator, each.literal): each for each in comparisons(found)}

    def leaf_holds(field: str, operator: str, literal: Any) -> bool:
        opposite = {"==": "!=", "in": "not in"}.get(operator)
        if (field, operator, literal) in by_operator:
            return compare(by_operator[field, operator, literal], values.get(field))
        return not compare(by_operator[field, str(opposite), literal], values.get(field))

    alternatives = [
        all(leaf_holds(leaf.field, leaf.operator, leaf.literal) is leaf.wanted for leaf in path)
        for path in paths(found)
    ]
    assert any(alternatives) is holds(found, values)


def texts(number: int) -> tuple[Condition, ...]:
    return tuple(comparison(f'hub.model == "{each}"') for each in range(number))


def test_alternatives_have_a_limit() -> None:
    assert len(paths(AnyOf(texts(MOST)))) == MOST
    eight = AnyOf(texts(8))
    assert len(paths(AllOf((eight, Not(AllOf(texts(8))))))) == MOST
    for condition in (AnyOf(texts(MOST + 1)), AllOf((eight, eight, AnyOf(texts(2))))):
        with pytest.raises(TooLarge, match="more than 64 alternatives"):
            paths(condition)


def test_conjunctions_have_a_limit() -> None:
    assert len(paths(AllOf(texts(LONGEST)))[0]) == LONGEST
    with pytest.raises(TooLarge, match="more than 48 comparisons"):
        paths(AllOf(texts(LONGEST + 1)))


def test_what_is_asked_twice_counts_once() -> None:
    assert paths(AllOf((A, A, AnyOf((B, B))))) == paths(AllOf((A, B)))
