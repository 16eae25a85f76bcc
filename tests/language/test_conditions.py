"""Tests of conditions: what they come to, also where a value is absent."""

from __future__ import annotations

import pytest
from support.rulemaking import comparison

from router.language.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Not,
    compare,
    comparisons,
    holds,
    seen,
)
from router.language.fields import Value

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
