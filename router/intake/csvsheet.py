"""A CSV file with a header, read row by row, whatever it holds.

One bad row must not take others with it: a quote that is never closed swallows, to the csv
module, everything behind it. No cell of ours spans lines, so such a row is reported and
reading goes on in its second line. Quotes that stand where none can are an error, not a guess.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from router.files.codes import Code
from router.files.problems import Location, Problem
from router.files.redaction import presentable
from router.files.suggestions import did_you_mean

LONGEST_HEADER = 65_536
TELL = 1_000
"""Rows after which progress is told."""


class Sheet:
    """One file of rows with named columns; the header may have them in any order."""

    def __init__(self, file: Path, columns: Sequence[str], *, required: int) -> None:
        self.file = file
        self.columns = tuple(columns)
        self.required = self.columns[:required]
        """The rest may be missing, and then is empty in every row."""
        self._header: list[str] = []

    def problems(self) -> list[Problem]:
        """Reads the header; gives what is wrong with it."""
        try:
            with self.file.open("rb") as raw:
                line = raw.readline(LONGEST_HEADER).decode("utf-8-sig", "replace").rstrip("\r\n")
        except OSError as error:
            return [Problem(Location(self.file), f"cannot be read: {error.strerror}", Code.FILE)]
        seen = presentable(line)
        try:
            self._header = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            return [Problem(Location(self.file, 1, 1, seen), _in_words(error), Code.VALUE)]
        found = []
        for name in dict.fromkeys(self._header):
            where = Location(self.file, 1, max(line.find(name), 0) + 1, seen)
            if name not in self.columns:
                message = (
                    f"column {name[:60]!r} means nothing here{did_you_mean(name, self.columns)}"
                )
                found.append(Problem(where, message, Code.UNKNOWN_KEY))
            elif self._header.count(name) > 1:
                message = f"column {name!r} stands there twice"
                found.append(Problem(where, message, Code.DUPLICATE_KEY))
        missing = [name for name in self.required if name not in self._header]
        if missing:
            message = f"{', '.join(missing)}: needed in the first line, which names the columns"
            found.append(Problem(Location(self.file, 1, 1, seen), message, Code.MISSING_KEY))
        return found

    def rows(
        self, refuse: Callable[[int, str], None], progress: Callable[[int], None]
    ) -> Iterator[tuple[int, Sequence[str]]]:
        """Each row by its line, cells in the order of `columns`.

        Lines that are no rows go to `refuse`. `progress` is told the bytes read since last time.
        """
        width = len(self._header)
        places = [
            self._header.index(name) if name in self._header else width for name in self.columns
        ]
        pick = itemgetter(*places)
        with self.file.open("rb") as raw:
            told = 0
            lines = _Lines(TextIOWrapper(raw, "utf-8-sig", "surrogateescape", newline=""))
            for line, cells in _parsed(lines, refuse):
                if line == 1 or not cells:
                    continue
                if len(cells) != width:
                    refuse(line, f"has {len(cells)} columns, the header has {width}")
                    continue
                cells.append("")
                yield line, pick(cells)
                if line % TELL == 0:
                    progress(raw.tell() - told)
                    told = raw.tell()
            progress(raw.tell() - told)


def _parsed(lines: _Lines, refuse: Callable[[int, str], None]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, strict=True)
    while True:
        first = lines.start_row()
        complaint = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            complaint = _in_words(error)
        if lines.put_back_rest():
            complaint = _OPEN
        if complaint:
            refuse(first, complaint)
        else:
            yield first, cells


_OPEN = "a quote is not closed"
_WORDS = {
    "unexpected end of data": _OPEN,
    "expected after": "a quote ends before its value does; a quote within a value is written twice",
}


def _in_words(error: csv.Error) -> str:
    """What the csv module found, for people."""
    said = str(error)
    return next((words for part, words in _WORDS.items() if part in said), f"not CSV: {said}")


class _Lines:
    """Gives lines to the csv module, and gives them again when it took too many for one row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._row: list[str] = []
        self._number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self._row.append(line)
        return line

    def start_row(self) -> int:
        """The number of the line in which the next row begins."""
        self._number += 1
        self._row.clear()
        return self._number

    def put_back_rest(self) -> bool:
        """True when the row took more than a line: all but its first will be given again."""
        if len(self._row) < 2:
            return False
        self._again.extendleft(reversed(self._row[1:]))
        return True
