"""Tests of rules that can never match: each is found where it stands, and no other is blamed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
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
    known,
    lines,
    read,
    real_candidates,
    rule,
    said,
    shipped,
)

from router.files.codes import Code
from router.files.problems import Location, Problem
from router.language.conditions import holds
from router.language.contradictions import find
from router.language.fields import FIELDS, Field, FieldKind, Value
from router.language.folder import read as read_folder

STATUS = ["Pending", "InstalledNotCommissioned", "Commissioned", "Decommissioned", "Suspended"]


def found(folder: Path, *when: Any) -> list[str]:
    """What is said of one rule; its lines stand in lines 6, 7, ... of the file."""
    return said(find(read(folder, rule(list(when)))))


def quoted(texts: Iterable[str]) -> str:
    return ", ".join(f'"{text}"' for text in texts)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('hub.status == "Commissioned"', 'hub.status == "Pending"'),
        ('hub.status == "Commissioned"', 'hub.status != "Commissioned"'),
        ('hub.status in ["Commissioned", "Pending"]', 'hub.status == "Suspended"'),
        ('hub.status in ["Commissioned"]', 'hub.status not in ["Commissioned", "Pending"]'),
        ('hub.status not in ["Pending", "Suspended"]', 'hub.status in ["Suspended"]'),
        (f"hub.status not in [{quoted(STATUS[1:])}]", 'hub.status != "Pending"'),
        ("activation.version_changed == true", "activation.version_changed == false"),
        ("activation.version_changed == true", "activation.version_changed != true"),
        ('hub.model == "a"', 'hub.model == "b"'),
        ('hub.model in ["a", "b"]', 'hub.model startswith "c"'),
        ('hub.model startswith "CH-1"', 'hub.model startswith "CH-2"'),
        ('hub.model startswith "CH-1"', 'hub.model == "CH-2"'),
        ('hub.groups has "pilot"', {"not": ['hub.groups has "pilot"']}),
        ('hub.groups has "pilot"', {"not": ["hub.groups exists"]}),
        ({"not": ["hub.replaced_by exists"]}, "hub.replaced_by exists"),
        ({"not": ["hub.model exists"]}, 'hub.model == "a"'),
        ({"not": ["hub.model exists"]}, 'hub.model startswith "a"'),
        ('hub.model startswith "CH-1"', {"not": ['hub.model startswith "CH"']}),
        ('hub.hardware_version > "1.10"', 'hub.hardware_version < "1.9"'),
        ('hub.hardware_version > "1.2"', 'hub.hardware_version <= "01.2"'),
        ('hub.hardware_version >= "1.2"', {"not": ['hub.hardware_version >= "1.2"']}),
        ('hub.hardware_version > "1.2"', 'hub.hardware_version == "1.2"'),
        ('hub.hardware_version in ["1.2", "1.3"]', 'hub.hardware_version >= "1.4"'),
        ('hub.hardware_version startswith "1.2."', 'hub.hardware_version < "1.2"'),
        ('hub.hardware_version startswith "1.2."', 'hub.hardware_version <= "1.2"'),
        ('hub.hardware_version startswith "1."', 'hub.hardware_version >= "2"'),
        ('hub.hardware_version < "1"', 'hub.hardware_version startswith "1."'),
        (
            {"not": ['activation.firmware_version < "2"']},
            {"not": ['activation.firmware_version > "1"']},
        ),
    ],
)
def test_two_lines_contradict_each_other(tmp_path: Path, first: Any, second: Any) -> None:
    whole = found(tmp_path, first, "hub.csp_region exists", second)
    assert len(whole) == 1
    assert "nothing meets 'a-rule': " in whole[0]
    assert " contradicts " in whole[0]
    assert not found(tmp_path / "first", first, "hub.csp_region exists")
    assert not found(tmp_path / "second", second, "hub.csp_region exists")


@pytest.mark.parametrize(
    "when",
    [
        ["hub.status exists", 'hub.status != "Pending"'],
        ['hub.status == "Pending"', 'hub.smets_version == "SMETS1"'],
        ['hub.status not in ["Pending"]', 'hub.status in ["Pending", "Suspended"]'],
        ["activation.version_changed != true", "activation.version_changed != false"],
        ['hub.model != "a"', {"not": ["hub.model exists"]}],
        ['hub.model startswith "CH"', 'hub.model startswith "CH-1"'],
        ['hub.model startswith "CH"', {"not": ['hub.model startswith "CH-1"']}],
        ['hub.groups has "pilot"', 'hub.groups has "east"', {"not": ['hub.groups has "west"']}],
        ["hub.groups exists", {"not": ['hub.groups has "pilot"']}],
        ['hub.hardware_version >= "1.2"', 'hub.hardware_version <= "1.2"'],
        ['hub.hardware_version > "1.1"', 'hub.hardware_version < "1.2"'],
        ['hub.hardware_version startswith "1"', 'hub.hardware_version > "10"'],
        ['hub.hardware_version startswith "1."', 'hub.hardware_version > "1"'],
        ['hub.hardware_version startswith "1."', 'hub.hardware_version < "2"'],
        [
            {"not": ['hub.hardware_version < "2"']},
            {"not": ['hub.hardware_version > "1"']},
        ],
        [{"any": ['hub.status == "Pending"', 'hub.status == "Suspended"']}],
        ['hub.model == "a"', {"any": ['hub.model == "b"', "hub.csp_region exists"]}],
    ],
)
def test_what_can_be_met_is_not_blamed(tmp_path: Path, when: list[Any]) -> None:
    assert not found(tmp_path, *when)


def test_the_second_line_is_named_with_the_first(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        """rules:
  - name: a-rule
    when:
      - hub.status == "Commissioned"
      - activation.outcome == "success"
      - not:
          - hub.status in ["Commissioned", "Pending"]
    alert: N64
