"""Inventory files: what is loaded, what is told, and that one bad row harms no other."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.estate import EXPORT, GAS, HUB, IMPORT, S1, S2
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

from router.domain.facts import Hub, Registration
from router.errors import FilesError
from router.intake import inventory_import
from router.intake.inventory_import import (
    CHUNK,
    HUB_COLUMNS,
    REGISTRATION_COLUMNS,
    BadRow,
    Imported,
    ImportWatch,
    import_inventory,
)
from router.ledger.database import Database, Use, open_database
from router.ledger.queries.homes import find_home

QUOTED = "a quote ends before its value does; a quote within a value is written twice"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path}/hubherald.db", Use.CHANGE)) as opened:
        yield opened


@pytest.fixture
def load(database: Database, tmp_path: Path) -> Loader:
    return Loader(database, tmp_path)


def test_hubs_and_registrations_are_what_the_files_say(load: Loader) -> None:
    done = load(lines(HUBS, GOOD_HUB), lines(REGISTRATIONS, GOOD_REGISTRATION))
    assert done == Imported(1, 1, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    home, running = found
    assert home.hub == Hub(
        device_id=HUB,
        status="Commissioned",
        smets_version="SMETS2",
        csp_region="North",
        model="CH-1",
        hardware_version="1.0",
        groups=("pilot", "early"),
    )
    assert home.registrations == (
        Registration(
            device_id=HUB,
            mpxn=IMPORT,
            point="import_mpan",
            supplier_id=S1,
            effective_from=date(2020, 1, 1),
        ),
    )
    assert running is None


def test_columns_stand_in_any_order_and_the_optional_ones_may_be_missing(load: Loader) -> None:
    text = "﻿status,smets_version,device_id\r\nPending,SMETS1,90-b3-d5-1f-30-00-10-01\r\n\r\n"
    assert load(text) == Imported(1, 0, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    assert found[0].hub == Hub(device_id=HUB, status="Pending", smets_version="SMETS1")


def test_an_import_replaces_what_is_there(load: Loader) -> None:
    load(lines(HUBS, GOOD_HUB), lines(REGISTRATIONS, GOOD_REGISTRATION))
    later = GOOD_REGISTRATION.replace(S1, S2) + "2030-01-01"
    done = load(lines(HUBS, f"{HUB},Suspended,SMETS2,,,,,"), lines(REGISTRATIONS, later), now=NOW)
    assert done == Imported(1, 1, 0)
    found = find_home(load.database, HUB)
    assert found is not None
    home, _ = found
    assert (home.hub.status, home.hub.csp_region, home.hub.groups) == ("Suspended", None, ())
    assert [(each.supplier_id, each.effective_to) for each in home.registrations] == [
        (S2, date(2030, 1, 1))
    ]


def test_each_bad_row_is_told_with_its_line_and_the_rest_is_loaded(load: Loader) -> None:
    done = load(
        lines(
            HUBS,
            f"{device(1)},Commissioned,SMETS2,,,,,",
            "nonsense,Gone,SMETS2,,,,,",
            f"{device(2)},Commissioned",
            f"{device(3)},,SMETS2,,,,,two words",
            f"{device(4)},Commissioned,SMETS2,,,,,",
        ),
        lines(
            REGISTRATIONS,
            f"{device(1)},{IMPORT},import_mpan,{S1},,2020-01-01,2019-01-01",
            f"{device(1)},180002167984,import_mpan,{S1},,2020-01-01,",
            f"{device(9)},{IMPORT},import_mpan,{S1},,2020-01-01,",
            f"{device(4)},{GAS},mprn,{S1},,2020-01-01,",
            f"{device(4)},{GAS},mprn,{S1},,01/01/2020,",
        ),
    )
    assert done == Imported(2, 1, 8 - 1)
    words = "must be 'Pending', 'InstalledNotCommissioned', 'Commissioned'"
    hub_lines = [line for line in load.told() if line.startswith("hubs.csv")]
    assert hub_lines[0].startswith(
        "hubs.csv:3: device_id 'nonsense': must be eight hyphenated hex octets"
    )
    assert f"status 'Gone': {words}" in hub_lines[0]
    assert hub_lines[1] == "hubs.csv:4: has 2 columns, the header has 8"
    assert hub_lines[2].startswith("hubs.csv:5: status is empty; groups 'two words': ")
    assert load.told()[3:] == [
        "registrations.csv:2: effective_to '2019-01-01': lies before effective_from, 2020-01-01",
        "registrations.csv:3: mpxn '180002167984': an MPAN has 13 digits",
        f"registrations.csv:4: hub {device(9)} is neither in the file of hubs nor in the ledger",
        "registrations.csv:6: effective_from '01/01/2020': must be a date, such as 2026-01-31",
    ]


def test_a_registration_may_be_of_a_hub_that_the_ledger_knows(load: Loader) -> None:
    load(lines(HUBS, GOOD_HUB))
    assert load(None, lines(REGISTRATIONS, GOOD_REGISTRATION)) == Imported(0, 1, 0)


def test_a_row_that_comes_twice_names_the_line_of_the_first(load: Loader) -> None:
    far = CHUNK + 10
    hubs = [f"{device(number)},Commissioned,SMETS2,,,,," for number in range(far)]
    done = load(
        lines(HUBS, *hubs, hubs[0].lower().replace("commissioned,smets2", "Pending,SMETS2")),
        lines(
            REGISTRATIONS,
            *(f"{device(0)},{IMPORT},import_mpan,{who},,2020-01-01," for who in (S1, S2)),
        ),
    )
    assert done == Imported(far, 1, 2)
    assert load.told() == [
        f"hubs.csv:{far + 2}: {device(0)} stands in line 2 already; this row is not loaded",
        f"registrations.csv:3: {device(0)} {IMPORT} 2020-01-01 stands in line 2 already; this "
        "row is not loaded",
    ]
    found = find_home(load.database, device(0))
    assert found is not None
    assert found[0].hub.status == "Commissioned"
    assert found[0].registrations[0].supplier_id == S1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b'"90-B3,Commissioned,SMETS2,,,,,', "a quote is not closed"),
        (b'90-B3,Commissioned,SMETS2,"No"rth,,,,', QUOTED),
        (b'90-B3,Commissioned,SMETS2,"North" x,,,,', QUOTED),
        (
            b"90-B3-\xff\xfe,Commissioned,SMETS2,,,,,",
            r"device_id '90-B3-\udcff\udcfe': is not UTF-8; save the file as `CSV UTF-8`",
        ),
        (
            b"90-B3\x00,Commissioned,SMETS2,,,,,",
            r"device_id '90-B3\x00': holds control or invisible characters",
        ),
        (b"x" * 200_000 + b",a,b,,,,,", "is longer than 65,536 characters"),
    ],
    ids=["quote", "quote in a value", "text behind a quote", "bytes", "nul", "huge"],
)
def test_a_broken_row_does_not_take_its_neighbours_along(
    load: Loader, row: bytes, message: str
) -> None:
    good = [f"{device(number)},Commissioned,SMETS2,,,,,".encode() for number in range(4)]
    done = load(b"\n".join([HUBS.encode(), good[0], row, *good[1:]]))
    assert load.told() == [f"hubs.csv:3: {message}"]
    assert done == Imported(4, 0, 1)


def test_a_quote_that_the_last_row_leaves_open_is_told(load: Loader) -> None:
    done = load(lines(HUBS, f"{device(1)},Commissioned,SMETS2,,,,,", f'{device(2)},"Commissioned'))
    assert load.told() == ["hubs.csv:3: a quote is not closed"]
    assert done == Imported(1, 0, 1)


def test_a_header_that_is_not_csv_is_told(load: Loader) -> None:
    with pytest.raises(FilesError) as caught:
        load(lines('device_id,"sta"tus,smets_version', GOOD_HUB))
    (problem,) = caught.value.problems
    assert (problem.location.line, problem.message) == (1, QUOTED)


def test_wrong_columns_are_told_for_both_files_and_nothing_is_loaded(load: Loader) -> None:
    with pytest.raises(FilesError) as caught:
        load(
            lines("device_id,state,smets_version,model,model", GOOD_HUB),
            lines("device_id,mpxn", GOOD_REGISTRATION),
        )
    told = [
        f"{problem.location.file.name}:{problem.location.line}: {problem.message}"
        for problem in caught.value.problems
    ]
    assert told[0].startswith(
        "hubs.csv:1: column 'state' means nothing here; did you mean 'status'?"
    )
    assert told[1:] == [
        "hubs.csv:1: column 'model' stands there twice",
        "hubs.csv:1: status: needed in the first line, which names the columns",
        "registrations.csv:1: point, supplier_id, network_operator_id, effective_from, "
        "effective_to: needed in the first line, which names the columns",
    ]
    assert find_home(load.database, HUB) is None


def test_an_empty_file_lacks_its_columns(load: Loader) -> None:
    with pytest.raises(FilesError, match="device_id, status, smets_version: needed"):
        load("")


def test_a_header_alone_loads_nothing(load: Loader) -> None:
    assert load(lines(HUBS)) == Imported(0, 0, 0)


def test_nothing_is_visible_of_an_import_that_was_broken_off(load: Loader) -> None:
    def interrupt(_row: BadRow) -> None:
        raise KeyboardInterrupt

    load.hubs.write_text(lines(HUBS, GOOD_HUB, "bad,row,,,,,,"))
    with pytest.raises(KeyboardInterrupt):
        import_inventory(
            load.database,
            hubs=load.hubs,
            registrations=None,
            operator="ann",
            clock=lambda: NOW,
            report=interrupt,
        )
    assert find_home(load.database, HUB) is None
    assert load(lines(HUBS, GOOD_HUB)) == Imported(1, 0, 0)


def test_an_import_works_beside_a_router(database: Database, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hubherald.db"
    with closing(open_database(url, Use.ROUTE)) as router:
        Loader(database, tmp_path)(lines(HUBS, GOOD_HUB))
        assert find_home(router, HUB) is not None


def peak(work: Callable[[], object]) -> int:
    """The most bytes that were allocated at a time meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_remembered_of_a_file_is_bounded_in_bytes(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("CHUNK_BYTES", "REMEMBERED"):
        monkeypatch.setattr(inventory_import, each, 2_000_000)

    def row(number: int) -> str:
        groups = ";".join(f"{number:06}-{group:02}-{'x' * 30}" for group in range(100))
        return f"{device(number)},Commissioned,SMETS2,,,,,{groups}"

    load.hubs.write_text(lines(HUBS, *(row(number) for number in range(2_500))))
    assert load.hubs.stat().st_size > 10_000_000
    assert peak(lambda: load_hubs(load)) < 14_000_000
    assert load_hubs(load) == Imported(2_500, 0, 0)


def test_bad_rows_alone_are_told_in_bounded_memory(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_import, "CHUNK", 1_000)
    load.hubs.write_text(lines(HUBS, *["1,2"] * 20_000))
    told: list[int] = []
    found = peak(lambda: load_hubs(load, told.append))
    assert told == list(range(2, 20_002))
    assert found < 3_000_000


def load_hubs(load: Loader, told: Callable[[int], None] = lambda _: None) -> Imported:
    """The file as it stands there; `told` hears of the lines of bad rows."""
    return import_inventory(
        load.database,
        hubs=load.hubs,
        registrations=None,
        operator="ann",
        clock=lambda: NOW,
        report=lambda row: told(row.line),
    )


def test_progress_adds_up_to_the_size_of_the_files(load: Loader) -> None:
    told: list[int] = []

    class Watch(ImportWatch):
        def read(self, count: int) -> None:
            told.append(count)

    hubs = [f"{device(number)},Commissioned,SMETS2,,,,," for number in range(5_000)]
    load.hubs.write_text(lines(HUBS, *hubs))
    import_inventory(
        load.database,
        hubs=load.hubs,
        registrations=None,
        operator="ann",
        clock=lambda: NOW,
        report=load.bad.append,
        watch=Watch(),
    )
    assert sum(told) == load.hubs.stat().st_size
    assert len(told) > 2


HUB_VALUES: Mapping[str, tuple[str, ...]] = {
    "device_id": ("", "90-b3-d5-1f-30-00-10-01", "90-B3-D5-1F-30-00-10-0G", " " + HUB),
    "status": ("", "Commissioned ", "commissioned", "Suspended"),
    "smets_version": ("SMETS1", "smets2", ""),
    "csp_region": ("x" * 100, "x" * 101, "Süd", "a\tb", "\u200b"),
    "replaced_by": (HUB.lower(), "no"),
    "groups": ("", ";", "a;b ; c", "a b", "x" * 41, ";".join("abc"[n % 3] for n in range(101))),
}
REGISTRATION_VALUES: Mapping[str, tuple[str, ...]] = {
    "device_id": (HUB.lower(), "no", ""),
    "mpxn": ("", "1", EXPORT, GAS, "１８０００２１６７９８４８", "1234567890123", " " + IMPORT),
    "point": ("", "mprn", "export_mpan", "IMPORT_MPAN"),
    "supplier_id": ("", S2.lower(), "nobody"),
    "network_operator_id": ("", S2, "nobody"),
    "effective_from": ("", "2020-1-1", "2020-02-30", "2020-01-01T00:00:00Z", "２０２０-01-01"),
    "effective_to": ("2020-01-01", "2019-12-31", "9999-12-31", "never"),
}


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column, values in HUB_VALUES.items() for value in values],
)
def test_a_hub_row_is_loaded_exactly_when_the_model_takes_it(
    load: Loader, column: str, value: str
) -> None:
    """The model takes no spaces around a value; in a file they are no part of it."""
    cells = {**dict(zip(HUB_COLUMNS, GOOD_HUB.split(","), strict=True)), column: value}
    done = load(lines(HUBS, ",".join(cells.values())))
    groups = [word.strip() for word in cells["groups"].split(";") if word.strip()]
    given = {name: cell.strip(" ") or None for name, cell in cells.items()}
    try:
        hub = Hub.model_validate({**given, "groups": groups})
    except ValidationError:
        assert done == Imported(0, 0, 1)
    else:
        found = find_home(load.database, HUB)
        assert found is not None
        assert found[0].hub == hub


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column, values in REGISTRATION_VALUES.items() for value in values],
)
def test_a_registration_row_is_loaded_exactly_when_the_model_takes_it(
    load: Loader, column: str, value: str
) -> None:
    row = dict(zip(REGISTRATION_COLUMNS, GOOD_REGISTRATION.split(","), strict=True))
    cells = {**row, column: value}
    done = load(lines(HUBS, GOOD_HUB), lines(REGISTRATIONS, ",".join(cells.values())))
    try:
        registration = Registration.model_validate(
            {name: cell.strip(" ") or None for name, cell in cells.items()}
        )
    except ValidationError:
        assert done == Imported(1, 0, 1)
    else:
        found = find_home(load.database, HUB)
        assert found is not None
        assert found[0].registrations == (registration,)
