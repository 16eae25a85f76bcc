"""What is wrong with a file, and where it stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from router.files.codes import Code
from router.files.redaction import covered, escaped

LONGEST = 600
"""Characters of a message, which may quote what stands in a file."""
MOST = 100
"""Problems that are told of one file; who mends these sees the others next."""


@dataclass(frozen=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    file: Path
    line: int = 1
    column: int = 1
    text: str = field(default="", compare=False)
    """The source line, for the caret under it; secrets and control characters are covered."""

    def __str__(self) -> str:
        return f"{escaped(str(self.file))}:{self.line}:{self.column}"

    @property
    def excerpt(self) -> str:
        """The source line with a caret below the place, indented; empty where there is no line."""
        if not self.text.strip():
            return ""
        start = max(0, self.column - 80)
        line = covered(self.text[start : start + 120].replace("\t", " "))
        return f"    {line}\n    {' ' * (self.column - 1 - start)}^"


@dataclass(frozen=True)
class Problem:
    """One mistake in one place."""

    location: Location
    message: str
    """One line: what of a file it quotes is escaped here, whoever finds the mistake."""
    code: Code

    def __post_init__(self) -> None:
        message = escaped(self.message)
        if len(message) > LONGEST:
            message = f"{message[:LONGEST]}..."
        object.__setattr__(self, "message", message)

    @property
    def head(self) -> str:
        """`file:line:col: code message`: all of it in one line."""
        return f"{self.location}: {self.code} {self.message}"

    def render(self) -> str:
        """`file:line:col: code message`, then the source line with a caret, if there is one."""
        return "\n".join(filter(None, (self.head, self.location.excerpt)))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By file, line and column."""

    def place(problem: Problem) -> tuple[str, int, int]:
        where = problem.location
        return str(where.file), where.line, where.column

    return sorted(problems, key=place)


@dataclass
class Papers:
    """Keys and certificates that files name, where they stand."""

    unfit: list[Problem] = field(default_factory=list)
    """Of no use as they are now: each stops what it is for, and nothing else."""
    warnings: list[Problem] = field(default_factory=list)
    """Of use now, but they ask for somebody's hand: a certificate that is about to expire."""

    _known: set[Problem] = field(default_factory=set)

    def add(self, problem: Problem, *, warning: bool) -> None:
        """Once, whoever finds it."""
        if problem not in self._known:
            self._known.add(problem)
            (self.warnings if warning else self.unfit).append(problem)
