"""Tests of rows of numbers: each leaf decided by its number is what the comparison came to."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import candidates, comparison, lines

from router.deciding.encoding import Properties
from router.language.alternatives import Leaf, alternatives_of
from router.language.conditions import AllOf, compare
from router.language.fields import Value

SIGNS: dict[str, Callable[[int, int], bool]] = {
    "$eq": operator.eq,
    "$neq": operator.ne,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


def leaves(*written: str) -> list[Leaf]:
    return [alternatives_of(AllOf((comparison(line),)))[0][0] for line in written]


@settings(max_examples=200)
@given(st.lists(lines(), min_size=1, max_size=12), candidates())
def test_numbers_come_to_the_same(written: list[str], values: dict[str, Value]) -> None:
    found = leaves(*written)
    properties = Properties(found)
    row = properties.row(values)
    assert len(row) == len(properties)
    for line, leaf in zip(written, found, strict=True):
        check = properties.check(leaf)
        asked = comparison(line)
        by_number = SIGNS[check.sign](row[check.place], check.number)
        assert by_number is compare(asked, values.get(asked.field))


@pytest.mark.parametrize(
    ("written", "needed"),
    [
        (['hub.model == "a"', 'hub.model != "b"', "hub.model exists"], 1),
        (['hub.model == "a"', 'hub.csp_region == "a"'], 2),
        (['hub.hardware_version < "1"', 'hub.hardware_version <= "2"'], 1),
        (['hub.hardware_version < "1"', 'hub.hardware_version > "1"'], 2),
        (['hub.groups has "a"', 'hub.groups has "b"', 'hub.groups has "a"'], 2),
        (['hub.model in ["a"]', 'hub.model not in ["a"]', 'hub.model startswith "a"'], 2),
    ],
)
def test_what_asks_alike_shares_a_property(written: list[str], needed: int) -> None:
    assert len(Properties(leaves(*written))) == needed


def test_candidates_that_rules_cannot_tell_apart_are_one_row() -> None:
    properties = Properties(leaves('hub.model == "a"', 'hub.hardware_version >= "1.2"'))
    one = properties.row({"hub.model": "b", "hub.hardware_version": "1.9"})
    other = properties.row({"hub.model": "c", "hub.hardware_version": "1.10", "hub.groups": ("x",)})
    assert one == other
    assert one != properties.row({"hub.model": "a", "hub.hardware_version": "1.9"})
    assert one != properties.row({"hub.hardware_version": "1.9"})
