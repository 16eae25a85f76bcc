"""What may be shown; tests/cli/test_hostile_text.py and tests/test_logs.py hold who shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.files.redaction import covered, escaped, escaped_lines, in_one_line, presentable

HOSTILE = "\x00\x07\x1b\x7f\x9b\x85\u00ad\u200b\u200f\u202e\u2028\u2029\u2066\ufeff\ud800\U000e0041"
"""Controls, what turns the direction of writing, what ends lines, what takes no room."""
ANY = st.text(st.characters() | st.sampled_from(HOSTILE + "\t\r\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Łódź …", "Łódź …"),
        ("no\x1b[31m", r"no\x1b[31m"),
        ("\u202etxet", r"\u202etxet"),
        ("a\tb\r\nc", r"a\tb\r\nc"),
        ("a\u2028b\x85", r"a\u2028b\x85"),
        ("\ud800\U000e0041", r"\ud800\U000e0041"),
        ("", ""),
    ],
)
def test_what_can_not_be_seen_is_written_out(text: str, shown: str) -> None:
    assert escaped(text) == shown


@given(ANY)
def test_what_is_shown_can_be_seen(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(escaped(text)) == escaped(text)
    assert in_one_line(text).isprintable()
    assert covered(text).isprintable()
    assert all(line.isprintable() for line in escaped_lines(text).split("\n"))


def test_lines_stay_lines() -> None:
    assert escaped_lines("a\x1b\r\nb\u2028c\n") == "a\\x1b\\r\nb\\u2028c\n"


def test_one_line_is_cut_where_it_is_too_long() -> None:
    assert in_one_line("  a\n\t b\u2028c ") == "a b c"
    assert in_one_line("x" * 300) == "x" * 300
    assert in_one_line("x" * 301) == "x" * 300 + "..."
    assert in_one_line("xy", longest=1) == "x..."
    # what is written out counts as it is shown
    assert in_one_line("\x1b" * 100) == r"\x1b" * 75 + "..."


@given(ANY)
def test_columns_stay_true_where_text_is_covered(text: str) -> None:
    shown = covered(text)
    assert len(shown) == len(text)
    assert all(new in {"?", old} for new, old in zip(shown, text, strict=True))
    assert covered(text, kept=text) == text


@given(ANY)
def test_a_line_of_a_file_keeps_its_length_and_its_end(text: str) -> None:
    for line in text.splitlines(keepends=True):
        shown = presentable(line)
        assert len(shown) == len(line)
        bare = shown.rstrip("\r\n\x85\u2028\u2029")
        assert bare.replace("\t", "").isprintable()
        if line[-1] in "\r\n\x85\u2028\u2029":
            assert shown[-1] == line[-1]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a\tb\x1b[2J\u202e\r\n", "a\tb?[2J?\r\n"),
        ("a\u2028b\rc", "a?b?c"),
        ("secret: a\x1bb\n", "secret: ***\n"),
        ("url: amqp://me:pass@host/", "url: amqp://*******@host/"),
    ],
)
def test_a_line_of_a_file_shows_no_secret_and_moves_nothing(line: str, shown: str) -> None:
    assert presentable(line) == shown
