"""YAML in which every value knows the line it stands on.

Operators are told about a mistake with `file:line:col`, so plain parsing is not enough: this
module reads YAML 1.2 into plain values plus a Location for each key and value, and finds at once
what YAML itself lets through and regulated configuration must not: duplicate keys, aliases,
tags, and files too large to have been written by a person.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

Place = tuple[str | int, ...]
"""Where a value stands in the document: keys and list indexes from the top."""


@dataclass(frozen=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    file: Path
    line: int = 1
    column: int = 1
    text: str = ""
    """The source line, for the caret under it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake in one place."""

    location: Location
    message: str

    def render(self) -> str:
        """`file:line:col: message`, then the source line with a caret, when there is one."""
        head = f"{self.location}: {self.message}"
        if not self.location.text.strip():
            return head
        start = max(0, self.location.column - 80)
        line = self.location.text[start : start + 120].replace("\t", " ")
        caret = " " * (self.location.column - 1 - start) + "^"
        return f"{head}\n    {line}\n    {caret}"


@dataclass
class Document:
    """One YAML file: plain values, and where each of them stands."""

    file: Path
    value: Any = None
    lines: list[str] = field(default_factory=list)
    values: dict[Place, Location] = field(default_factory=dict)
    keys: dict[Place, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def at(self, *path: str | int) -> Location:
        """Where the value at `path` stands, or the nearest value around it."""
        return self._nearest(self.values, path)

    def key(self, *path: str | int) -> Location:
        """Where the key of the value at `path` stands (the value itself for list items)."""
        return self.keys.get(path) or self.at(*path)

    def _nearest(self, places: Mapping[Place, Location], path: Place) -> Location:
        while path and path not in places:
            path = path[:-1]
        return places.get(path) or self.location(0, 0)

    def location(self, line: int, column: int) -> Location:
        """A Location from a line and column that count from 0."""
        text = self.lines[line] if line < len(self.lines) else ""
        return Location(self.file, line + 1, column + 1, text)

    def add(self, location: Location, message: str) -> None:
        """Remember a mistake found in this file."""
        self.problems.append(Problem(location, message))

    def add_invalid(self, error: ValidationError, *within: str | int) -> None:
        """Turn what pydantic found below `within` into problems with positions."""
        for item in error.errors(include_url=False):
            path = (*within, *item["loc"])
            if item["type"] == "extra_forbidden":
                known = error_fields(item)
                name = str(path[-1])
                self.add(self.key(*path), f"unknown key {name!r}{did_you_mean(name, known)}")
            elif item["type"] == "missing":
                self.add(self.at(*path[:-1]), f"missing key {path[-1]!r}")
            else:
                reason = item["msg"].removeprefix("Value error, ")
                self.add(self.at(*path), f"{path[-1]!r}: {reason}")


def error_fields(item: Any) -> tuple[str, ...]:
    """The keys that would have been right where pydantic met an unknown one."""
    return tuple((item.get("ctx") or {}).get("known", ()))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when one of `known` is close, else what there is to choose from."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(names)}" if names else ""


def read(file: Path) -> Document:
    """Read one YAML file. Never raises for what it holds: look at `problems`."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        document = Document(file)
        document.add(Location(file), f"cannot be read: {error.strerror}")
        return document
    return parse(raw, file)


def parse(raw: bytes, file: Path) -> Document:
    """Read YAML from bytes; `file` is what locations will name."""
    document = Document(file)
    if len(raw) > MAX_BYTES:
        document.add(Location(file), f"larger than {MAX_BYTES:,} bytes; split it into several files")
        return document
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n")
        document.add(Location(file, line + 1), "not UTF-8; save the file as UTF-8")
        return document
    document.lines = text.splitlines()
    try:
        yaml = YAML(typ="safe", pure=True)
        for event in yaml.parse(text):
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                mark = event.start_mark
                document.add(
                    document.location(mark.line, mark.column),
                    "anchors and aliases are not allowed; write the value out",
                )
        if document.problems:
            return document
        nodes = list(YAML(typ="safe", pure=True).compose_all(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        document.add(document.location(line, column), f"not YAML: {error.problem or error.context}")
        return document
    except (YAMLError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        document.add(Location(file), f"not YAML: {' '.join(reason.split())}")
        return document
    if len(nodes) > 1:
        mark = nodes[1].start_mark
        document.add(document.location(mark.line, mark.column), "more than one document in a file")
    if nodes and nodes[0] is not None:
        document.value = _Reader(document).value(nodes[0], ())
    return document


class _Reader:
    """Turns composed nodes into plain values and notes where each one stands."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.constructor = YAML(typ="safe", pure=True).constructor

    def value(self, node: Node, path: Place) -> Any:
        where = self.document.location(node.start_mark.line, node.start_mark.column)
        self.document.values[path] = where
        if len(path) > MAX_DEPTH:
            self.document.add(where, "nested too deeply")
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
        return self.scalar(node, where)

    def mapping(self, node: MappingNode, path: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            where = self.document.location(key_node.start_mark.line, key_node.start_mark.column)
            if not isinstance(key_node, ScalarNode):
                self.document.add(where, "a key must be a word")
                continue
            key = str(key_node.value)
            if key in result:
                first = self.document.keys[(*path, key)]
                self.document.add(where, f"duplicate key {key!r}; first used in line {first.line}")
                continue
            self.document.keys[(*path, key)] = where
            result[key] = self.value(value_node, (*path, key))
        return result

    def scalar(self, node: ScalarNode, where: Location) -> Any:
        kind = node.tag.rpartition(":")[2]
        text = str(node.value)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() == "true"
            if kind == "int":
                return int(self.constructor.construct_yaml_int(node))
            if kind == "float":
                return float(self.constructor.construct_yaml_float(node))
        except (ValueError, OverflowError):
            self.document.add(where, f"{text!r} is not a number; quote it if it is text")
            return None
        if kind not in {"str", "timestamp", "value"}:
            self.document.add(where, f"tag {node.tag!r} is not allowed; write a plain value")
        return text
