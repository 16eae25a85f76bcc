"""The ledger that was opened must stay the one at its path, or nothing is taken for written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import IntegrityError

import pytest
from support.holders import another
from support.ledgers import ask, fill, lane_of, made, states
from support.samples import device, user

from router.ledger.database import Database, Use, open_database
from router.ledger.recorder import changes
from router.ledger.store import LedgerGone
from router.ledger.thread import LedgerThread

pytestmark = pytest.mark.sqlite

STRANGER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("CREATE TABLE theirs (x)")
connection.execute("INSERT INTO theirs VALUES (1)")
print("held", flush=True)
time.sleep(600)
"""
PARTS = ("", "-wal", "-shm")
BEFORE = 50
"""Alerts that were folded into the database before it was opened for the test."""


def deleted(folder: Path) -> None:
    for end in PARTS:
        (folder / f"ledger.db{end}").unlink()


def deleted_alone(folder: Path) -> None:
    (folder / "ledger.db").unlink()


def moved(folder: Path) -> None:
    (folder / "ledger.db").rename(folder / "elsewhere.db")


def folder_moved(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def folder_is_a_file(folder: Path) -> None:
    folder_moved(folder)
    folder.touch()


def replaced(folder: Path) -> None:
    copy(folder, "older.db")
    (folder / "older.db").rename(folder / "ledger.db")


def replaced_by_a_link(folder: Path) -> None:
    moved(folder)
    copy(folder, "older.db", "elsewhere.db")
    (folder / "ledger.db").symlink_to("older.db")


def log_deleted(folder: Path) -> None:
    (folder / "ledger.db-wal").unlink()


def log_replaced(folder: Path) -> None:
    log_deleted(folder)
    (folder / "ledger.db-wal").touch()


def index_deleted(folder: Path) -> None:
    (folder / "ledger.db-shm").unlink()


def emptied(folder: Path) -> None:
    (folder / "ledger.db").write_bytes(b"")


def written_over(folder: Path) -> None:
    (folder / "ledger.db").write_bytes(b"Dear diary, " * 1000)


def older_copied_over(folder: Path) -> None:
    shutil.copy(folder / "backup.db", folder / "ledger.db")


def another_copied_over(folder: Path) -> None:
    """One that was changed more often than ours."""
    other = folder.with_name("other")
    other.mkdir()
    made(other).close()
    with closing(sqlite3.connect(other / "ledger.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("CREATE TABLE changed (x)")
        for number in range(200):
            connection.execute("INSERT INTO changed VALUES (?)", (number,))
        connection.execute("PRAGMA journal_mode = WAL")
    shutil.copy(other / "ledger.db", folder / "ledger.db")


def copy(folder: Path, name: str, of: str = "ledger.db") -> None:
    shutil.copy(folder / of, folder / name)


REPLACED = [
    deleted,
    deleted_alone,
    moved,
    folder_moved,
    folder_is_a_file,
    replaced,
    replaced_by_a_link,
    log_deleted,
    log_replaced,
    index_deleted,
]
WRITTEN_OVER = [emptied, written_over, older_copied_over, another_copied_over]


def opened(folder: Path, use: Use = Use.ROUTE) -> Database:
    """A ledger with Alerts in it, opened again, and an older state of it as a backup."""
    folder.mkdir()
    made(folder).close()
    shutil.copy(folder / "ledger.db", folder / "backup.db")
    database = open_database(f"sqlite:///{folder}/ledger.db", Use.CHANGE)
    fill(database, [device(1)] * BEFORE, {user(1): [lane_of(database)]})
    database.close()
    database = open_database(f"sqlite:///{folder}/ledger.db", use)
    fill(database, [device(2)], {user(1): [lane_of(database)]}, first=100)
    return database


@pytest.mark.parametrize(
    ("use", "change"),
    [
        *((Use.ROUTE, change) for change in [*REPLACED, *WRITTEN_OVER]),
        *((Use.CHANGE, change) for change in REPLACED),
    ],
)
def test_nothing_is_written_into_another_ledger_than_that_at_the_path(
    tmp_path: Path, use: Use, change: Callable[[Path], None]
) -> None:
    with closing(opened(tmp_path / "ledger", use)) as database:
        assert database.lost() is None
        change(tmp_path / "ledger")
        with pytest.raises(LedgerGone) as caught:
            lane_of(database, user(2))
        said = str(caught.value)
        assert said.startswith(f"{tmp_path}/ledger/ledger.db")
        assert said == database.lost()
        assert "\n" not in said
        assert "start" in said


@pytest.mark.parametrize("change", [*REPLACED, *WRITTEN_OVER])
def test_what_was_committed_is_not_confirmed_when_the_ledger_went_meanwhile(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    with (
        closing(opened(tmp_path / "ledger")) as database,
        pytest.raises(LedgerGone),
        database.transaction() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM suspects")
        change(tmp_path / "ledger")


def test_a_link_that_leads_to_another_ledger_counts(tmp_path: Path) -> None:
    opened(tmp_path / "one").close()
    opened(tmp_path / "two").close()
    (tmp_path / "live").symlink_to("one")
    with closing(open_database(f"sqlite:///{tmp_path}/live/ledger.db", Use.ROUTE)) as database:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(tmp_path / "live")
        with pytest.raises(LedgerGone, match=f"{tmp_path}/one/ledger.db: the ledger is not the"):
            lane_of(database, user(2))


def test_what_is_put_back_before_anybody_looked_was_never_away(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")) as database:
        folder_moved(tmp_path / "ledger")
        (tmp_path / "elsewhere").rename(tmp_path / "ledger")
        assert database.lost() is None
        assert len(states(database)) == BEFORE + 1


def test_writing_and_folding_the_log_in_is_no_loss(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")) as database:
        for number in range(3):
            fill(database, [device(5)], {user(1): [lane_of(database)]}, first=200 + number)
            with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as beside:
                beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                beside.execute("VACUUM")
        assert database.lost() is None


async def test_what_was_gone_once_is_gone_for_everybody(tmp_path: Path) -> None:
    with LedgerThread(opened(tmp_path / "ledger")) as thread:
        assert thread.lost() is None
        folder_moved(tmp_path / "ledger")
        with pytest.raises(LedgerGone):
            await thread.call(states)
        (tmp_path / "elsewhere").rename(tmp_path / "ledger")
        assert thread.noticed.is_set()
        assert thread.lost() is not None
        with pytest.raises(LedgerGone):
            await thread.call(states)


def restored(folder: Path) -> None:
    """An older state by SQLite's own means, as its shell's `.restore` does."""
    with (
        closing(sqlite3.connect(folder / "backup.db")) as backup,
        closing(sqlite3.connect(folder / "ledger.db")) as ledger,
    ):
        backup.backup(ledger)


@pytest.mark.parametrize("idle", [True, False])
def test_an_older_state_that_is_restored_under_the_router_is_none_of_its(
    tmp_path: Path, *, idle: bool
) -> None:
    with closing(opened(tmp_path / "ledger")) as database:
        lanes = {user(1): [lane_of(database)]}
        fill(database, [device(3)], lanes, first=200)
        assert changes(database) == changes(database)
        restored(tmp_path / "ledger")
        with pytest.raises(LedgerGone, match="set back or exchanged while it was open"):
            changes(database) if idle else fill(database, [device(4)], lanes, first=300)
    assert in_it(tmp_path / "ledger" / "ledger.db") == 0


def test_what_failed_to_be_written_is_not_missed(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")) as database:
        lanes = {user(1): [lane_of(database)]}
        with pytest.raises(IntegrityError):
            fill(database, [device(3)], lanes, first=100)  # this fact is there already
        fill(database, [device(3)], lanes, first=200)
        assert len(states(database)) == BEFORE + 2


def test_a_damaged_ledger_is_said_to_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    opened(folder).close()
    with closing(open_database(f"sqlite:///{folder}/ledger.db", Use.ROUTE)) as database:
        with (folder / "ledger.db").open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        with pytest.raises(LedgerGone, match=r"the ledger is damaged .*Restore a backup"):
            states(database)


# --- closing it -----------------------------------------------------------------------------


def in_it(file: Path) -> int:
    """How many Alerts a ledger holds."""
    with closing(open_database(f"sqlite:///{file}", Use.READ)) as reader:
        return len(states(reader))


def test_a_ledger_that_was_moved_is_whole(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")):
        moved(tmp_path / "ledger")
    assert in_it(tmp_path / "ledger" / "elsewhere.db") == BEFORE + 1


def test_a_folder_that_was_moved_is_whole(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")):
        folder_moved(tmp_path / "ledger")
    assert in_it(tmp_path / "elsewhere" / "ledger.db") == BEFORE + 1


@pytest.mark.parametrize("change", [log_deleted, index_deleted])
def test_a_ledger_whose_log_was_deleted_is_whole(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    with closing(opened(tmp_path / "ledger")):
        change(tmp_path / "ledger")
    assert in_it(tmp_path / "ledger" / "ledger.db") == BEFORE + 1


def test_a_backup_that_took_its_place_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "ledger")):
        (tmp_path / "ledger" / "backup.db").rename(tmp_path / "ledger" / "ledger.db")
    assert in_it(tmp_path / "ledger" / "ledger.db") == 0
    with closing(open_database(f"sqlite:///{tmp_path}/ledger/ledger.db", Use.ROUTE)) as next_start:
        assert not next_start.made
        assert ask(next_start, "PRAGMA integrity_check") == [("ok",)]


def test_a_backup_that_was_copied_over_it_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with closing(opened(folder)):
        older_copied_over(folder)
    assert in_it(folder / "ledger.db") == 0
    assert [each for each in folder.iterdir() if each.name.startswith("ledger.db-wal.")]


def test_the_log_of_a_ledger_that_others_made_there_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    router = opened(folder)
    deleted(folder)
    with another(STRANGER, str(folder / "ledger.db")):
        log = (folder / "ledger.db-wal").read_bytes()
        router.close()
        assert (folder / "ledger.db-wal").read_bytes() == log
        with closing(sqlite3.connect(folder / "ledger.db")) as beside:
            assert beside.execute("SELECT * FROM theirs").fetchall() == [(1,)]
