"""Inventory files: CSV with hubs and registrations, as the Smart Metering Inventory exports them.

An estate is tens of millions of rows and most columns repeat, so each distinct text is checked
once, by the very types of `facts`. A row that fails is checked again as a whole, by the model,
for words that an operator can use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from sys import getsizeof
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from router.clock import Clock
from router.domain.acceptance import CheckDigits
from router.domain.eui import eui64
from router.domain.facts import Hub, Registration, check_registration, misfit
from router.domain.findings import field_of
from router.domain.identifiers import Groups, LocalDate, ShortText, UserId
from router.domain.words import HubStatus, Point, SmetsVersion
from router.errors import FilesError
from router.intake.csvcells import NOT_UTF8, is_utf8
from router.intake.csvsheet import Sheet
from router.ledger.database import Database
from router.ledger.imports import Import, ImportRecord, RefusedRows
from router.ledger.inventory import HubRow, RegistrationRow

HUB_COLUMNS = (
    "device_id",
    "status",
    "smets_version",
    "csp_region",
    "model",
    "hardware_version",
    "replaced_by",
    "groups",
)
REGISTRATION_COLUMNS = (
    "device_id",
    "mpxn",
    "point",
    "supplier_id",
    "network_operator_id",
    "effective_from",
    "effective_to",
)
CHUNK = 20_000
"""Rows that go to the ledger together."""
CHUNK_BYTES = 16 * 1024 * 1024
"""What held so many bytes of a file goes there at once; rows of usual length never do."""
REMEMBERED = 16 * 1024 * 1024
"""Bytes of distinct texts of one column that are remembered as checked."""
_ENTRY = 100
"""What a dictionary needs for each, at most."""
T = TypeVar("T")
RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not loaded."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class DoubtfulRow:
    """A row that was loaded although something in it may be wrong."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: warning: {self.message}"


class ImportWatch:
    """Hears how far an import is; this one does nothing with it."""

    def read(self, count: int) -> None:
        """So many bytes of the files have been read since it was last told."""

    def loaded(self, done: int, total: int) -> None:
        """All is read, and of the hubs so many are loaded; told from 0 on."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to, in rows."""

    hubs: int
    registrations: int
    bad: int
    misfits: int = 0
    """Registrations among the loaded whose meter point number does not check."""


def import_inventory(
    database: Database,
    *,
    hubs: Path | None,
    registrations: Path | None,
    operator: str,
    clock: Clock,
    report: Callable[[BadRow | DoubtfulRow], None],
    check_digits: CheckDigits = CheckDigits.WARN,
    watch: ImportWatch | None = None,
) -> Imported:
    """Check the files, then load them; `report` hears of each bad row, the rest is loaded.

    Nobody waits for the checks. What is fit is loaded in portions, each hub with its registrations
    and those that share meter points with it: what is broken off leaves whole homes, and the same
    import again loads all of it.
    `check_digits` says whether a meter point number that does not check makes a row bad; where it
    does not, `report` hears of the row as a doubtful one.
    FilesError, and nothing is loaded, when a file can't be read or has the wrong columns.
    """
    watch = watch or ImportWatch()
    hub_sheet = Sheet(hubs, HUB_COLUMNS, required=3) if hubs else None
    registration_sheet = (
        Sheet(registrations, REGISTRATION_COLUMNS, required=7) if registrations else None
    )
    sheets = [sheet for sheet in (hub_sheet, registration_sheet) if sheet]
    if problems := [problem for sheet in sheets for problem in sheet.problems()]:
        raise FilesError(problems)
    told = _Told(report)
    with Import(database) as loading:
        if hub_sheet:
            _check(hub_sheet, _hub_reader(), loading.add_hubs, told, watch)
        if registration_sheet:
            reader = _registration_reader(check_digits)
            _check(registration_sheet, reader, loading.add_registrations, told, watch)
        files = [str(sheet.file) for sheet in sheets]
        loading.load(ImportRecord(operator, files, told.bad, told.doubtful), clock, watch.loaded)
    return Imported(loading.hubs, loading.registrations, told.bad, told.doubtful)


@dataclass(slots=True)
class _Told:
    """Who hears of rows, and of how many that was."""

    report: Callable[[BadRow | DoubtfulRow], None]
    bad: int = 0
    doubtful: int = 0

    def tell(self, file: Path, refused: RefusedRows, doubts: Mapping[int, str]) -> None:
        for line in sorted({*refused, *doubts}):
            if line in refused:
                self.bad += 1
                self.report(BadRow(file, line, refused[line]))
            else:
                self.doubtful += 1
                self.report(DoubtfulRow(file, line, doubts[line]))


def _check(
    sheet: Sheet,
    reader: _RowReader[RowT],
    add: Callable[[Mapping[int, RowT]], RefusedRows],
    told: _Told,
    watch: ImportWatch,
) -> None:
    """Check one file and set its rows aside, a chunk at a time."""
    chunk = _Chunk(sheet.file, add, told, watch)
    for line, cells in sheet.rows(chunk.refuse, chunk.passed):
        try:
            row = reader.read(cells)
        except ValueError:
            chunk.refuse(line, reader.complaint(sheet.columns, cells))
        else:
            chunk.put(line, row, reader.doubt(row))
    chunk.flush()


