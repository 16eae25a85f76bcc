"""Tests of the second opinion: fast, and the same as each condition decided on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import candidates, conditions, drawn, matching, read, rule

from router.deciding.secondopinion import REMEMBERED, SecondOpinion
from router.language.fields import Value


def test_rules_match_by_their_index(tmp_path: Path) -> None:
    model, region = 'hub.model == "a"', 'hub.csp_region == "b"'
    rules = read(tmp_path, rule([model], "one"), rule([region], "two"), rule([model, region], "x"))
    second = SecondOpinion(rules)
    assert second.matching({"hub.model": "a", "hub.csp_region": "b"}) == {0, 1, 2}
    assert second.matching({"hub.csp_region": "b"}) == {1}
    assert second.matching({}) == frozenset()


@settings(max_examples=200)
@given(
    st.lists(st.lists(conditions(), min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(candidates(), max_size=8),
)
def test_conditions_decided_together_come_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, whens: list[Any], values: list[dict[str, Value]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "together"
    rules = drawn(folder, *(rule(when, f"rule-{number}") for number, when in enumerate(whens)))
    second = SecondOpinion(rules)
    for each in values + values:
        assert second.matching(each) == matching(rules, each)


def test_values_that_never_come_again_are_forgotten(tmp_path: Path) -> None:
    second = SecondOpinion(read(tmp_path, rule(['hub.model startswith "1"'])))
    for number in range(2 * REMEMBERED + 10):
        expected = {0} if str(number).startswith("1") else set()
        assert second.matching({"hub.model": str(number)}) == expected
