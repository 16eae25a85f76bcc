"""A file that operators edit, as it was read: plain values, their places, and what is wrong.

Every mistake is shown with its line and a caret, so what is shown must never be a secret. In a file
that may hold some (`guarded`) that is what a model knows and calls none; all else is covered, for
every problem of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.files.codes import Code, code_of
from router.files.cover import Cover, Token
from router.files.messages import is_consequence, reason
from router.files.problems import MOST, Location, Papers, Problem
from router.files.secrecy import HIDDEN, doubtful, plain_key
from router.files.suggestions import closest, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""Where a value stands in the document: keys and list indexes from the top."""


@dataclass
class Document:
    """One YAML file: plain values, and where each of them stands."""

    file: Path
    value: Any = None
    """None when the file is empty, or so broken that nothing in it can be relied on."""
    lines: list[str] = field(default_factory=list)
    """The file as it may be shown, where it holds no secrets."""
    cover: Cover | None = None
    """Its lines otherwise; None where it holds none."""
    papers: Papers = field(default_factory=Papers)
    """What there is to say of the keys and certificates that it names."""
    values: dict[Place, Location] = field(default_factory=dict)
    keys: dict[Place, Location] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    """The source text of each plain value that may be shown."""
    covered: dict[Place, Token] = field(default_factory=dict)
    """Values under a cover."""
    covered_keys: dict[Place, Token] = field(default_factory=dict)
    filled: set[Place] = field(default_factory=set)
    """Where the environment gave a part of the text."""
    secrets: list[Place] = field(default_factory=list)
    """Those that stand in the file itself."""
    problems: list[Problem] = field(default_factory=list)

    def at(self, *path: str | int) -> Location:
        """Where the value at `path` stands, or the nearest value around it."""
        return self._nearest(self.values, path)

    def key(self, *path: str | int) -> Location:
        """Where the key of the value at `path` stands (the value itself for list items)."""
        found = self.keys.get(path)
        return self._fresh(found) if found is not None else self.at(*path)

    def _nearest(self, places: Mapping[Place, Location], path: Place) -> Location:
        while path and path not in places:
            path = path[:-1]
        found = places.get(path)
        return self._fresh(found) if found is not None else self.location(0, 0)

    def _fresh(self, where: Location) -> Location:
        """The same place with what may be shown by now."""
        return where if self.cover is None else self.location(where.line - 1, where.column - 1)

    def location(self, line: int, column: int) -> Location:
        """A Location from a line and column that count from 0."""
        if self.cover is not None:
            text = self.cover.line(line)
        else:
            text = self.lines[line] if line < len(self.lines) else ""
        return Location(self.file, line + 1, column + 1, text)

    def lay_cover(self) -> None:
        """The file is YAML: show all of it but keys, values and comments."""
        if self.cover is not None:
            self.cover.lay(chain(self.covered_keys.values(), self.covered.values()))

    def reveal_key(self, *path: str | int) -> None:
        """The key at `path` is one that a model knows."""
        if self.cover is not None and path in self.covered_keys:
            self.cover.reveal(self.covered_keys[path])

    def reveal(self, *path: str | int) -> None:
        """The value at `path` is no secret, as far as its model knows."""
        key = next((str(part) for part in reversed(path) if isinstance(part, str)), "?")
        token = self.covered.get(path)
        if self.cover is not None and token is not None and self.cover.reveal(token, key):
            self.written[path] = token.text

    def named(self, key: str, otherwise: str = "this key") -> str:
        """A key in quotes; in a guarded file only one that is surely no secret."""
        return repr(key) if self.cover is None or plain_key(key) else otherwise

    @property
    def is_full(self) -> bool:
        """Whether more problems are known than are told: to look for others is of no use."""
        return len(self.problems) > MOST

    def add(self, location: Location, message: str, code: Code) -> None:
        """Remember a mistake found in this file; of very many the first and that there are more."""
        if len(self.problems) < MOST:
            self.problems.append(Problem(location, message, code))
        elif not self.is_full:
            more = f"more than {MOST} problems in this file; the others are not told"
            self.problems.append(Problem(location, more, Code.TOO_LARGE))

    def add_unknown_key(self, path: Place, known: Iterable[str]) -> str:
        """Add that nothing reads the key at `path`; gives which of `known` is meant, or ""."""
        if self.is_full:
            return ""
        name, names = str(path[-1]), list(known)
        meant = closest(name, names)
        hint = f"; did you mean {meant!r}?" if meant else did_you_mean(name, names)
        where = self.key(*path)
        if self.cover is not None:  # what stands beside such a key may belong to it
            where = replace(where, text="")
        self.add(where, f"{self.named(name)} means nothing here{hint}", Code.UNKNOWN_KEY)
        return meant

    def add_invalid(
        self,
        error: ValidationError,
        model: type[BaseModel],
        *within: str | int,
        also: frozenset[str] = frozenset(),
        told: Collection[Place] = (),
    ) -> None:
        """Turn what pydantic found below `within` into problems with positions.

        `model` is what stands at `within`, `also` are keys that are right there besides its own.
        Of the values at `told` all is said already, also of what does not go together with them.
        """
        found: dict[Place, tuple[str, Code]] = {}
        meant: set[Place] = set()
        # unknown keys first: what one of them is taken for is not missing besides
        for item in sorted(error.errors(include_url=False), key=_is_missing):
            if self.is_full:
                return
            path = self._reached(within, item["loc"])
            if is_consequence(item) or _is_told((*within, *item["loc"]), told):
                continue
            if item["type"] == "extra_forbidden":
                meant.add((*path[:-1], self._add_unknown(path, model, within, also)))
            elif _is_missing(item):
                if (*path, item["loc"][-1]) not in meant:
                    self._add_missing(path, item, model, within)
            elif "[key]" in item["loc"]:
                key = self.named(str(path[-1]), "")
                said = f"key {key} {reason(item, None)}".replace("  ", " ")
                self.add(self.key(*path), said, code_of(item))
            else:  # the branches of a union are findings about one value
                why, code = self._discreet(path, item), code_of(item)
                found[path] = (f"{found[path][0]} or {why}" if path in found else why, code)
        self._add_told(found)

    def _discreet(self, path: Place, item: ErrorDetails) -> str:
        """What is wrong, without a value that may not be shown."""
        why, value = reason(item, self.written.get(path)), item["input"]
        if self.cover is None or path in self.written or not isinstance(value, str) or not value:
            return why
        if "url" in str(path[-1:]) and not doubtful(value):
            return why  # nothing but its place speaks against it
        return why.replace(repr(value), HIDDEN).replace(value, HIDDEN)

    def _add_told(self, told: Mapping[Place, tuple[str, Code]]) -> None:
        # what is missing beside a value stands where they both do, and says nothing of it
        others = (each for each in self.problems if each.code is not Code.MISSING_KEY)
        spoken = {problem.location for problem in others}
        for path, (why, code) in told.items():
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
        known = _known_keys(model, path[len(within) : -1])
        if len(path) == len(within) + 1:
            known |= also
        return self.add_unknown_key(path, known)

    def _add_missing(
        self, path: Place, item: ErrorDetails, model: type[BaseModel], within: Place
    ) -> None:
        name = str(item["loc"][-1])
        from_file = f"{name}_file"
        known = _known_keys(model, path[len(within) :])
        choice = f" (or {from_file!r})" if from_file in known else ""
        self.add(self.at(*path), f"{name!r}{choice} is needed here", Code.MISSING_KEY)


def _is_told(path: Place, told: Collection[Place]) -> bool:
    """Whether a finding is of one of these values, or of what stands around one."""
    return any(path == place[: len(path)] for place in told)


def _is_missing(item: ErrorDetails) -> bool:
    return item["type"] == "missing"


def _known_keys(model: type[BaseModel], path: Place) -> set[str]:
    from router.files.model_keys import known_keys  # noqa: PLC0415 - rules are read without models

    return known_keys(model, path)
