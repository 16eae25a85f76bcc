"""A CSV file with a header, read line by line, whatever it holds.

One bad row must not take others with it, nor cost more than its length: a quote that is never
closed swallows, to the csv module, everything behind it. So a line is a row, unless the few lines
behind it close its quote and make a row of the right width together. Quotes that stand where none
can are an error, not a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from router.errors import FilesError
from router.files.codes import Code
from router.files.counts import plural
from router.files.plainfile import ENDLESS
from router.files.problems import Location, Problem
from router.intake.csvcells import OPEN, CellParser
from router.intake.csvheader import Header, separated_by, take_header
from router.intake.csvlines import LONGEST, CsvLines, is_plain

TELL = 1_000
"""Lines after which progress is told."""
BROKEN_ROW = 8
"""The most lines of a row whose values have line breaks in them."""
_NO_END = (
    f"the line does not end within {ENDLESS:,} bytes; nothing behind it was read, and nothing is"
    " loaded; is it the right file, and was it copied whole?"
)
_TOO_LONG = f"is longer than {LONGEST:,} characters"


class Sheet:
    """One file of rows with named columns; the header may have them in any order."""

    def __init__(self, file: Path, columns: Sequence[str], *, required: int) -> None:
        self.file = file
        self.columns = tuple(columns)
        self.required = self.columns[:required]
        """The rest may be missing, and then is empty in every row."""
        self._header: list[str] = []

    def problems(self) -> list[Problem]:
        """Reads the header; gives what is wrong with it, or with the file as a whole."""
        try:
            if not is_plain(self.file):
                return [self._problem("is not a plain file", Code.FILE)]
            with CsvLines(self.file) as lines:
                if lines.misfit:
                    return [self._problem(lines.misfit, Code.FILE)]
                line = take_header(lines)
                header = Header(self.file, lines.number or 1, line, self.columns, self.required)
                self._header, problems = header.read()
                return problems
        except OSError as error:
            return [self._problem(f"cannot be read: {error.strerror}", Code.FILE)]

    def _problem(self, message: str, code: Code, number: int = 1) -> Problem:
        return Problem(Location(self.file, number), message, code)

    def rows(
        self, refuse: Callable[[int, str], None], progress: Callable[[int], None]
    ) -> Iterator[tuple[int, Sequence[str]]]:
        """Each row by its line, cells in the order of `columns`; rows without any value are none.

        Lines that are no rows go to `refuse`. `progress` is told the bytes read since last time.
        FilesError where a line has no end: it is not known what else there is.
        """
        width = len(self._header)
        named = [place for place, name in enumerate(self._header) if name]
        nameless = sorted(set(range(width)) - set(named))
        places = [self._header.index(name) if name in self._header else -1 for name in self.columns]
        pick = itemgetter(*places)
        with CsvLines(self.file) as lines:
            told = 0
            take_header(lines)
            for line, cells in _parsed(lines, width, refuse):
                if len(cells) <= named[-1] or any(cells[width:]):
                    if not self._is_header(cells):
                        refuse(line, _other_width(cells, width))
                    continue
                cells.append("")  # what stands in a column that is not there
                if said := _without_name(cells, nameless):
                    refuse(line, said)
                    continue
                row = pick(cells)
                if row[0].lower() == self.columns[0] and self._is_header(cells[:-1]):
                    continue
                yield line, row
                if line % TELL == 0:
                    progress(lines.passed - told)
                    told = lines.passed
            progress(lines.passed - told)
            if lines.endless:
                raise FilesError([self._problem(_NO_END, Code.TOO_LARGE, lines.endless)])

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Whether it is the first line once more, as where files were joined."""
        return [cell.lower() for cell in cells if cell] == [name for name in self._header if name]


def _other_width(cells: Sequence[str], width: int) -> str:
    """What is wrong with a row that has more or fewer columns than the header."""
    said = f"has {plural(len(cells), 'column')}, the header has {width}"
    if len(cells) > 1:
        return said
    (text,) = cells
    others = max(1, width - 2)  # those at the end may be gone with the space around them
    if name := separated_by(text, others):
        return f"{said}; its values are separated by {name}, not by commas"
    if text.count(",") >= others:
        return f"{said}; the whole row stands in quotes"
    return f"{said}; {text[:60]!r} stands in it"


def _without_name(cells: Sequence[str], nameless: Sequence[int]) -> str | None:
    """What is wrong with a row that has a value in a column of which nobody knows what it is."""
    for place in nameless:
        if cells[place : place + 1] not in ([], [""]):
            value = cells[place][:60]
            return f"column {place + 1} has no name in the header, and {value!r} stands in it"
    return None


# --- rows -----------------------------------------------------------------------------------


def _parsed(
    lines: CsvLines, width: int, refuse: Callable[[int, str], None]
) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row by its first line, of any number."""
    parser = CellParser()
    while (line := lines.take()) is not None:
        number = lines.number
        if len(line) >= LONGEST:
            refuse(number, _TOO_LONG)
            continue
        try:
            cells = parser.cells(line)
        except ValueError as error:
            refuse(number, str(error))
            continue
        if cells is None:
            cells = _continued(line, lines, width, parser)
        if cells is None:
            refuse(number, OPEN)
        elif any(cell and not cell.isspace() for cell in cells):
            yield number, cells


def _continued(first: str, lines: CsvLines, width: int, parser: CellParser) -> list[str] | None:
    """The cells of a row with line breaks in quotes; None when its quote is simply not closed.

    A line that is a row by itself is no part of another one.
    """
    text = first
    for count in range(BROKEN_ROW - 1):
        line = lines.ahead(count)
        if line is None or len(text) + len(line) > LONGEST or parser.is_row(line, width):
            return None
        text = f"{text}\n{line}"
        if '"' not in line:
            continue
        try:
            cells = parser.cells(text)
        except ValueError:
            return None
        if cells is None:
            continue
        if len(cells) < width:
            return None
        for _ in range(count + 1):
            lines.take()
        return cells
    return None
