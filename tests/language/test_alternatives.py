"""Tests of the alternatives of conditions: the same meaning, and never too many."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from support.rulemaking import candidates, comparison, conditions, drawn, rule

from router.language.alternatives import LONGEST, MOST, TooLarge, alternatives_of
from router.language.conditions import AllOf, AnyOf, Condition, Not, compare, comparisons, holds
from router.language.fields import Value

A, B = comparison('hub.model == "a"'), comparison('hub.csp_region == "b"')


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
        all(leaf_holds(leaf.field, leaf.operator, leaf.literal) is leaf.wanted for leaf in each)
        for each in alternatives_of(found)
    ]
    assert any(alternatives) is holds(found, values)
    for each, met in zip(alternatives_of(found), alternatives, strict=True):
        assert all(leaf.met(values.get(leaf.field)) for leaf in each) is met


def texts(number: int) -> tuple[Condition, ...]:
    return tuple(comparison(f'hub.model == "{each}"') for each in range(number))


def test_alternatives_have_a_limit() -> None:
    assert len(alternatives_of(AnyOf(texts(MOST)))) == MOST
    eight = AnyOf(texts(8))
    assert len(alternatives_of(AllOf((eight, Not(AllOf(texts(8))))))) == MOST
    for condition in (AnyOf(texts(MOST + 1)), AllOf((eight, eight, AnyOf(texts(2))))):
        with pytest.raises(TooLarge, match="more than 64 alternatives"):
            alternatives_of(condition)


def test_conjunctions_have_a_limit() -> None:
    assert len(alternatives_of(AllOf(texts(LONGEST)))[0]) == LONGEST
    with pytest.raises(TooLarge, match="more than 48 comparisons"):
        alternatives_of(AllOf(texts(LONGEST + 1)))


def test_what_is_asked_twice_counts_once() -> None:
    assert alternatives_of(AllOf((A, A, AnyOf((B, B))))) == alternatives_of(AllOf((A, B)))
