"""An import beside others: what it holds the ledger for, and what is there when it breaks off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from support import ledgers
from support.beside import Beside
from support.estate import IMPORT, S1
from support.ledgers import ask
from support.loader import GOOD_HUB, HUBS, NOW, REGISTRATIONS, device, lines

from router.intake.inventory_import import BadRow, DoubtfulRow, ImportWatch, import_inventory
from router.ledger.database import Database, LedgerUnavailable, Use, open_database
from router.ledger.imports import PORTION, WHOLE_HOMES

HOMES = 2 * PORTION + 5
SHARING = WHOLE_HOMES + PORTION
FIRST, LAST = device(0), device(HOMES - 1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(ledgers.url(tmp_path), Use.CHANGE, busy_seconds=0)) as opened:
        yield opened


class Other:
    """Another process that wants to write now, and will not wait."""

    def __init__(self, url: str) -> None:
        self._connection = Beside(url, timeout=0)

    def writes(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("COMMIT")

    def sees(self) -> tuple[int, int]:
        """So many hubs and registrations."""
        asked = "SELECT (SELECT count(*) FROM hubs), (SELECT count(*) FROM registrations)"
        hubs, registrations = self._connection.execute(asked).fetchone()
        return hubs, registrations

    def holds(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def lets_go(self) -> None:
        self._connection.execute("ROLLBACK")


@pytest.fixture
def other(tmp_path: Path, database: Database) -> Iterator[Other]:
    assert database
    found = Other(ledgers.url(tmp_path))
    yield found
    found._connection.close()


def load(
    database: Database,
    folder: Path,
    watch: ImportWatch,
    report: Callable[[BadRow | DoubtfulRow], None] = lambda _: None,
) -> None:
    """An estate of HOMES hubs with a registration each; one meter point is on two of them."""
    hubs = [f"{device(number)},Commissioned,SMETS2,,,,," for number in range(HOMES)]
    points = [f"{10**12 + number}" for number in range(HOMES)]
    points[0] = points[-1] = IMPORT
    rows = [
        f"{device(number)},{point},import_mpan,{S1},,2020-01-01,"
        for number, point in enumerate(points)
    ]
    (folder / "hubs.csv").write_text(lines(HUBS, "bad", *hubs))
    (folder / "registrations.csv").write_text(lines(REGISTRATIONS, *rows, "bad"))
    import_inventory(
        database,
        hubs=folder / "hubs.csv",
        registrations=folder / "registrations.csv",
        operator="ann",
        clock=lambda: NOW,
        report=report,
        watch=watch,
    )


def test_nobody_waits_while_the_files_are_read_and_checked(
    database: Database, other: Other, tmp_path: Path
) -> None:
    class Watch(ImportWatch):
        read_times = 0

        def read(self, count: int) -> None:
            other.writes()
            assert other.sees() == (0, 0)
            self.read_times += count > 0

    watch = Watch()
    load(database, tmp_path, watch, lambda _: other.writes())
    assert watch.read_times > 2


def test_an_estate_is_loaded_in_portions_of_whole_homes(
    database: Database, other: Other, tmp_path: Path
) -> None:
    seen: list[tuple[int, int, int]] = []

    class Watch(ImportWatch):
        def loaded(self, done: int, total: int) -> None:
            other.writes()
            seen.append((done, *other.sees()))
            assert total == HOMES
            ends = ask(
                database,
                f"SELECT device_id FROM hubs WHERE device_id IN ('{FIRST}', '{LAST}')",
            )
            assert len(ends) != 1  # they share a meter point

    load(database, tmp_path, Watch())
    assert [done for done, *_ in seen] == [0, PORTION + 1, 2 * PORTION + 1, HOMES]
    assert all(done == hubs == registrations for done, hubs, registrations in seen)
    details = [json.loads(text) for (text,) in ask(database, "SELECT detail FROM actions")]
    assert [each["hubs"] for each in details] == [PORTION + 1, PORTION, HOMES - 2 * PORTION - 1]
    assert [each["bad_rows"] for each in details] == [2, 0, 0]


def test_hubs_that_all_share_a_meter_point_do_not_make_one_portion(
    database: Database, other: Other, tmp_path: Path
) -> None:
    rows = [f"{device(n)},{IMPORT},import_mpan,{S1},,2020-01-01," for n in range(SHARING)]
    hubs = [f"{device(number)},Commissioned,SMETS2,,,,," for number in range(SHARING)]
    (tmp_path / "hubs.csv").write_text(lines(HUBS, *hubs))
    (tmp_path / "registrations.csv").write_text(lines(REGISTRATIONS, *rows))
    seen: list[int] = []

    class Watch(ImportWatch):
        def loaded(self, done: int, _total: int) -> None:
            seen.append(done)

    import_inventory(
        database,
        hubs=tmp_path / "hubs.csv",
        registrations=tmp_path / "registrations.csv",
        operator="ann",
        clock=lambda: NOW,
        report=lambda row: pytest.fail(str(row)),
        watch=Watch(),
    )
    assert max(after - before for before, after in pairwise(seen)) <= WHOLE_HOMES
    assert other.sees() == (SHARING, SHARING)


def test_what_breaks_off_leaves_whole_homes_and_the_same_again_loads_all(
    database: Database, other: Other, tmp_path: Path
) -> None:
    class Broken(ImportWatch):
        def loaded(self, done: int, _total: int) -> None:
            if done:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(database, tmp_path, Broken())
    assert other.sees() == (PORTION + 1, PORTION + 1)
    load(database, tmp_path, ImportWatch())
    assert other.sees() == (HOMES, HOMES)


def test_a_ledger_that_is_held_for_too_long_is_told_with_what_is_loaded(
    database: Database, other: Other, tmp_path: Path
) -> None:
    class Held(ImportWatch):
        def loaded(self, done: int, _total: int) -> None:
            if done:
                other.holds()

    with pytest.raises(LedgerUnavailable) as caught:
        load(database, tmp_path, Held())
    assert str(caught.value).endswith(
        f"; loaded are {PORTION + 1:,} of {HOMES:,} hubs, and the same command again loads all of"
        " them"
    )
    other.lets_go()
    load(database, tmp_path, ImportWatch())
    assert other.sees() == (HOMES, HOMES)


def test_a_small_import_is_one_transaction(
    database: Database, other: Other, tmp_path: Path
) -> None:
    (tmp_path / "hubs.csv").write_text(lines(HUBS, GOOD_HUB))
    told: list[tuple[int, int]] = []

    class Watch(ImportWatch):
        def loaded(self, done: int, total: int) -> None:
            told.append((done, total))

    for _ in range(2):
        import_inventory(
            database,
            hubs=tmp_path / "hubs.csv",
            registrations=None,
            operator="ann",
            clock=lambda: NOW,
            report=lambda row: pytest.fail(str(row)),
            watch=Watch(),
        )
    assert told == [(0, 1), (1, 1)] * 2
    assert other.sees() == (1, 0)
    assert len(ask(database, "SELECT * FROM actions")) == 2
