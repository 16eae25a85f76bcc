"""YAML with positions: what is read, and what is refused where."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.files.document import Document
from router.files.yamlfile import MAX_BYTES, MAX_DEPTH, parse, read

FILE = Path("file.yaml")
NO_COLON = "no colon can stand here; put a text with ': ' in quotes, or indent this line"


def document(text: str) -> Document:
    return parse(text.encode(), FILE)


def found(text: str | bytes) -> list[str]:
    """The problems of a text as `line:col: message`."""
    raw = text.encode() if isinstance(text, str) else text
    return [
        f"{each.location.line}:{each.location.column}: {each.message}"
        for each in parse(raw, FILE).problems
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("'5.4'", "5.4"),
        ('"5.4"', "5.4"),
        ("5.4", 5.4),
        ("17", 17),
        ("-3", -3),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        # what YAML 1.1 made of these has cost others days
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("2026-01-31", "2026-01-31"),
        ("0b1", "0b1"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("1: one", {"1": "one"}),
        ("true: yes", {"true": "yes"}),
    ],
)
def test_plain_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    read_back = document(text)
    assert read_back.problems == []
    assert read_back.value == value
    assert type(read_back.value) is type(value)


def test_not_a_number_is_a_number_to_yaml() -> None:
    assert math.isnan(document(".nan").value)


def test_every_key_and_value_knows_its_place() -> None:
    users = document("users:\n  - id: one\n    roles: [a, bc]\n")
    assert str(users.at("users", 0, "id")) == "file.yaml:2:9"
    assert str(users.key("users", 0, "roles")) == "file.yaml:3:5"
    assert str(users.at("users", 0, "roles", 1)) == "file.yaml:3:16"
    assert users.at("users", 0, "roles", 1).text == "    roles: [a, bc]"


def test_a_place_that_is_not_there_is_the_nearest_around_it() -> None:
    users = document("users:\n  - id: one\n")
    assert users.at("users", 0, "name", "first") == users.at("users", 0)
    assert str(Document(FILE).at("users")) == "file.yaml:1:1"


def test_nothing_stands_at_its_key() -> None:
    assert str(document("a: 1\nname:\nb: 2\n").at("name")) == "file.yaml:2:1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1: 'a' stands here already, in line 1"),
        ("a: {b: 1, c: 2, b: {d: 1}}", "1:17: 'b' stands here already, in line 1"),
        ("a: &x 1\nb: 2", "1:4: anchors and aliases are not allowed; write the value out"),
        ("a: *x", "1:4: anchors and aliases are not allowed; write the value out"),
        ("a: !!int '1'", "1:4: tag !!int is not allowed; write a plain value"),
        ("a: !own [1]", "1:4: tag !own is not allowed; write a plain value"),
        ("? [a]\n: b", "1:3: a key must be a word"),
        ("&x a: b", "1:1: a key must be a plain word"),
        ("a: 1\n---\nb: 2", "2:1: more than one document in a file"),
        ("%YAML 1.1\n---\na: yes", "1:1: directives (%YAML, %TAG) are not allowed; take them out"),
        ("a: " + "9" * 4400, "1:4: too many digits; quote it if it is text"),
        ("a: b: c", f"1:5: {NO_COLON} as those before it"),
        ("\ta: 1", "1:1: a tab can't stand here; indent with spaces"),
        (
            "a: 1\nb: 'x\n",
            "3:1: the quotes that open in line 2 are not closed",
        ),
        ("a: 1\nb: \x07", "2:4: holds a control character"),
        ("[" * 100_000, "1:42: nested too deeply"),
        ("{a: " * 50_000, "1:165: nested too deeply"),
        ("a: " * 1, None),
    ],
)
def test_what_yaml_lets_through_is_refused(text: str, problem: str | None) -> None:
    assert found(text) == ([problem] if problem else [])


def test_a_duplicate_key_keeps_the_rest_readable() -> None:
    assert document("a: 1\na: {b: [2]}\nc: 3\n").value == {"a": 1, "c": 3}


def test_what_cannot_be_relied_on_has_no_value() -> None:
    assert document("a: 1\nb: *a\n").value is None


def test_aliases_are_refused_and_the_rest_stays_readable() -> None:
    read = document("a: &x {b: [2]}\nc: *x\nd:\n  b: 1\n  <<: *x\n  e: *x\nf: &y 4\ng: [*y]\n")
    assert [str(each.location) for each in read.problems] == [
        f"file.yaml:{place}" for place in ("1:4", "2:4", "5:7", "6:6", "7:4", "8:5")
    ]
    one = {"b": [2]}
    assert read.value == {"a": one, "c": one, "d": {"b": 1, "e": one}, "f": 4, "g": [4]}
    assert read.at("c", "b", 0) == read.at("c")


def test_only_an_alias_is_merged() -> None:
    assert document("a:\n  <<: {b: 1}\n").value == {"a": {"<<": {"b": 1}}}
    assert document("a: &x {b: 1}\nc: {<<: *x, <<: *x}\nd: &y 1\ne: {<<: *y}").value == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": 1,
        "e": {"<<": 1},
    }


def test_aliases_of_aliases_blow_nothing_up() -> None:
    bomb = "a0: &a0 [1, 1]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 100)
    )
    assert document(bomb).value is None
    assert len(document(bomb).problems) < 60


def test_aliases_nest_no_deeper_than_what_is_written_out() -> None:
    def chain(levels: int) -> str:
        return "x0: &x0 [1]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}]\n" for n in range(1, levels))

    assert document(chain(MAX_DEPTH - 1)).value is not None
    assert document(chain(MAX_DEPTH)).value is None


def test_an_alias_of_itself_has_no_value() -> None:
    assert document("a: &x [*x]\n").value is None


def test_bytes_that_are_not_utf_8_are_told_by_their_line() -> None:
    assert found(b"a: 1\nb: \xff\n") == ["2:1: not UTF-8; save the file as UTF-8"]


def test_the_mark_of_windows_editors_is_no_part_of_a_key() -> None:
    assert parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", FILE).value == {"a": 1, "b": 2}


def test_files_beyond_reading_are_told(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than 1,000,000 bytes" in read(large).problems[0].message
    assert "No such file" in read(tmp_path / "none.yaml").problems[0].message
    assert "Is a directory" in read(tmp_path).problems[0].message
    assert "its name is not one of a file" in read(tmp_path / "\0").problems[0].message


def test_a_problem_shows_its_line_with_a_caret() -> None:
    assert document("a: b: c").problems[0].render() == (
        f"file.yaml:1:5: yaml {NO_COLON} as those before it\n    a: b: c\n        ^"
    )


def test_the_caret_of_a_long_line_is_under_its_column() -> None:
    text = "a: [" + "b, " * 100 + "&x 1]"
    head, line, caret = document(text).problems[0].render().split("\n")
    assert head.startswith("file.yaml:1:305: ")
    assert line[len(caret) - 1 :] == "&x 1]"


def test_a_problem_without_a_line_is_one_line() -> None:
    assert "\n" not in read(Path("none.yaml")).problems[0].render()


def test_control_characters_never_reach_the_terminal() -> None:
    shown = document("a: \x1b[2J").problems[0].render()
    assert "\x1b" not in shown
    assert shown.endswith("\n    a: ?[2J\n       ^")


def test_the_name_of_a_file_never_moves_the_cursor() -> None:
    (found,) = parse(b"a: b: c", Path("a\x1b[2J\n\udcff.yaml")).problems
    assert found.head.startswith(r"a\x1b[2J\n\udcff.yaml:1:5: yaml ")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("secret: abc, d: e", "secret: *********"),
        ("  - password: 'abc' # x", "  - password: ***** # x"),
        ("{a: 1, api_key: abc, d: e}", "{a: 1, api_key: ***, d: e}"),
        ("{my_secret: abc, other-token: def}", "{my_secret: ***, other-token: ***}"),
        ("{secrets: [abc, def], d: e}", "{secrets: *********], d: e}"),
        ("url: https://user:p@ss@host/a@b", "url: https://*********@host/a@b"),
        ("secret_file: /run/x", "secret_file: /run/x"),
        ('passphrase : "abc', "passphrase : ****"),
    ],
)
def test_what_looks_like_a_secret_is_covered(line: str, shown: str) -> None:
    assert document(line).lines == [shown]


@given(st.text(st.sampled_from("ab:-[]{},'\"#&*!|>?%@`\\ \n\t~01.\0\x1b\u2028é"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    result = parse(text.encode(), FILE)
    assert (result.value is None) or result.values
    for problem in result.problems:
        assert problem.location.line >= 1
        assert "\n" not in problem.message
        assert "\x1b" not in problem.render()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    parse(raw, FILE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="ab 1.~", max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
        max_leaves=20,
    )
)
def test_what_json_says_is_read_as_json(value: Any) -> None:
    result = document(json.dumps(value))
    assert result.problems == []
    assert result.value == value


def test_a_character_that_there_is_not_is_a_mistake_of_the_file() -> None:
    """The library's own error is one of numbers, and not of YAML."""
    assert len(found(r'name: "\UFFFFFFFF"')) == 1
