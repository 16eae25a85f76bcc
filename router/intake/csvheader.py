"""The line of a CSV file that names its columns: the first in which anything stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.files.codes import Code
from router.files.problems import Location, Problem
from router.files.redaction import presentable
from router.files.suggestions import did_you_mean
from router.intake.csvcells import NOT_UTF8, OPEN, CellParser, is_utf8
from router.intake.csvlines import LONGEST, CsvLines

_BLANK_LINES = 1_000
"""The most blank lines before it."""
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def take_header(lines: CsvLines) -> str:
    """The first line that is more than commas, or the last that was looked at."""
    line = ""
    while lines.number < _BLANK_LINES and (taken := lines.take()) is not None:
        line = taken
        if line.strip(", \t\xa0"):
            break
    return line


def separated_by(line: str, most: int = 1) -> str | None:
    """What separates the values of a line without commas, where that is at least so often there."""
    found = [name for separator, name in _SEPARATORS.items() if line.count(separator) >= most]
    return found[0] if found and "," not in line else None


@dataclass(frozen=True, slots=True)
class Header:
    """One line that should name columns."""

    file: Path
    number: int
    line: str
    columns: Sequence[str]
    """All that mean something."""
    required: Sequence[str]

    def read(self) -> tuple[list[str], list[Problem]]:
        """The names in their order, in lower case; and what is wrong with them."""
        names: list[str] = []
        if len(self.line) >= LONGEST:
            message = f"the first line is longer than {LONGEST:,} characters"
            return names, [self._problem(message, Code.TOO_LARGE, shown=False)]
        wrong = self._other_separator() or ("" if is_utf8(self.line) else NOT_UTF8)
        if not wrong:
            try:
                names = CellParser().cells(self.line) or []
                wrong = "" if names else OPEN
            except ValueError as error:
                wrong = str(error)
        if wrong:
            return names, [self._problem(wrong, Code.VALUE)]
        found = [name.lower() for name in names]
        return found, list(self._wrong_columns(names, found))

    def _problem(self, message: str, code: Code, column: int = 1, *, shown: bool = True) -> Problem:
        line = presentable(self.line) if shown else ""
        return Problem(Location(self.file, self.number, column, line), message, code)

    def _wrong_columns(self, names: Sequence[str], found: Sequence[str]) -> Iterator[Problem]:
        for name in dict.fromkeys(filter(None, found)):
            written = names[found.index(name)]
            column = max(self.line.find(written), 0) + 1
            if name not in self.columns:
                message = (
                    f"column {written[:60]!r} means nothing here{did_you_mean(name, self.columns)}"
                )
                yield self._problem(message, Code.UNKNOWN_KEY, column)
            elif found.count(name) > 1:
                message = f"column {written!r} stands there twice"
                yield self._problem(message, Code.DUPLICATE_KEY, column)
        missing = [name for name in self.required if name not in found]
        if missing:
            message = f"{', '.join(missing)}: needed in the first line, which names the columns"
            yield self._problem(message, Code.MISSING_KEY)

    def _other_separator(self) -> str | None:
        """What separates the columns when it is no comma, and what to do; or None."""
        if found := re.fullmatch(r'"?sep=(.)"?[ ,]*', self.line.strip(), re.IGNORECASE):
            return (
                f"the first line is `sep={found[1]}`, which Excel alone reads; remove it: the first"
                " line names the columns"
            )
        if self._knows(","):
            return None
        name = next((name for each, name in _SEPARATORS.items() if self._knows(each)), None)
        return name and (
            f"the columns are separated by {name}, not by commas; save it as `CSV UTF-8"
            " (Comma delimited)`, under a region whose list separator is the comma"
        )

    def _knows(self, separator: str) -> bool:
        cells = [cell.strip(' "\t\xa0').lower() for cell in self.line.split(separator)]
        return len(cells) > 1 and any(cell in self.columns for cell in cells)
