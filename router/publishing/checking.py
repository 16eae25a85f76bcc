"""A look at every line before the first one is sent: a broker has no way to give one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from router.domain.acceptance import CheckDigits
from router.domain.facts import Defect, parse_all
from router.domain.wrapping import GZIP
from router.errors import UsageError
from router.files.plainfile import ENDLESS
from router.ports import MAX_BODY
from router.publishing.lines import Mark, read_lines

_NO_END = (
    f"the line does not end within {ENDLESS:,} bytes; nothing behind it was read, and nothing was"
    " published; is this a file of facts, one a line, and was it copied whole?"
)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a fact that Hubherald could use."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class DoubtfulLine:
    """A line that Hubherald would use although something in it may be wrong."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: warning: {self.message}"


def check_lines(
    path: Path,
    file: BinaryIO,
    start: Mark,
    end: int,
    *,
    check_digits: CheckDigits,
    report: Callable[[BadLine | DoubtfulLine], None],
    progress: Callable[[int], None],
) -> int:
    """How many lines from `start` to byte `end` are bad; `report` hears of each, and of doubtful.

    `check_digits` says which of the two a meter point number is that does not check.
    `progress` is told how many bytes have been read since it was last told.
    UsageError where a line has no end: more of the file is not read; and of a compressed file.
    """
    file.seek(0)
    if file.read(len(GZIP)) == GZIP:
        raise UsageError(f"{path} is compressed by gzip; unpack it first")
    bad = 0
    for line in read_lines(file, start, end, longest=MAX_BODY + 3):  # its end is no part of a body
        if line.endless:
            raise UsageError(f"{path}:{line.number}: {_NO_END}")
        for read in () if line.blank else parse_all(line.body, check_digits):
            if isinstance(read, Defect):
                bad += 1
                report(BadLine(path, line.number, read.detail))
            elif read.misfit:
                report(DoubtfulLine(path, line.number, read.misfit))
        progress(line.size)
    return bad


def holds_facts(file: BinaryIO, start: Mark, end: int) -> bool:
    """Whether any line from `start` to byte `end` is more than blank."""
    return any(line.endless or not line.blank for line in read_lines(file, start, end))
