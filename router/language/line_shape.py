"""The shape of a line of `when`: a field, a comparison, a value or a list of values.

What may stand next depends on the last word alone, so that regular expressions read it: a parser
of grammars took a tenth of the time of a check, to import and to set up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORDS = {
    "NAME": r"[A-Za-z_][A-Za-z0-9_.]*",
    "SIGN": r"==|!=|<=|>=|<|>|(?:not[ \t]+in|in|startswith|has|exists)(?![A-Za-z0-9_.])",
    "TEXT": r""""[^"]*"|'[^']*'""",  # no escapes: it reaches to the next quote of its kind
    "BOOLEAN": r"(?:true|false)(?![A-Za-z0-9_.])",
    "[": r"\[",
    "]": r"\]",
    ",": ",",
    "END": r"\Z",
}
"""What each kind of word looks like; blanks and tabs may stand before it."""
NEXT = {
    "": ("NAME",),
    "NAME": ("SIGN",),
    "SIGN": ("TEXT", "BOOLEAN", "[", "END"),
    "[": ("TEXT", "]"),
    "TEXT in a list": (",", "]"),
    ",": ("TEXT", "]"),
    "TEXT": ("END",),
    "BOOLEAN": ("END",),
    "]": ("END",),
}
"""What may stand after each kind; "" is the beginning."""
_NEXT = {
    after: re.compile(
        "|".join(f"(?P<K{number}>{WORDS[kind]})" for number, kind in enumerate(kinds))
    )
    for after, kinds in NEXT.items()
}
_BLANK = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class LineWord:
    """A word of a line."""

    kind: str
    text: str
    at: int
    """Its first character, from 0."""


@dataclass(frozen=True, slots=True)
class LineShape:
    """A line that reads as one."""

    name: LineWord
    sign: LineWord
    values: tuple[LineWord, ...] = ()
    listed: LineWord | None = None
    """The bracket that opens the list, where it is one."""


class Misshapen(Exception):
    """At which character it does not go on as a line must, and what might stand there."""

    def __init__(self, at: int, expected: tuple[str, ...]) -> None:
        super().__init__(f"at {at}: none of {', '.join(expected)}")
        self.at = at
        self.expected = expected


def shape_of(text: str) -> LineShape:
    """Its words. Misshapen where they are not those of a line."""
    words: list[LineWord] = []
    after, at = "", 0
    while (word := _word(text, at, after)).kind != "END":
        words.append(word)
        listed = len(words) > 2 and words[2].kind == "["
        after = f"{word.kind} in a list" if listed and word.kind == "TEXT" else word.kind
        at = word.at + len(word.text)
    name, sign, *rest = words
    values = tuple(each for each in rest if each.kind in {"TEXT", "BOOLEAN"})
    return LineShape(name, sign, values, rest[0] if rest and rest[0].kind == "[" else None)


def _word(text: str, at: int, after: str) -> LineWord:
    blank = _BLANK.match(text, at)
    at = blank.end() if blank else at
    found = _NEXT[after].match(text, at)
    if found is None or found.lastgroup is None:
        raise Misshapen(at, NEXT[after])
    return LineWord(NEXT[after][int(found.lastgroup[1:])], found[0], at)
