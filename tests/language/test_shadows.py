"""Tests of alerting rules that never count: each is found with those that suppress it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import (
    ENUMERATED,
    conditions,
    drawn,
    enumerated,
    read,
    real_candidates,
    rule,
    said,
    shipped,
    write,
)

from router.files.codes import Code
from router.language.conditions import holds
from router.language.fields import Value
from router.language.folder import load
from router.language.rules import Rules
from router.language.shadows import find


def suppress(when: list[Any], name: str) -> dict[str, Any]:
    return rule(when, name=name, suppress="not now")


def found(folder: Path, *listed: Mapping[str, Any]) -> list[str]:
    return said(find(read(folder, *listed)))


def test_one_suppress_may_cover_all(tmp_path: Path) -> None:
    write(tmp_path, suppress(['hub.smets_version == "SMETS1"'], "smets1"), file="a.yaml")
    pilot = ['hub.smets_version == "SMETS1"', 'hub.groups has "pilot"']
    write(tmp_path, rule(["hub.model exists"], "other"), rule(pilot, "pilot"), file="b.yaml")
    loaded, _ = load(tmp_path)
    assert loaded is not None
    (problem,) = find(loaded)
    assert problem.code is Code.SHADOWED
    assert problem.location == loaded.rules[2].location
    assert problem.location.file == tmp_path / "b.yaml"
    assert problem.message == (
        f"'pilot' never counts: all that it matches is suppressed by 'smets1' "
        f"({tmp_path / 'a.yaml'}, line 3); narrow that rule, or remove this one"
    )


def test_in_the_same_file_the_line_is_enough(tmp_path: Path) -> None:
    everything = suppress(["hub.status exists"], "hold-everything")
    assert found(tmp_path, everything, rule(['hub.model == "a"'])) == [
        "10:3 'a-rule' never counts: all that it matches is suppressed by 'hold-everything' "
        "(line 3); narrow that rule, or remove this one"
    ]


def test_several_may_cover_all_together(tmp_path: Path) -> None:
    listed = [
        suppress(['hub.model == "a"', "hub.csp_region exists"], "with-region"),
        suppress(['hub.groups has "pilot"'], "pilot"),
        suppress([{"not": ["hub.csp_region exists"]}], "without-region"),
        rule(['hub.model startswith "a"', 'hub.model in ["a", "b"]']),
    ]
    assert found(tmp_path, *listed) == [
        "29:3 'a-rule' never counts: all that it matches is suppressed by 'with-region' (line 3) "
        "or 'without-region' (line 18); narrow one of those rules, or remove this one"
    ]


def test_each_alternative_may_be_covered_by_another(tmp_path: Path) -> None:
    either = {"any": ['hub.model == "a"', 'hub.csp_region == "b"']}
    of_model = suppress(['hub.model startswith "a"'], "model")
    of_region = suppress(['hub.csp_region in ["a", "b"]'], "region")
    assert len(found(tmp_path / "both", rule([either]), of_model, of_region)) == 1
    assert not found(tmp_path / "model", rule([either]), of_model)
    assert not found(tmp_path / "region", rule([either]), of_region)


def test_those_that_name_values_may_cover_an_alternative_each(tmp_path: Path) -> None:
    either = {"any": ['hub.model == "a"', 'hub.model == "b"']}
    of_each = [suppress([f'hub.model == "{model}"'], f"of-{model}") for model in "abc"]
    (message,) = found(tmp_path, rule([either]), *of_each)
    assert "suppressed by 'of-a' " in message
    assert " or 'of-b' (line " in message
    assert "'of-c'" not in message


@pytest.mark.parametrize(
    "when",
    [
        ['hub.model == "b"'],
        ['hub.model == "a"', 'hub.groups has "pilot"'],
        ["hub.model exists", "hub.csp_region exists", 'hub.groups has "pilot"'],
    ],
)
def test_what_leaves_some_is_not_named(tmp_path: Path, when: list[Any]) -> None:
    assert not found(tmp_path, rule(['hub.model in ["a", "c"]']), suppress(when, "some"))


def test_one_alternative_that_is_left_is_enough(tmp_path: Path) -> None:
    north = 'hub.csp_region == "North"'
    either = {"any": ['hub.model == "a"', 'hub.model == "b"']}
    assert not found(tmp_path, rule([north, either]), suppress([north, 'hub.model == "a"'], "a"))


def test_a_rule_that_matches_nobody_is_left_to_others(tmp_path: Path) -> None:
    never = rule(['hub.model == "a"', 'hub.model == "b"'])
    assert not found(tmp_path, never, suppress(['hub.model == "a"'], "model"))


def test_what_would_take_too_long_is_left_alone(tmp_path: Path) -> None:
    # each way past one stands in the way past most others: who sits in which of nine seats
    seats = [
        suppress(
            [{"not": [f'hub.groups has "{person}:{seat}"']} for seat in range(9)], f"seat-{person}"
        )
        for person in range(10)
    ]
    taken = [
        suppress([f'hub.groups has "{one}:{seat}"', f'hub.groups has "{other}:{seat}"'], name)
        for seat in range(9)
        for one in range(10)
        for other in range(one)
        if (name := f"taken-{seat}-{one}-{other}")
    ]
    assert not found(tmp_path, rule(["hub.model exists"]), *seats, *taken)


def test_what_suppresses_others_does_not_wear_out_the_search(tmp_path: Path) -> None:
    # two rules for each model, together a whole; any two ways past the others' end in this pair
    pilot = 'hub.groups has "pilot"'
    pairs = [
        suppress([f'hub.model == "{model}"', line], f"{model}-{number}")
        for model in range(20)
        for number, line in enumerate([pilot, {"not": [pilot]}])
    ]
    (message,) = found(tmp_path, *pairs, rule(['hub.model == "19"']))
    assert "suppressed by '19-0' " in message
    assert " or '19-1' " in message


def test_many_that_suppress_leave_room_for_what_each_leaves_room_for(tmp_path: Path) -> None:
    listed = [
        suppress([f'hub.groups has "{number}"', f'hub.csp_region == "{number}"'], f"s-{number}")
        for number in range(50)
    ]
    assert not found(tmp_path / "other", rule(['hub.groups has "7"']), *listed)
    both = rule(['hub.groups has "7"', 'hub.csp_region == "7"'])
    assert len(found(tmp_path / "both", both, *listed)) == 1


def test_the_shipped_rules_count() -> None:
    assert not find(shipped())


# --- at random ------------------------------------------------------------------------------


def told(rules: Rules, values: Mapping[str, Value]) -> tuple[bool, bool]:
    """Whether the first rule matches, and whether it counts."""
    first, *others = (holds(each.when, values) for each in rules.rules)
    return first, first and not any(others)


def rules_of(*fields: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A rule that alerts, and a few that suppress."""
    when = st.lists(conditions(*fields), min_size=1, max_size=2)
    return st.tuples(when, st.lists(when, min_size=1, max_size=3)).map(
        lambda drawn: [
            rule(drawn[0]),
            *(suppress(each, f"s-{number}") for number, each in enumerate(drawn[1])),
        ]
    )


@settings(max_examples=200)
@given(rules_of(*ENUMERATED))
def test_among_few_values_it_is_exact(
    tmp_path_factory: pytest.TempPathFactory, listed: list[dict[str, Any]]
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "few-shadows", *listed)
    matched, counted = zip(*(told(loaded, each) for each in enumerated()), strict=True)
    assert bool(find(loaded)) is (any(matched) and not any(counted))


@settings(max_examples=200)
@given(rules_of(), real_candidates())
def test_who_is_told_is_in_no_shadow(
    tmp_path_factory: pytest.TempPathFactory,
    listed: list[dict[str, Any]],
    values: dict[str, Value],
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "any-shadows", *listed)
    assert not (find(loaded) and told(loaded, values)[1])
