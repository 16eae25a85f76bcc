"""The line that names the columns, and what joined and exported files have around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.estate import HUB
from support.loader import GOOD_HUB, HUBS, Loader, device, lines

from router.errors import FilesError
from router.intake.inventory_import import HUB_COLUMNS, Imported
from router.ledger.database import Use, open_database
from router.ledger.queries.homes import find_home

pytestmark = pytest.mark.sqlite

BROKEN = f"{device(1)},Commissionned,SMETS2,,,,,"
OTHER_HUB = f"{device(2)},Commissioned,SMETS2,,,,,"


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loader]:
    url = f"sqlite:///{tmp_path}/hubherald.db"
    with closing(open_database(url, Use.CHANGE)) as database:
        yield Loader(database, tmp_path)


# --- header and spaces ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        HUBS.upper(),
        HUBS.replace("device_id", "Device_ID").replace("groups", "Groups"),
        HUBS.replace(",", ", "),
        HUBS.replace(",", " ,\t"),
        f"  {HUBS}  ",
        f"\xa0{HUBS}\xa0",
        ",".join(f'"{name}"' for name in HUB_COLUMNS),
        ", ".join(f'"{name}"' for name in HUB_COLUMNS),
        " , ".join(f'" {name.upper()} "' for name in HUB_COLUMNS),
    ],
    ids=[
        *("capitals", "some", "spaces", "around", "ends", "no-break"),
        *("quoted", "quoted behind spaces", "all"),
    ],
)
def test_a_header_is_the_same_in_any_case_with_spaces_and_quotes(load: Loader, header: str) -> None:
    assert load(lines(header, GOOD_HUB)) == Imported(1, 0, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    assert (found[0].hub.csp_region, found[0].hub.groups) == ("North", ("pilot", "early"))


@pytest.mark.parametrize("separator", [", ", " ,", " , ", ",\t", ",\xa0"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "marked"])
def test_spaces_around_a_value_are_no_part_of_it(
    load: Loader, separator: str, quote: str, mark: str
) -> None:
    def spaced(row: str) -> str:
        return separator.join(f"{quote}{cell}{quote}" for cell in row.split(","))

    assert load(mark + lines(spaced(HUBS), spaced(GOOD_HUB), spaced(BROKEN))) == Imported(1, 0, 1)
    (told,) = load.told()
    assert told.startswith("hubs.csv:3: status 'Commissionned': must be ")
    assert load(lines(HUBS, GOOD_HUB, " , ,\t,,,,,"), None) == Imported(1, 0, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    assert found[0].hub.model == "CH-1"


def test_spaces_within_a_value_and_commas_in_quotes_stay(load: Loader) -> None:
    row = f'{HUB}, Commissioned, SMETS2, "No""rth , West" , CH  1 b ,1.0,,'
    assert load(lines(HUBS, row)) == Imported(1, 0, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    assert (found[0].hub.csp_region, found[0].hub.model) == ('No"rth , West', "CH  1 b")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (HUBS.replace("groups", "Device_ID"), "column 'device_id' stands there twice"),
        (HUBS.replace("groups", "MODEL "), "column 'model' stands there twice"),
        (HUBS.replace("model", "Modell"), "column 'Modell' means nothing here; did you mean 'mo"),
        (HUBS.replace("device_id", "Device ID"), "column 'Device ID' means nothing here; did you"),
    ],
)
def test_a_header_that_may_mean_two_things_is_told(load: Loader, header: str, words: str) -> None:
    with pytest.raises(FilesError) as caught:
        load(lines(header, GOOD_HUB))
    assert caught.value.problems[0].message.startswith(words)


# --- what stands around it ------------------------------------------------------------------


@pytest.mark.parametrize("before", ["\n\n", ",,,,\n", " \t\n", "\ufeff\n\ufeff", "\ufeff\ufeff"])
def test_what_is_blank_may_stand_before_the_header(load: Loader, before: str) -> None:
    assert load(before + lines(HUBS, GOOD_HUB, BROKEN)) == Imported(1, 0, 1)
    (told,) = load.told()
    assert told.startswith(f"hubs.csv:{before.count(chr(10)) + 3}: status 'Commissionned'")


def test_a_wrong_header_is_told_with_its_line(load: Loader) -> None:
    with pytest.raises(FilesError) as caught:
        load(lines("", ",,", "Export of 2026,,", HUBS, GOOD_HUB))
    assert {problem.location.line for problem in caught.value.problems} == {3}


def test_blank_lines_without_end_are_no_header(load: Loader) -> None:
    with pytest.raises(FilesError, match="needed in the first line"):
        load("\n" * 5_000 + lines(HUBS, GOOD_HUB))


@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\ufeff"], ids=["bare", "marked", "twice"])
@pytest.mark.parametrize("again", [HUBS, HUBS.upper(), f"{HUBS},,", HUBS.replace(",", ", ")])
def test_joined_files_have_marks_and_headers_within(load: Loader, mark: str, again: str) -> None:
    content = mark + lines(HUBS, GOOD_HUB, mark + again, OTHER_HUB, mark + BROKEN)
    assert load(content) == Imported(2, 0, 1)
    (told,) = load.told()
    assert told.startswith("hubs.csv:5: status 'Commissionned': must be ")


def test_a_header_in_another_order_within_is_told(load: Loader) -> None:
    other = ",".join(reversed(HUB_COLUMNS))
    assert load(lines(HUBS, GOOD_HUB, other)) == Imported(1, 0, 1)
    assert load.told()[0].startswith("hubs.csv:3: device_id 'groups': must be ")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (GOOD_HUB.replace(",", ";"), "; its values are separated by semicolons, not by commas"),
        (GOOD_HUB.replace(",", "\t"), "; its values are separated by tabs, not by commas"),
        (
            OTHER_HUB.replace(",", "\t"),
            f"; {OTHER_HUB.replace(',', chr(9)).strip()!r} stands in it",
        ),
        (f'"{GOOD_HUB}"', "; the whole row stands in quotes"),
        ("\x1a", r"; '\x1a' stands in it"),
    ],
    ids=["semicolons", "tabs", "tabs at the end", "quotes", "end of a DOS file"],
)
def test_a_row_that_is_one_value_is_told_with_it(load: Loader, row: str, words: str) -> None:
    assert load(lines(HUBS, GOOD_HUB, row)) == Imported(1, 0, 1)
    assert load.told() == [f"hubs.csv:3: has 1 column, the header has 8{words}"]


def test_a_header_of_other_bytes_is_named(load: Loader) -> None:
    with pytest.raises(FilesError) as caught:
        load(f"gerät,{HUBS}\n".encode("latin-1"))
    (problem,) = caught.value.problems
    assert problem.message == "is not UTF-8; save the file as `CSV UTF-8`"


@pytest.mark.parametrize(
    "header", [f"{HUBS.replace(',', ';')},", f'"{HUBS.replace(",", chr(34) + ";" + chr(34))}"']
)
def test_semicolons_are_named_beside_a_comma_and_quotes(load: Loader, header: str) -> None:
    with pytest.raises(FilesError, match="separated by semicolons"):
        load(lines(header))
