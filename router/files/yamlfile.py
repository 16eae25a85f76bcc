"""YAML in which every value knows the line it stands on.

Operators are told about a mistake with `file:line:col`, so plain parsing is not enough: this
module reads YAML 1.2 into plain values plus a Location for each key and value, and finds at once
what YAML itself lets through and regulated configuration must not: duplicate keys, aliases,
tags, and files too large to have been written by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from router.files.codes import Code
from router.files.cover import Cover, Token
from router.files.document import Document, Place
from router.files.plainfile import open_plain
from router.files.problems import Location
from router.files.redaction import ENDS, covered, presentable

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_COPIED = 200_000
"""How many values the aliases of a file may stand for, all together."""


def read(file: Path, *, guarded: bool = False) -> Document:
    """Read one YAML file. Never raises for what it holds: look at `problems`.

    `guarded`: secrets may stand in it, so nothing of it is shown but what a model reveals.
    """
    try:
        with open_plain(file) as opened:
            raw = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        document = Document(file)
        why = error.strerror if isinstance(error, OSError) else "its name is not one of a file"
        document.add(Location(file), f"cannot be read: {why}", Code.FILE)
        return document
    return parse(raw, file, guarded=guarded)


def parse(raw: bytes, file: Path, *, guarded: bool = False) -> Document:
    """Read YAML from bytes; `file` is what locations will name."""
    document = Document(file)
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES:,} bytes; split it into several files"
        document.add(Location(file), message, Code.TOO_LARGE)
        return document
    try:
        text = raw.decode("utf-8-sig")  # some editors on Windows begin files with a mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n")
        document.add(Location(file, line + 1), "not UTF-8; save the file as UTF-8", Code.FILE)
        return document
    if guarded:
        document.cover = Cover(text)
    else:
        document.lines = [presentable(line) for line in text.splitlines()]
    try:
        _Reader(document, text).read()
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        document.add(document.location(line, column), "holds a control character", Code.YAML)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = document.location(mark.line, mark.column) if mark else document.location(0, 0)
        in_braces = mark is not None and text[: mark.index].endswith("$")
        hint = "; put a text with ${NAME} in quotes here" if in_braces else ""
        document.add(where, f"{_say(error, guarded=guarded)}{hint}", Code.YAML)
    except (YAMLError, ValueError, OverflowError) as error:
        document.add(Location(file), " ".join(str(error).split()), Code.YAML)
    return document


_IN_OUR_WORDS = {
    r"mapping values are not allowed": "no colon can stand here; put a text with ': ' in quotes, "
    "or indent this line as those before it",
    r"'\\t' that cannot start": "a tab can't stand here; indent with spaces",
    r"cannot start any token|scanning an (alias|anchor)": "a text that begins so needs quotes",
    r"could not find expected ':'": "the key in line {begun} has no colon behind it",
    r"end of stream while scanning a quoted": "the quotes that open in line {begun} are not closed",
    r"<block end>.* '<scalar>'": "a text in quotes ends before this; in '...' write '' for a quote",
    r"<block end>.* '(\?|-|<block \w+ start>)'": "not indented as what begins in line {begun}",
    r"<stream end>.*flow": "the bracket of line {begun} is not closed",
    r"expected the node content": "no value stands before this",
    r"expected ',' or '(.)'": "no comma or {0} stands before this, for the bracket of line {begun}",
}
"""What the parser says most often, for people who know nothing of tokens and scalars."""


def _say(error: MarkedYAMLError, *, guarded: bool) -> str:
    begun = error.context_mark.line + 1 if error.context_mark else 0
    said = " ".join(f"{error.problem or ''} {error.context or ''}".split())
    for pattern, words in _IN_OUR_WORDS.items():
        found = re.search(pattern, said)
        if found:
            return words.format(*found.groups(), begun=begun)
    if guarded:  # it may repeat what stands there
        said = re.sub(r"(['\"]).{2,}\1", "this", said)
    return f"{said} that began in line {begun}" if begun and error.problem else said


NO_ALIASES = "anchors and aliases are not allowed; write the value out"


class _StopReading(Exception):
    """The file may not be read on; the problem has been added."""


_INT = re.compile(r"[-+]?[0-9]+")
_BASED_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class _Reader:
    """Turns YAML's events into plain values and notes where each one stands."""

    def __init__(self, document: Document, text: str) -> None:
        self.document = document
        self.text = text
        # as long as `text`, character for character
        if document.cover is not None:
            self.shown = covered(text, kept="\t" + ENDS)
        else:
            self.shown = "".join(presentable(line) for line in text.splitlines(keepends=True))
        self.events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
        self.anchored: dict[str, Any] = {}
        """What an alias stands for."""
        self.copied = 0
        """How many values the aliases so far stand for."""

    def read(self) -> None:
        try:
            value = None
            for number, event in enumerate(self._documents()):
                if number > 0:
                    self._unfit(event, "more than one document in a file", Code.YAML)
                value = self.value(next(self.events), ())
            self.document.value = value
            self.document.lay_cover()
        except _StopReading:
            return

    def _documents(self) -> Iterator[DocumentStartEvent]:
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if event.version or event.tags:
                    # the event begins where the document does, below them
                    before = enumerate(self.text.splitlines()[: event.start_mark.line])
                    row = next((number for number, line in before if line[:1] == "%"), 0)
                    message = "directives (%YAML, %TAG) are not allowed; take them out"
                    self.document.add(self.document.location(row, 0), message, Code.YAML)
                    raise _StopReading
                yield event

    def _unfit(self, event: Event, message: str, code: Code) -> NoReturn:
        self.document.add(self._where(event), message, code)
        raise _StopReading

    def _where(self, event: Event) -> Location:
        return self.document.location(event.start_mark.line, event.start_mark.column)

    def _token(self, event: Event) -> Token:
        start, end = event.start_mark, event.end_mark
        return Token(start.line, start.column, self.shown[start.index : end.index])

    def value(self, event: Event, path: Place) -> Any:
        self.document.values[path] = self._where(event)
        if len(path) > MAX_DEPTH:
            self._unfit(event, "nested too deeply", Code.TOO_LARGE)
        if isinstance(event, AliasEvent):
            return self.alias(event, path)
        tag = getattr(event, "ctag", None)
        if tag is not None:
            name = str(tag).replace("tag:yaml.org,2002:", "!!")
            known = self.document.cover is None or re.fullmatch(r"!![a-z/:._]+", name)
            said = f"tag {name} is not allowed" if known else "a text that begins so needs quotes"
            self._unfit(event, f"{said}; write a plain value", Code.YAML)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self.document.add(self._where(event), NO_ALIASES, Code.ALIAS)
        value = self._plain_value(event, path)
        if anchor:
            self.anchored[anchor] = value
        return value

    def alias(self, event: AliasEvent, path: Place) -> Any:
        """What it stands for: the file is refused, and all else that is wrong is told at once."""
        self.document.add(self._where(event), NO_ALIASES, Code.ALIAS)
        if event.anchor not in self.anchored:
            raise _StopReading
        value = self.anchored[event.anchor]
        values, levels = _extent(value)
        self.copied += values
        if self.copied > MAX_COPIED or len(path) + levels > MAX_DEPTH:
            raise _StopReading
        return value

    def _plain_value(self, event: Event, path: Place) -> Any:
        if isinstance(event, MappingStartEvent):
            return self.mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self.sequence(path)
        assert isinstance(event, ScalarEvent)
        return self.scalar(event, path)

    def sequence(self, path: Place) -> list[Any]:
        result: list[Any] = []
        for event in self.events:
            if isinstance(event, SequenceEndEvent):
                break
            result.append(self.value(event, (*path, len(result))))
        return result

    def mapping(self, path: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                self._unfit(event, "a key must be a word", Code.YAML)
            of_value = self._add_entry(event, path, result)
            is_merge = event.value == "<<" and isinstance(of_value, AliasEvent)
            if is_merge and isinstance(result.get("<<"), dict):
                merged |= result.pop("<<")  # what was meant is not missed besides
        return {**merged, **result}

    def _add_entry(self, event: Any, path: Place, result: dict[str, Any]) -> Event:
        """Read what belongs to the key; gives what its value began with."""
        where, key = self._where(event), str(event.value)
        place = (*path, key)
        if event.anchor or event.ctag is not None:
            self._unfit(event, "a key must be a plain word", Code.YAML)
        if key in result:
            first = self.document.keys[place]
            named = self.document.named(key)
            message = f"{named} stands here already, in line {first.line}"
            self.document.add(where, message, Code.DUPLICATE_KEY)
            value_event = next(self.events)
            self.value(value_event, (*path, key, "duplicate"))
            return value_event
        self.document.keys[place] = where
        if self.document.cover is not None:
            self.document.covered_keys[place] = self._token(event)
        value_event = next(self.events)
        result[key] = self.value(value_event, place)
        if result[key] is None and value_event.start_mark.index == value_event.end_mark.index:
            self.document.values[place] = where  # nothing stands there: show the key
        return value_event

    def scalar(self, event: ScalarEvent, path: Place) -> Any:
        text = str(event.value)
        token = self._token(event)
        if self.document.cover is not None:
            self.document.covered[path] = token
        else:
            self.document.written[path] = token.text
        if event.style is not None:
            return text
        try:
            return _plain(text)
        except ValueError:
            message = "too many digits; quote it if it is text"
            self.document.add(self._where(event), message, Code.UNQUOTED)
            return text


def _extent(value: Any) -> tuple[int, int]:
    """How many values it is, itself among them, and how many levels there are below it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    values, below = 1, 0
    for each in inner:
        more, levels = _extent(each)
        values, below = values + more, max(below, levels + 1)
    return values, below


def _plain(text: str) -> Any:
    """What a word without quotes means in YAML 1.2; ValueError when it is too long a number."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _BASED_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
