"""A file that operators edit, as it was read: plain values, their places, and what is wrong.

Every mistake is shown with its line and a caret, so what is shown must never be a secret: a
value that is one is covered here, once, for every problem of its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from router.files.codes import Code, code_of
from router.files.messages import is_consequence, reason
from router.files.model_keys import known_keys
from router.files.problems import Location, Papers, Problem
from router.files.suggestions import closest, did_you_mean

Place = tuple[str | int, ...]
"""Where a value stands in the document: keys and list indexes from the top."""


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
    filled: set[Place] = field(default_factory=set)
    """Where the environment gave a part of the text."""
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

    def add(self, location: Location, message: str, code: Code) -> None:
        """Remember a mistake found in this file."""
        self.problems.append(Problem(location, message, code))

    def add_unknown_key(self, path: Place, known: Iterable[str]) -> str:
        """Add that nothing reads the key at `path`; gives which of `known` is meant, or ""."""
        name, names = str(path[-1]), list(known)
        meant = closest(name, names)
        hint = f"; did you mean {meant!r}?" if meant else did_you_mean(name, names)
        self.add(self.key(*path), f"{name!r} means nothing here{hint}", Code.UNKNOWN_KEY)
        return meant

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
        said: dict[Place, tuple[str, Code]] = {}
        meant: set[Place] = set()
        # unknown keys first: what one of them is taken for is not missing besides
        for item in sorted(error.errors(include_url=False), key=_is_missing):
            path = self._reached(within, item["loc"])
            if is_consequence(item):
                continue
            if item["type"] == "extra_forbidden":
                meant.add((*path[:-1], self._add_unknown(path, model, within, also)))
            elif _is_missing(item):
                if (*path, item["loc"][-1]) not in meant:
                    self._add_missing(path, item, model, within)
            elif "[key]" in item["loc"]:
                self.add(self.key(*path), f"key {path[-1]!r} {reason(item, None)}", code_of(item))
            else:  # the branches of a union are findings about one value
                why, code = reason(item, self.written.get(path)), code_of(item)
                said[path] = (f"{said[path][0]} or {why}" if path in said else why, code)
        self._add_said(said)

    def _add_said(self, said: Mapping[Place, tuple[str, Code]]) -> None:
        # what is missing beside a value stands where they both do, and says nothing of it
        others = (each for each in self.problems if each.code is not Code.MISSING_KEY)
        spoken = {problem.location for problem in others}
        for path, (why, code) in said.items():
            if self.at(*path) in spoken:
                continue  # what follows from a known mistake would only hide it
            name = next((str(part) for part in reversed(path) if isinstance(part, str)), None)
            self.add(self.at(*path), f"{name}: {why}" if name else why, code)

    def _reached(self, within: Place, loc: tuple[str | int, ...]) -> Place:
        """The place that pydantic means: its `loc` without the names of types in between."""
        path = within
        for part in loc:
            if (*path, part) in self.values:
                path = (*path, part)
        return path

    def _add_unknown(
        self, path: Place, model: type[BaseModel], within: Place, also: frozenset[str]
    ) -> str:
        """Add an unknown key; gives the key that is meant, as far as it can be told."""
        known = known_keys(model, path[len(within) : -1])
        if len(path) == len(within) + 1:
            known |= also
        return self.add_unknown_key(path, known)

    def _add_missing(
        self, path: Place, item: ErrorDetails, model: type[BaseModel], within: Place
    ) -> None:
        name = str(item["loc"][-1])
        from_file = f"{name}_file"
        known = known_keys(model, path[len(within) :])
        choice = f" (or {from_file!r})" if from_file in known else ""
        self.add(self.at(*path), f"{name!r}{choice} is needed here", Code.MISSING_KEY)

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


def _is_missing(item: ErrorDetails) -> bool:
    return item["type"] == "missing"
