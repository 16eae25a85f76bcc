"""Rules for tests: written to a folder, drawn at random, and values for them, hostile ones too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from router.files.problems import Location, Problem
from router.language.condition_line import parse_line
from router.language.conditions import OPERATORS_OF, Comparison, Values, holds
from router.language.fields import FIELDS, Field, FieldKind, Value
from router.language.folder import load as load_rules
from router.language.folder import read as read_rules
from router.language.rules import Rules

SHIPPED = Path(__file__).parents[2] / "rules"


def rule(when: list[Any], name: str = "a-rule", **more: Any) -> dict[str, Any]:
    """One alerting rule, as it stands in a file."""
    return {"name": name, "when": when, **({} if "suppress" in more else {"alert": "N64"}), **more}


def write(folder: Path, *listed: Mapping[str, Any], file: str = "rules.yaml") -> Path:
    """A folder with these rules."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(json.dumps({"rules": listed}, indent=1, ensure_ascii=False))
    return folder


def read(folder: Path, *listed: Mapping[str, Any]) -> Rules:
    """These rules, which must be right."""
    found, problems = read_rules(write(folder, *listed))
    assert not problems, said(problems)
    return found


def drawn(folder: Path, *listed: Mapping[str, Any]) -> Rules:
    """The same with rules at random, which are right but may be too large."""
    _, problems = read_rules(write(folder, *listed))
    assume(not any("more than" in each.message for each in problems))
    return read(folder, *listed)


def shipped() -> Rules:
    """The rules that Hubherald comes with."""
    found, problems = load_rules(SHIPPED)
    assert found is not None, said(problems)
    return found


def matching(rules: Rules, values: Values) -> frozenset[int]:
    """The indexes of the rules whose conditions hold, each decided on its own."""
    return frozenset(index for index, each in enumerate(rules.rules) if holds(each.when, values))


def said(problems: list[Problem]) -> list[str]:
    """Problems as `line:column message`."""
    return [f"{each.location.line}:{each.location.column} {each.message}" for each in problems]


def comparison(line: str) -> Comparison:
    """One line of `when`."""
    return parse_line(line, Location(Path("rules.yaml")))


# --- at random ------------------------------------------------------------------------------

IDS = [f"90-B3-D5-1F-30-00-10-0{number}" for number in range(3)]
TEXTS = ["a", "ab", "A", "a'b", "a\\", "\\u0061", "\\n", "é", "e\u0301", "日本", "𝒳", "{}", "$m"]
TEXTS += ["true", "1", "0", "null", " ", "a,b]", "id", "sid", "f0", '"', '"}', "\\\\", "x" * 100]
PLACES = ["1.9", "1.10", "01.10", "1.2.rc", "1..2", "-", "rc", "9001", "11", "a1b2c3d4", "1e5"]
PLACES += ["01020304", "A1B2C3D4", "0000000A", "00000010", "99999999"]
WORDS = ["pilot", "pilots", "firmware", "a:b", "true"]
KNOWN: dict[FieldKind, list[str]] = {
    FieldKind.TEXT: TEXTS,
    FieldKind.ID: IDS,
    FieldKind.VERSION: PLACES,
    FieldKind.WORDS: WORDS,
}


def known(field: Field) -> list[str]:
    """Texts that rules and values meet in."""
    if field.name == "recipient.duis_version":
        return ["5.1", "5.10", "5.4", "05.1"]
    return list(field.values) or KNOWN[field.kind]


def quoted(text: str) -> str:
    """A text as a literal."""
    return f"'{text}'" if '"' in text else f'"{text}"'


def lines(*fields: str) -> st.SearchStrategy[str]:
    """One comparison that has no mistake, of one of these fields or of any."""
    return st.sampled_from([FIELDS[name] for name in fields or FIELDS]).flatmap(_line)


@st.composite
def _line(draw: st.DrawFn, field: Field) -> str:
    operator = draw(st.sampled_from(OPERATORS_OF[field.kind]))
    if operator == "exists":
        return f"{field.name} exists"
    if field.kind is FieldKind.BOOLEAN:
        return f"{field.name} {operator} {draw(st.sampled_from(['true', 'false']))}"
    literal = st.sampled_from(known(field)).map(quoted)
    if operator in {"in", "not in"}:
        listed = draw(st.lists(literal, min_size=1, max_size=3))
        return f"{field.name} {operator} [{', '.join(listed)}]"
    return f"{field.name} {operator} {draw(literal)}"


def conditions(*fields: str) -> st.SearchStrategy[Any]:
    """A line, or a group of them, as they stand in a file; of these fields, or of any."""
    return st.recursive(
        lines(*fields),
        lambda inner: st.builds(
            lambda group, parts: {group: parts},
            st.sampled_from(["any", "all", "not"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    )


def _values(field: Field) -> st.SearchStrategy[Value]:
    if field.kind is FieldKind.BOOLEAN:
        return st.booleans()
    near = st.sampled_from(known(field))
    if field.kind is FieldKind.WORDS:
        return st.lists(near, min_size=1, max_size=3).map(tuple)
    if field.kind is FieldKind.TEXT or field.name == "hub.hardware_version":
        printable = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
        far = st.text(printable, min_size=1, max_size=100)
        return near | far | near.map(lambda text: text + text)
    return near


def candidates() -> st.SearchStrategy[dict[str, Value]]:
    """What is known about one candidate; anything may be absent."""
    every: dict[str, st.SearchStrategy[Value]] = {
        field.name: _values(field) for field in FIELDS.values()
    }
    return st.fixed_dictionaries({}, optional=every)


def real_candidates() -> st.SearchStrategy[dict[str, Value]]:
    """The same, with what is known about every candidate."""
    always = {field.name: _values(field) for field in FIELDS.values() if field.always}
    return st.builds(
        lambda some, more: {**some, **more}, candidates(), st.fixed_dictionaries(always)
    )


ENUMERATED = ("hub.status", "hub.smets_version", "activation.version_changed")
"""Fields of so few values that all of their candidates can be tried."""


def enumerated() -> list[dict[str, Value]]:
    """Every real candidate, as far as these fields go."""
    known = [
        dict(zip(ENUMERATED, each, strict=True))
        for each in product(*(FIELDS[name].values or (True, False) for name in ENUMERATED))
    ]
    status, smets, _ = ENUMERATED
    return known + [{status: each[status], smets: each[smets]} for each in known]
