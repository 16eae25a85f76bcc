"""What pydantic finds, as problems with positions and in words for operators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from router.files.codes import Code
from router.files.suggestions import did_you_mean
from router.files.yamlfile import parse


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    token: SecretStr | None = None


class Other(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: Literal["red", "green"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = ""
    number: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 1
    flag: bool = False
    words: Annotated[list[str], Field(max_length=2)] = []
    short: Annotated[str, Field(min_length=3, max_length=5)] = "abc"
    inner: Inner | None = None
    many: dict[str, Inner] = {}
    listed: list[Inner | Other] = []
    either: int | Literal["all"] = "all"


def found(text: str, *, within: tuple[str, ...] = ()) -> list[str]:
    document = parse(text.encode(), Path("file.yaml"))
    value: Any = document.value
    for key in within:
        value = value[key]
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(value)
    document.add_invalid(caught.value, Model, *within)
    return [
        f"{each.location.line}:{each.location.column}: {each.message}" for each in document.problems
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("text: 5.10", '1:7: text: must be text; quote it: "5.10"'),
        ("text: yes\nshort: true", '2:8: short: must be text; quote it: "true"'),
        ("text: [a]", "1:7: text: must be text, not a list"),
        ("text: {a: 1}", "1:7: text: must be text, not a mapping"),
        ("text:", "1:1: text: must be text; nothing stands there"),
        ("number: many", "1:9: number: must be a number, not 'many'"),
        ("number: 0", "1:9: number: must be more than 0, not 0"),
        ("number: 11", "1:9: number: must be at most 10, not 11"),
        ("number: .nan", "1:9: number: must be a number, not .nan"),
        ("flag: perhaps", "1:7: flag: must be true or false, not 'perhaps'"),
        ("words: one", "1:8: words: must be a list, such as [one, two], not 'one'"),
        ("words: [a, b, c]", "1:8: words: must have at most 2 items"),
        ("words: [a, 2]", '1:12: words: must be text; quote it: "2"'),
        ("short: ab", "1:8: short: must have at least 3 characters"),
        ("short: abcdef", "1:8: short: must have at most 5 characters"),
        ("inner: x", "1:8: inner: must be a mapping, such as {key: value}, not 'x'"),
        ("inner: {size: 1.5}", "1:15: size: must be a whole number, not 1.5"),
        ("inner: {}", "1:8: 'size' is needed here"),
        ("inner: {size: 1, sise: 2}", "1:18: 'sise' means nothing here; did you mean 'size'?"),
        (
            "inner: {size: 1, x: 2}",
            "1:18: 'x' means nothing here; known here: size, token, token_file",
        ),
        ("many: {a: {sise: 1, size: 2}}", "1:12: 'sise' means nothing here; did you mean 'size'?"),
        ("either: x", "1:9: either: must be a whole number, not 'x' or must be all, not 'x'"),
        (f"text: [{'x' * 70}]", "1:7: text: must be text, not a list"),
        (f"number: {'x' * 70}", f"1:9: number: must be a number, not '{'x' * 60}...'"),
        ("number: 'many'", "1:9: number: must be a number, not 'many'"),
    ],
)  # fmt: skip
def test_wording_and_position(text: str, problem: str) -> None:
    assert found(text) == [problem]


def test_positions_hold_through_unions_and_lists() -> None:
    problems = found("listed:\n  - size: 1\n  - size: 1\n    colour: read\n    shape: x\n")
    assert "4:13: colour: must be one of red, green, not 'read'; did you mean 'red'?" in problems
    assert (
        "5:5: 'shape' means nothing here; known here: colour, size, token, token_file" in problems
    )


def test_positions_are_those_of_the_whole_file() -> None:
    assert found("a:\n  b:\n    txt: x\n", within=("a", "b")) == [
        "3:5: 'txt' means nothing here; did you mean 'text'?"
    ]


def test_one_place_gets_one_problem() -> None:
    document = parse(b"text: 1", Path("file.yaml"))
    document.add(document.at("text"), "known already", Code.VALUE)
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(document.value)
    document.add_invalid(caught.value, Model)
    assert [problem.message for problem in document.problems] == ["known already"]


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("sorce", ["source", "target"], "; did you mean 'source'?"),
        ("ID", ["id", "name"], "; did you mean 'id'?"),
        ("zzz", ["b", "a"], "; known here: a, b"),
        ("zzz", [], ""),
    ],
)
def test_suggestions(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said
