"""A file that operators edit, as it was read: plain values, their places, and what is wrong.

Every mistake is shown with its line and a caret, so what is shown must never be a secret: a
value that is one is covered here, once, for every problem of its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from router.codes import Code
from router.wording import did_you_mean, is_consequence, known_keys, reason

Place = tuple[str | int, ...]
"""Where a value stands in the document: keys and list indexes from the top."""


@dataclass(frozen=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    file: Path
    line: int = 1
    column: int = 1
    text: str = ""
    """The source line, for the caret under it; secrets and control characters are covered."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Problem:
    """One mistake in one place."""

    location: Location
    message: str
    code: Code = Code.VALUE

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
class Papers:
    """Keys and certificates that files name, where they stand."""

    unfit: list[Problem] = field(default_factory=list)
    """Of no use as they are now: each stops what it is for, and nothing else."""
    warnings: list[Problem] = field(default_factory=list)
    """Of use now, but they ask for somebody's hand: a certificate that is about to expire."""

    def add(self, problem: Problem, *, warning: bool) -> None:
        """Once, whoever finds it."""
        if problem not in self.unfit + self.warnings:
            (self.warnings if warning else self.unfit).append(problem)


@dataclass
class Document:
    """One YAML file: plain values, and where each of them stands."""

    file: Path
    value: Any = None
    """None when the file is empty, or so broken that nothing in it can be relied on."""
    lines: list[str] = field(default_factory=list)
    """The file as it may be shown."""
    papers: Papers = field(default_factory=Papers)
    """What there is to say of the keys and certificates that it names."""
    values: dict[Place, Location] = field(default_factory=dict)
    keys: dict[Place, Location] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    """The source text of each plain value; what is hidden is not among them."""
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

    def add(self, location: Location, message: str, code: Code = Code.VALUE) -> None:
        """Remember a mistake found in this file."""
        self.problems.append(Problem(location, message, code))

    def add_invalid(
        self,
        error: ValidationError,
        model: type[BaseModel],
        *within: str | int,
        also: frozenset[str] = frozenset(),
    ) -> None:
        """Turn what pydantic found below `within` into problems with positions.

        `model` is what stands at `within`, `also` are keys that are right there besides its own.
        """
        said: dict[Place, str] = {}
        for item in error.errors(include_url=False):
            path = self._reached(within, item["loc"])
            if is_consequence(item):
                continue
            if item["type"] == "extra_forbidden":
                self._add_unknown(path, model, within, also)
            elif item["type"] == "missing":
                self._add_missing(path, item, model, within)
            elif "[key]" in item["loc"]:
                self.add(self.key(*path), f"key {path[-1]!r} {reason(item, None)}")
            else:  # the branches of a union are findings about one value
                why = reason(item, self.written.get(path))
                said[path] = f"{said[path]} or {why}" if path in said else why
        spoken = {problem.location for problem in self.problems}
        for path, why in said.items():
            if self.at(*path) in spoken:
                continue  # what follows from a known mistake would only hide it
            name = next((str(part) for part in reversed(path) if isinstance(part, str)), None)
            self.add(self.at(*path), f"{name}: {why}" if name else why)

    def _reached(self, within: Place, loc: tuple[str | int, ...]) -> Place:
        """The place that pydantic means: its `loc` without the names of types in between."""
        path = within
        for part in loc:
            if (*path, part) in self.values:
                path = (*path, part)
        return path

    def _add_unknown(
        self, path: Place, model: type[BaseModel], within: Place, also: frozenset[str]
    ) -> None:
        known = known_keys(model, path[len(within) : -1])
        if len(path) == len(within) + 1:
            known |= also
        name = str(path[-1])
        self.add(self.key(*path), f"unknown key {name!r}{did_you_mean(name, known)}")

    def _add_missing(
        self, path: Place, item: ErrorDetails, model: type[BaseModel], within: Place
    ) -> None:
        name = str(item["loc"][-1])
        from_file = f"{name}_file"
        known = known_keys(model, path[len(within) :])
        choice = f" (or {from_file!r})" if from_file in known else ""
        self.add(self.at(*path), f"missing key {name!r}{choice}")

    def hide(self, *path: str | int) -> None:
        """Cover the value at `path` wherever its source text would show: it is a secret."""
        for place in [place for place in self.written if place[: len(path)] == path]:
            where, text = self.values[place], self.written.pop(place)
            for number, part in enumerate(text.splitlines()):
                row, start = where.line - 1 + number, where.column - 1 if number == 0 else 0
                line = self.lines[row]
                self.lines[row] = line[:start] + "*" * len(part) + line[start + len(part) :]
        for places in (self.values, self.keys):
            for place, location in places.items():
                places[place] = self._fresh(location)
        self.problems = [
            replace(problem, location=self._fresh(problem.location)) for problem in self.problems
        ]

    def _fresh(self, location: Location) -> Location:
        text = self.lines[location.line - 1] if location.line <= len(self.lines) else ""
        return location if location.text == text else replace(location, text=text)
