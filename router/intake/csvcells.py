"""The cells of one row of a CSV file, without the white space around them.

Whoever writes or edits such files puts spaces behind commas or between a quote and the comma; no
value that we know begins or ends with one. What can be read in more than one way is an error.
"""

from __future__ import annotations

import csv
import re

_AROUND = " \t\xa0"
"""What is no part of a value at its ends: Unicode's other spaces are no typing errors."""
_CELL = re.compile(rf'[{_AROUND}]*+(?:"((?:[^"]|"")*+)"[{_AROUND}]*+|([^",\r\n]*+))(,|\Z)')
"""A cell with its end, as it should be; possessive, as a row may be long and hostile."""
OPEN = "a quote is not closed"
NOT_UTF8 = "is not UTF-8; save the file as `CSV UTF-8`"
_WORDS = {
    "unexpected end of data": OPEN,
    "expected after": "a quote ends before its value does; a quote within a value is written twice",
    "new-line character": "a carriage return stands in it",
}


def is_utf8(text: str) -> bool:
    """Whether no byte of it is one that had to be escaped when it was read."""
    return not any("\udc80" <= character <= "\udcff" for character in text)


class CellParser:
    """Takes a row apart; what is not as it should be, the csv module, given one text at a time."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._reader = csv.reader(self, strict=True, skipinitialspace=True)

    def __iter__(self) -> CellParser:
        return self

    def __next__(self) -> str:
        text, self._text = self._text, None
        if text is None:
            raise StopIteration
        return text

    def cells(self, text: str) -> list[str] | None:
        """Those of one row; None when a quote is open at its end. ValueError, in words."""
        if '"' not in text:
            cells = text.split(",")
            spaced = " " in text or "\t" in text or "\xa0" in text  # few of millions are
            return _bare(cells) if spaced else cells
        if quoted := _quoted(text):
            return quoted
        self._text = text
        try:
            return _bare(next(self._reader, []))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return None
            raise ValueError(_in_words(error)) from None

    def is_row(self, line: str, width: int) -> bool:
        """Whether it could be a row by itself."""
        if '"' not in line:
            return line.count(",") == width - 1
        try:
            cells = self.cells(line)
        except ValueError:
            return False
        return cells is not None and len(cells) == width


def _bare(cells: list[str]) -> list[str]:
    return [cell.strip(_AROUND) for cell in cells]


def _quoted(text: str) -> list[str] | None:
    """The cells where quotes are around whole values; None where they are elsewhere."""
    cells: list[str] = []
    place = 0
    while found := _CELL.match(text, place):
        quoted, plain, end = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if not end:
            return _bare(cells)
    return None


def _in_words(error: csv.Error) -> str:
    """What the csv module found, for people."""
    said = str(error)
    return next((words for part, words in _WORDS.items() if part in said), f"not CSV: {said}")
