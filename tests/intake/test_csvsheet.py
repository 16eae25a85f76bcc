"""Inventory files as spreadsheets and Windows write them, and what a damaged one costs."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.estate import HUB, IMPORT, S1
from support.loader import (
    GOOD_HUB,
    GOOD_REGISTRATION,
    HUBS,
    NOW,
    REGISTRATIONS,
    Loader,
    device,
    lines,
)
from support.steps import counted

from router.errors import FilesError
from router.intake import csvlines
from router.intake.csvsheet import Sheet
from router.intake.inventory_import import HUB_COLUMNS, Imported, import_inventory
from router.ledger.database import Use, open_database
from router.ledger.queries.homes import find_home

pytestmark = pytest.mark.sqlite

BROKEN = f"{device(1)},Commissionned,SMETS2,,,,,"


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loader]:
    url = f"sqlite:///{tmp_path}/hubherald.db"
    with closing(open_database(url, Use.CHANGE)) as database:
        yield Loader(database, tmp_path)


def refusal(load: Loader, content: bytes) -> str:
    """What is said of a file that is not read at all."""
    with pytest.raises(FilesError) as caught:
        load(content)
    (problem,) = caught.value.problems
    assert problem.location.line == 1
    return problem.message


# --- line ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["bare", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"], ids=["LF", "CRLF", "CRCRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
def test_lines_end_by_any_system_s_line_end(
    load: Loader, mark: str, end: str, *, last: bool
) -> None:
    rows = [HUBS, GOOD_HUB, "", BROKEN, f"{device(2)},Commissioned,SMETS2,,,,,"]
    assert load(mark + end.join(rows) + (end if last else "")) == Imported(2, 0, 1)
    (told,) = load.told()
    assert told.startswith("hubs.csv:4: status 'Commissionned': must be 'Pending', ")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
def test_the_mark_by_which_dos_ends_a_file_is_no_row(load: Loader, end: str, *, last: bool) -> None:
    assert load(f"{HUBS}{end}{GOOD_HUB}{end if last else ''}\x1a") == Imported(1, 0, 0)


def test_a_carriage_return_in_a_value_is_refused_and_counts_no_line(load: Loader) -> None:
    done = load(lines(HUBS, f"{HUB},Commissioned,SMETS2,,CH-1 rev\r2,,,", BROKEN))
    assert done == Imported(0, 0, 2)
    assert load.told()[0] == r"hubs.csv:2: model 'CH-1 rev\r2': holds a line break"
    assert load.told()[1].startswith("hubs.csv:3: status 'Commissionned'")


@pytest.mark.parametrize("quoted", ['"', ""], ids=["quoted", "not quoted"])
def test_a_carriage_return_beside_quotes_is_refused(load: Loader, quoted: str) -> None:
    value = f"{quoted}CH\r1{quoted}"
    assert load(lines(HUBS, f'"{HUB}",Commissioned,SMETS2,,{value},,,', GOOD_HUB)).hubs == 1
    (told,) = load.told()
    assert told.startswith("hubs.csv:2: ")


@pytest.mark.parametrize("breaks", [1, 2, 7])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_line_break_in_quotes_is_one_bad_row_and_the_lines_are_those_of_an_editor(
    load: Loader, end: str, breaks: int
) -> None:
    value = end.join(["CH-1", *(f"rev {number}" for number in range(breaks))])
    broken = f'{HUB},Commissioned,SMETS2,North,"{value}",1.0,,'
    done = load(end.join([HUBS, broken, BROKEN, GOOD_HUB, ""]))
    assert done == Imported(1, 0, 2)
    assert load.told()[0].startswith(r"hubs.csv:2: model 'CH-1\nrev 0")
    assert load.told()[0].endswith("holds a line break")
    assert load.told()[1].startswith(f"hubs.csv:{3 + breaks}: status 'Commissionned'")


def test_a_line_break_where_white_space_may_stand_is_loaded(load: Loader) -> None:
    assert load(lines(HUBS, f'{HUB},Commissioned,SMETS2,,,,,"pilot;\nearly"')) == Imported(1, 0, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    assert found[0].hub.groups == ("pilot", "early")


def test_two_open_quotes_do_not_take_what_stands_between_along(load: Loader) -> None:
    good = [f"{device(number)},Commissioned,SMETS2,,,,," for number in range(2, 4)]
    open_ = f'{HUB},Commissioned,SMETS2,North,"'
    done = load(lines(HUBS, open_, *good, '",1.0,,', GOOD_HUB))
    assert done == Imported(3, 0, 2)
    assert load.told()[0] == "hubs.csv:2: a quote is not closed"


# --- columns --------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [0, 1, 3])
@pytest.mark.parametrize("row", [0, 1, 3])
def test_empty_columns_at_the_end_are_none(load: Loader, header: int, row: int) -> None:
    done = load(f"{HUBS}{',' * header}\n{GOOD_HUB}{',' * row}\n")
    assert (done, load.told()) == (Imported(1, 0, 0), [])


@pytest.mark.parametrize("row", [",,,,,,,", ",,,", ",", "  ", " , ,", '"",""', ",,,,,,,,,,,,\r"])
def test_rows_without_any_value_are_none(load: Loader, row: str) -> None:
    done = load(f"{HUBS}\n{row}\n{GOOD_HUB}\n{row}\n{row}\n")
    assert (done, load.told()) == (Imported(1, 0, 0), [])


def test_a_value_in_a_column_without_a_name_is_told(load: Loader) -> None:
    plain = f"{HUB},Commissioned,SMETS2"
    load(f"device_id,status,smets_version,,\n{plain},,note\n{plain},,\n{plain},,,,x\n")
    assert load.told() == [
        "hubs.csv:2: column 5 has no name in the header, and 'note' stands in it",
        "hubs.csv:4: has 7 columns, the header has 5",
    ]


# --- other forms ----------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
@pytest.mark.parametrize(
    ("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
)
def test_another_separator_is_named(load: Loader, separator: str, name: str, quote: str) -> None:
    header = separator.join(f"{quote}{cell}{quote}" for cell in HUBS.split(","))
    said = refusal(load, f"\ufeff{header}\r\n".encode())
    assert said.startswith(f"the columns are separated by {name}, not by commas; save it as ")


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_hint_for_excel_is_named(load: Loader, separator: str) -> None:
    said = refusal(load, f"sep={separator}\r\n{HUBS}\r\n{GOOD_HUB}\r\n".encode())
    assert said.startswith(f"the first line is `sep={separator}`, which Excel alone reads; remove")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(load: Loader, encoding: str) -> None:
    said = refusal(load, lines(HUBS, GOOD_HUB).encode(encoding))
    assert said == "is UTF-16, as Excel's `Unicode Text`; save it as `CSV UTF-8 (Comma delimited)`"


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf_32_is_named(load: Loader, encoding: str) -> None:
    assert refusal(load, lines(HUBS).encode(encoding)).startswith("is UTF-32, not UTF-8; save it")


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook, not CSV; save it as"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a workbook, not CSV; save it as"),
        (b"\x1f\x8b\x08\x00", "is compressed by gzip; unpack it"),
    ],
    ids=["xlsx", "xls", "gzip"],
)
def test_a_file_of_another_kind_is_named(load: Loader, begin: bytes, words: str) -> None:
    assert refusal(load, begin + bytes(100)).startswith(words)


def test_what_is_no_plain_file_is_not_opened(load: Loader) -> None:
    os.mkfifo(load.hubs)
    (problem,) = Sheet(load.hubs, HUB_COLUMNS, required=3).problems()
    assert problem.message == "is not a plain file"


def test_a_header_without_end_is_not_kept(load: Loader) -> None:
    assert refusal(load, b"device_id," * 100_000).endswith("is longer than 65,536 characters")


@pytest.mark.parametrize(
    ("mpxn", "words"),
    [
        ("1.8E+12", " (a spreadsheet made a number of it: format the column as text)"),
        ("1E12", " (a spreadsheet made a number of it: format the column as text)"),
        ("18 0002 1679 848", ""),
        (f"={IMPORT}", ""),
    ],
)
def test_a_refused_number_is_shown_with_its_column(load: Loader, mpxn: str, words: str) -> None:
    load(
        lines(HUBS, GOOD_HUB),
        lines(REGISTRATIONS, f"{HUB},{mpxn},import_mpan,{S1},,2020-01-01,"),
    )
    assert load.told() == [f"registrations.csv:2: mpxn {mpxn!r}{words}: an MPAN has 13 digits"]


def test_all_that_is_wrong_with_a_row_is_told_by_column(load: Loader) -> None:
    load(lines(HUBS, "x\x07,Gone,SMETS2,,a\x1bb,,,").encode("latin-1"))
    (told,) = load.told()
    assert told.startswith(
        r"hubs.csv:2: device_id 'x\x07': holds control or invisible characters; "
        r"model 'a\x1bb': holds control or invisible characters; status 'Gone': must be "
    )


# --- damage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        *('"never closed,b,c', 'a,"b', '"a\nb', f'{GOOD_HUB}"', '""a', '"a","b\n,,,,,,'),
        *('"a" ' + " " * 500 + '"', " " * 500 + '"a"b,c', '"a"" "' * 50, '"a" ,b"'),
    ],
)
def test_a_damaged_file_costs_by_its_length(tmp_path: Path, row: str) -> None:
    # each open quote had the whole rest of the file read again: an hour for two megabytes
    def cost(rows: int) -> int:
        file = tmp_path / f"{rows}.csv"
        file.write_text(f"{HUBS}\n" + f"{row}\n" * rows)
        sheet = Sheet(file, HUB_COLUMNS, required=3)
        assert sheet.problems() == []
        return counted(lambda: list(sheet.rows(lambda *_: None, lambda _: None)))

    small, large = cost(1_000), cost(4_000)
    assert large < 4.5 * small
    assert large < 4_000 * 200


def test_the_file_is_csv_to_others_too(load: Loader) -> None:
    """What we take apart by hand is what the csv module makes of it."""
    cells = [HUB, "Commissioned", "SMETS2", 'No"rth', "CH,1", "1.0", "", "pilot;early"]
    with load.hubs.open("w", newline="") as file:
        csv.writer(file).writerows([HUB_COLUMNS, cells])
    assert load(load.hubs.read_bytes(), lines(REGISTRATIONS, GOOD_REGISTRATION)) == Imported(
        1, 1, 0
    )
    found = find_home(load.database, HUB)
    assert found is not None
    assert (found[0].hub.csp_region, found[0].hub.model) == ('No"rth', "CH,1")


@pytest.mark.parametrize("fill", [b"\0", b"x", b'"'], ids=["a hole", "a line", "quotes"])
def test_a_line_without_end_ends_the_import(
    load: Loader, monkeypatch: pytest.MonkeyPatch, fill: bytes
) -> None:
    if fill != b"\0":
        monkeypatch.setattr(csvlines, "ENDLESS", 200_000)
    load.hubs.write_bytes(f"{HUBS}\n{GOOD_HUB}\n{BROKEN}\n".encode() + fill * 400_000)
    if fill == b"\0":
        os.truncate(load.hubs, 300 * 1024**3)
    sheet = Sheet(load.hubs, HUB_COLUMNS, required=3)
    read: list[int] = []
    with pytest.raises(FilesError) as caught:
        import_inventory(
            load.database,
            hubs=load.hubs,
            registrations=None,
            operator="ann",
            clock=lambda: NOW,
            report=lambda _: None,
        )
    (problem,) = caught.value.problems
    assert (problem.location.file, problem.location.line) == (load.hubs, 4)
    assert "nothing is loaded" in problem.message
    assert find_home(load.database, HUB) is None
    assert sheet.problems() == []
    with pytest.raises(FilesError):
        list(sheet.rows(lambda *_: None, read.append))
    assert sum(read) < csvlines.ENDLESS + 200_000


def test_a_hole_alone_is_named(load: Loader) -> None:
    load.hubs.touch()
    os.truncate(load.hubs, 300 * 1024**3)
    (problem,) = Sheet(load.hubs, HUB_COLUMNS, required=3).problems()
    assert problem.message == "begins with zero bytes, which are no text; copy it again, whole"