class _Chunk(Generic[RowT]):
    """Rows of one file on their way aside: bounded in rows, good and bad, and in bytes."""

    def __init__(
        self,
        file: Path,
        add: Callable[[Mapping[int, RowT]], RefusedRows],
        told: _Told,
        watch: ImportWatch,
    ) -> None:
        self._file = file
        self._add = add
        self._told = told
        self._watch = watch
        self._rows: dict[int, RowT] = {}
        self._refused: RefusedRows = {}
        self._doubts: dict[int, str] = {}
        self._bytes = 0

    def put(self, line: int, row: RowT, doubt: str | None) -> None:
        """A row that may be loaded."""
        self._rows[line] = row
        if doubt:
            self._doubts[line] = doubt
        self._flush_full()

    def refuse(self, line: int, why: str) -> None:
        """A row that is not."""
        self._refused[line] = why
        self._flush_full()

    def passed(self, count: int) -> None:
        """So many bytes were read."""
        self._bytes += count
        self._watch.read(count)

    def _flush_full(self) -> None:
        if len(self._rows) + len(self._refused) >= CHUNK or self._bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Set aside what there is, and tell what is to be told."""
        if self._rows:
            self._refused.update(self._add(self._rows))
            self._rows.clear()
        self._told.tell(self._file, self._refused, self._doubts)
        self._refused.clear()
        self._doubts.clear()
        self._bytes = 0


# --- one row --------------------------------------------------------------------------------


class _CheckedTexts(dict[str, T], Generic[T]):
    """The values of a column by their text; each text is checked once."""

    def __init__(self, check: Callable[[str], T]) -> None:
        super().__init__()
        self.check = check
        self._room = REMEMBERED

    def __missing__(self, text: str) -> T:
        value = self.check(text)
        size = getsizeof(text) + getsizeof(value) + _ENTRY
        if size <= self._room:
            self._room -= size
            self[text] = value
        return value


def _optional(kind: TypeAdapter[str]) -> _CheckedTexts[str | None]:
    return _CheckedTexts(lambda text: kind.validate_python(text) if text else None)


def _hub_reader() -> _RowReader[HubRow]:
    status = _CheckedTexts(lambda text: str(HubStatus(text)))
    smets = _CheckedTexts(lambda text: str(SmetsVersion(text)))
    short = _optional(TypeAdapter(ShortText))
    words: TypeAdapter[tuple[str, ...]] = TypeAdapter(Groups)
    groups = _CheckedTexts(lambda text: json.dumps(words.validate_python(_groups(text))))

    def read(cells: Sequence[str]) -> HubRow:
        device, status_, smets_, region, model, hardware, replaced_by, groups_ = cells
        return (
            eui64(device),
            status[status_],
            smets[smets_],
            short[region],
            short[model],
            short[hardware],
            eui64(replaced_by) if replaced_by else None,
            groups[groups_],
        )

    def check(cells: Mapping[str, str | None]) -> None:
        Hub.model_validate({**cells, "groups": _groups(cells["groups"] or "")})

    return _RowReader(read, check, lambda _: None)


def _groups(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(";") if word.strip())


def _registration_reader(check_digits: CheckDigits) -> _RowReader[RegistrationRow]:
    company = _optional(TypeAdapter(UserId))
    local_date: TypeAdapter[date] = TypeAdapter(LocalDate)
    day = _CheckedTexts(local_date.validate_python)
    point = _CheckedTexts(Point)
    refusing = check_digits is CheckDigits.REFUSE

    def read(cells: Sequence[str]) -> RegistrationRow:
        device, mpxn, point_, supplier, operator, from_, to_ = cells
        begins, ends, kind = day[from_], day[to_] if to_ else None, point[point_]
        kept = check_registration(kind, mpxn, begins, ends)
        if refusing and misfit(kind, kept):
            raise ValueError
        return (
            eui64(device),
            kept,
            begins.isoformat(),
            kind.value,
            company[supplier],
            company[operator],
            ends.isoformat() if ends else None,
        )

    def check(cells: Mapping[str, str | None]) -> str | None:
        found = Registration.model_validate(cells)
        return misfit(found.point, found.mpxn) if refusing else None

    def doubt(row: RegistrationRow) -> str | None:
        return None if refusing else misfit(Point(row[3]), row[1])

    return _RowReader(read, check, doubt)


@dataclass(frozen=True, slots=True)
class _RowReader(Generic[RowT]):
    """How one kind of row is read: quickly, and again with words when that fails."""

    read: Callable[[Sequence[str]], RowT]
    """ValueError when the row is not right."""
    check: Callable[[Mapping[str, str | None]], str | None]
    """ValidationError that says everything that is wrong; or what the model does not mind."""
    doubt: Callable[[RowT], str | None]
    """What may be wrong with a row that was read."""

    def complaint(self, columns: Sequence[str], cells: Sequence[str]) -> str:
        """What is wrong with a row that `read` refused: each value with its column."""
        named = {name: cell or None for name, cell in zip(columns, cells, strict=True)}
        found = {name: said for name, cell in named.items() if (said := _unseen(cell or ""))}
        try:
            if said := self.check(named):
                found["mpxn"] = said
        except ValidationError as error:
            for item in error.errors(include_url=False):
                said = item["msg"].removeprefix("Value error, ")
                said = said.replace("Input should be", "must be")
                found.setdefault(field_of(item).partition(".")[0], said)
        if not found:
            raise AssertionError("a row is wrong for `read` and right for the model")
        return "; ".join(_words(name, named.get(name), said) for name, said in found.items())


def _words(name: str, value: str | None, said: str) -> str:
    if value is None:
        return f"{name} is empty"
    number = " (a spreadsheet made a number of it: format the column as text)"
    return f"{name} {value[:60]!r}{number if _AS_NUMBER.fullmatch(value) else ''}: {said}"


_AS_NUMBER = re.compile(r"[0-9]([.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)


def _unseen(cell: str) -> str | None:
    """What can't be seen in a cell, in words; None: nothing."""
    if cell.isprintable():
        return None
    if not is_utf8(cell):
        return NOT_UTF8
    if "\n" in cell or "\r" in cell:
        return "holds a line break"
    return "holds control or invisible characters"