"""
    )
    loaded, _ = read_folder(tmp_path)
    assert find(loaded) == [
        Problem(
            Location(file, 7, 13, '          - hub.status in ["Commissioned", "Pending"]'),
            "nothing meets 'a-rule': "
            'not: hub.status in ["Commissioned", "Pending"] '
            'contradicts hub.status == "Commissioned" in line 4',
            Code.NEVER_MATCHES,
        )
    ]


def test_one_line_may_be_enough(tmp_path: Path) -> None:
    every = found(tmp_path / "a", f"hub.status not in [{quoted(STATUS)}]")
    assert every == [
        f"6:5 nothing meets 'a-rule': hub.status not in [{quoted(STATUS)}] never holds, "
        f"as hub.status is always one of {', '.join(STATUS)}"
    ]
    always = found(tmp_path / "b", {"not": ["recipient.name exists"]})
    assert always == [
        "8:7 nothing meets 'a-rule': not: recipient.name exists never holds, "
        "as recipient.name is always known"
    ]
    first = found(tmp_path / "c", 'activation.previous_firmware_version < "00"')
    assert first == [
        "6:5 nothing meets 'a-rule': "
        'activation.previous_firmware_version < "00" never holds, '
        "as no version comes before 00"
    ]


def test_more_than_two_lines_may_be_needed(tmp_path: Path) -> None:
    when = [f'hub.status != "{status}"' for status in STATUS]
    assert found(tmp_path, "hub.status exists", *when) == [
        "11:5 nothing meets 'a-rule': "
        'hub.status != "Suspended" leaves hub.status no value '
        "beside lines 7, 8, 9 and 10"
    ]


def test_what_all_alternatives_share_is_to_blame(tmp_path: Path) -> None:
    either = {"any": ['hub.model == "a"', 'hub.csp_region == "W"']}
    assert found(tmp_path, either, 'hub.model == "b"', 'hub.status == "Pending"') == []
    region = ['hub.csp_region == "N"', 'hub.csp_region == "S"']
    assert found(tmp_path, either, 'hub.model == "b"', *region) == [
        "14:5 nothing meets 'a-rule': "
        'hub.csp_region == "S" contradicts '
        'hub.csp_region == "N" in line 13'
    ]


def test_each_alternative_may_have_its_own(tmp_path: Path) -> None:
    others = [f'hub.status == "{status}"' for status in STATUS[1:]]
    either = {"any": [*others, {"not": ["hub.device_id exists"]}]}
    assert found(tmp_path, 'hub.status == "Pending"', either) == [
        "3:3 nothing meets any alternative of 'a-rule': "
        'hub.status == "InstalledNotCommissioned" in line 9 contradicts line 6; '
        'hub.status == "Commissioned" in line 10 contradicts line 6; '
        'hub.status == "Decommissioned" in line 11 contradicts line 6; 2 more like these'
    ]
    two = {"any": [others[0], {"not": ["hub.device_id exists"]}]}
    assert found(tmp_path, 'hub.status == "Pending"', two) == [
        "3:3 nothing meets any alternative of 'a-rule': "
        'hub.status == "InstalledNotCommissioned" in line 9 contradicts line 6; '
        "not: hub.device_id exists in line 12 never holds"
    ]


def test_the_shipped_rules_can_match() -> None:
    assert not find(shipped())


# --- at random ------------------------------------------------------------------------------


def witnesses(field: Field) -> list[Value | None]:
    """Enough values of a field to meet whatever drawn lines can meet together."""
    if field.kind is FieldKind.BOOLEAN:
        return [True, False, None]
    texts = known(field)
    if field.kind is FieldKind.WORDS:
        sizes = range(1, len(texts) + 2)
        return [None, *(each for size in sizes for each in combinations([*texts, "~"], size))]
    if field.kind is not FieldKind.ENUM:
        texts = [*texts, "~", *(text + end for text in texts for end in ("~", ".0", ".9"))]
    return [*texts, *([] if field.always else [None])]


def meets(condition: Any, name: str, value: Value | None) -> bool:
    return holds(condition, {} if value is None else {name: value})


def one_field() -> st.SearchStrategy[tuple[str, list[Any]]]:
    """Lines about one field, some of them under `not:`."""

    def of(name: str) -> st.SearchStrategy[tuple[str, list[Any]]]:
        line = lines(name)
        some = st.lists(line | line.map(lambda text: {"not": [text]}), min_size=1, max_size=5)
        return st.tuples(st.just(name), some)

    return st.sampled_from(list(FIELDS)).flatmap(of)


@settings(max_examples=300)
@given(one_field())
def test_a_contradiction_is_found_exactly_when_no_value_is_left(
    tmp_path_factory: pytest.TempPathFactory, chosen: tuple[str, list[Any]]
) -> None:
    name, when = chosen
    loaded = drawn(tmp_path_factory.getbasetemp() / "one-field", rule(when))
    left = any(meets(loaded.rules[0].when, name, value) for value in witnesses(FIELDS[name]))
    if FIELDS[name].kind is FieldKind.VERSION and not left:
        return  # a version in between may be left, which is not among those tried
    assert bool(find(loaded)) is not left


@settings(max_examples=200)
@given(st.lists(conditions(*ENUMERATED), min_size=1, max_size=3))
def test_among_few_values_it_is_exact(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any]
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "few-values", rule(when))
    matched = any(holds(loaded.rules[0].when, each) for each in enumerated())
    assert bool(find(loaded)) is not matched


@settings(max_examples=200)
@given(st.lists(conditions(), min_size=1, max_size=3), real_candidates())
def test_who_matches_is_no_contradiction(
    tmp_path_factory: pytest.TempPathFactory, when: list[Any], values: dict[str, Value]
) -> None:
    loaded = drawn(tmp_path_factory.getbasetemp() / "anything", rule(when))
    assert not (find(loaded) and holds(loaded.rules[0].when, values))
