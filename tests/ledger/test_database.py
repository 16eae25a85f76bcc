"""Opening a ledger: who may, when not, and what is said then; with real second processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError
from support.holders import another
from support.ledgers import ask, fill, lane_of, made
from support.samples import device, user

from router.errors import LedgerError
from router.ledger.database import LedgerUnavailable, Use, open_database
from router.ledger.intake import read_cursors
from router.ledger.reader import MIGRATIONS, NEWEST
from router.ledger.recorder import changes
from router.ledger.tables import metadata
from router.ports import Cursor

pytestmark = pytest.mark.sqlite

HOLDER = """
import sys, time
from router.ledger.database import Use, open_database
database = open_database(sys.argv[1], Use.ROUTE)
with database.transaction() as connection:
    connection.exec_driver_sql("INSERT INTO cursors VALUES ('drop', 'facts.jsonl', 1, 1, '', '')")
    if "half" in sys.argv:
        print("held", flush=True)
        time.sleep(600)
print("held", flush=True)
time.sleep(600)
"""
LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(600)
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def at_revision(folder: Path, revision: str) -> None:
    """A new ledger as an older Hubherald would have left it."""
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url(folder))
    with engine.begin() as older:
        scripts.attributes["connection"] = older
        upgrade(scripts, revision)
    engine.dispose()


def refused(folder: Path, use: Use, *, busy_seconds: float = 0.05) -> str:
    """What is said when it can't be opened: one line that names the file."""
    with pytest.raises(LedgerError) as caught:
        open_database(url(folder), use, busy_seconds=busy_seconds)
    message = str(caught.value)
    assert message.startswith(f"{folder}/")
    assert "\n" not in message
    return message


# --- there or not ---------------------------------------------------------------------------


def test_a_router_makes_its_ledger(tmp_path: Path) -> None:
    with closing(open_database(url(tmp_path), Use.ROUTE)) as database:
        tables = {row[0] for row in ask(database, "SELECT name FROM sqlite_master")}
        assert set(metadata.tables) <= tables
        assert ask(database, "PRAGMA journal_mode") == [("wal",)]
        assert ask(database, "PRAGMA synchronous") == [(2,)]
        assert ask(database, "PRAGMA foreign_keys") == [(1,)]


def test_the_migrations_make_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    with closing(open_database(url(tmp_path), Use.ROUTE)) as database:
        for table in metadata.tables.values():
            columns = ask(
                database, f"SELECT name, \"notnull\" FROM pragma_table_info('{table.name}')"
            )
            expected = [(column.name, int(not column.nullable)) for column in table.columns]
            assert columns == expected, table.name
            indexes = {row[1] for row in ask(database, f"PRAGMA index_list({table.name})")}
            assert {index.name for index in table.indexes} <= indexes


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as database:
        fill(database, [device(1)], {user(1): [lane_of(database)]})
    for use in (Use.READ, Use.CHANGE, Use.ROUTE):
        with closing(open_database(url(tmp_path), use)) as database:
            assert ask(database, "SELECT count(*) FROM alerts") == [(1,)]


def test_a_reader_does_not_make_a_ledger(tmp_path: Path) -> None:
    assert "there is no ledger" in refused(tmp_path, Use.READ)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", [Use.ROUTE, Use.CHANGE])
def test_a_missing_folder_is_named(tmp_path: Path, use: Use) -> None:
    assert "its folder does not exist" in refused(tmp_path / "nowhere", use)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    made(tmp_path).close()
    with (
        closing(open_database(url(tmp_path), Use.READ)) as reader,
        pytest.raises(LedgerUnavailable, match="readonly"),
    ):
        ask(reader, "DELETE FROM documents RETURNING 1")


def test_an_empty_file_is_no_ledger_yet(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert "or empty" in refused(tmp_path, Use.READ)
    open_database(url(tmp_path), Use.CHANGE).close()
    open_database(url(tmp_path), Use.READ).close()


@pytest.mark.parametrize("use", list(Use))
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, use: Use) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"Dear diary, " * 1000)
    assert "not a ledger of Hubherald" in refused(tmp_path, use)
    assert file.read_bytes() == b"Dear diary, " * 1000


@pytest.mark.parametrize("use", list(Use))
def test_a_newer_ledger_is_refused(tmp_path: Path, use: Use) -> None:
    made(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        ((ours,),) = connection.execute("SELECT version_num FROM alembic_version")
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    message = refused(tmp_path, use)
    assert "written by a newer Hubherald (revision 9999" in message
    # and what was refused holds nothing: the right version can open it
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (ours,))
    open_database(url(tmp_path), Use.ROUTE).close()


@pytest.mark.parametrize("use", [Use.ROUTE, Use.CHANGE])
def test_an_older_ledger_is_brought_up_with_what_is_in_it(tmp_path: Path, use: Use) -> None:
    at_revision(tmp_path, "0001")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("INSERT INTO cursors VALUES ('drop', 'facts.jsonl', 17, 1)")
    assert "made by an older Hubherald" in refused(tmp_path, Use.READ)
    with closing(open_database(url(tmp_path), use)) as database:
        older = Cursor("facts.jsonl", 17, 1, digest="", identity="")
        assert read_cursors(database, "drop") == {"facts.jsonl": older}
        assert ask(database, "SELECT count(*) FROM suspects") == [(0,)]
    open_database(url(tmp_path), Use.READ).close()


def test_an_older_ledger_gets_one_spelling_of_each_mprn(tmp_path: Path) -> None:
    at_revision(tmp_path, "0004")
    start, later = "2020-01-01", "2025-04-01"
    rows = [  # hub, number, first day, kind, supplier, last change
        (1, "0012345601", start, "mprn", "padded alone", 5),
        (1, "12345601", later, "mprn", "plain alone", 5),
        (2, "0012345601", start, "mprn", "padded is newer", 6),
        (2, "12345601", start, "mprn", "older", 5),
        (3, "0012345601", start, "mprn", "older", 5),
        (3, "12345601", start, "mprn", "plain is newer", 6),
        (4, "0012345601", start, "mprn", "older", 5),
        (4, "000012345601", start, "mprn", "newest of padded", 7),
        (4, "012345601", start, "mprn", "older, too", 6),
        (5, "00000012304", start, "mprn", "six digits stay", 5),
        (6, "012304", start, "mprn", "six digits are right", 5),
        (7, "0000000000", start, "mprn", "no number at all", 5),
        (8, "0000021679845", start, "import_mpan", "of electricity", 5),
        (9, "3938424403", start, "mprn", "as it was", 5),
    ]
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO registrations (device_id, mpxn, effective_from, point, supplier_id,"
            " effective_to, updated_at) VALUES (?, ?, ?, ?, ?, '2030-01-01', ?)",
            [(device(each[0]), *each[1:]) for each in rows],
        )
    with closing(open_database(url(tmp_path), Use.CHANGE)) as database:
        found = ask(
            database,
            "SELECT mpxn, effective_from, supplier_id, updated_at, point, effective_to"
            " FROM registrations ORDER BY device_id, effective_from",
        )
    assert found == [
        ("12345601", start, "padded alone", 5, "mprn", "2030-01-01"),
        ("12345601", later, "plain alone", 5, "mprn", "2030-01-01"),
        ("12345601", start, "padded is newer", 6, "mprn", "2030-01-01"),
        ("12345601", start, "plain is newer", 6, "mprn", "2030-01-01"),
        ("12345601", start, "newest of padded", 7, "mprn", "2030-01-01"),
        ("012304", start, "six digits stay", 5, "mprn", "2030-01-01"),
        ("012304", start, "six digits are right", 5, "mprn", "2030-01-01"),
        ("0000000000", start, "no number at all", 5, "mprn", "2030-01-01"),
        ("0000021679845", start, "of electricity", 5, "import_mpan", "2030-01-01"),
        ("3938424403", start, "as it was", 5, "mprn", "2030-01-01"),
    ]


@pytest.mark.parametrize("wrong", ["", "ledger.db", "sqlite://"])
def test_a_url_that_is_none_is_explained(wrong: str) -> None:
    with pytest.raises(LedgerError, match=r"sqlite:///FILE"):
        open_database(wrong, Use.READ)


def test_a_secret_in_a_url_is_not_shown() -> None:
    with pytest.raises(LedgerError) as caught:
        open_database("postgresql://user:hunter2@host/db", Use.READ)
    assert "hunter2" not in str(caught.value)


# --- one router at a time -------------------------------------------------------------------


def test_a_second_router_is_told_who_holds_the_ledger(tmp_path: Path) -> None:
    with another(HOLDER, url(tmp_path)) as first:
        message = refused(tmp_path, Use.ROUTE)
        assert f"held by another router (process {first.pid})" in message


def test_a_second_router_in_one_process_is_refused_too(tmp_path: Path) -> None:
    with closing(open_database(url(tmp_path), Use.ROUTE)):
        assert f"process {os.getpid()}" in refused(tmp_path, Use.ROUTE)
    open_database(url(tmp_path), Use.ROUTE).close()


def test_operators_work_beside_a_router(tmp_path: Path) -> None:
    with another(HOLDER, url(tmp_path)):
        with closing(open_database(url(tmp_path), Use.CHANGE)) as operator:
            assert ask(operator, "DELETE FROM cursors RETURNING line") == [(1,)]
        with closing(open_database(url(tmp_path), Use.READ)) as reader:
            assert ask(reader, "SELECT count(*) FROM cursors") == [(0,)]


def test_the_lock_dies_with_a_killed_router(tmp_path: Path) -> None:
    with another(HOLDER, url(tmp_path)) as first:
        refused(tmp_path, Use.ROUTE)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with closing(open_database(url(tmp_path), Use.ROUTE)) as second:
            assert ask(second, "SELECT line FROM cursors") == [(1,)]


def test_what_a_killed_router_had_not_committed_is_not_there(tmp_path: Path) -> None:
    with another(HOLDER, url(tmp_path), "half") as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        with closing(open_database(url(tmp_path), Use.ROUTE)) as second:
            assert ask(second, "SELECT line FROM cursors") == []


# --- locked ---------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [Use.ROUTE, Use.CHANGE])
def test_a_ledger_that_another_program_locks_is_named(tmp_path: Path, use: Use) -> None:
    made(tmp_path).close()
    with another(LOCKER, str(tmp_path / "ledger.db")):
        message = refused(tmp_path, use)
        assert "locked by another program for more than 0.05 s" in message
        # reading waits for nobody
        with closing(open_database(url(tmp_path), Use.READ)) as reader:
            assert ask(reader, "SELECT count(*) FROM documents") == [(2,)]
    open_database(url(tmp_path), use).close()


def test_a_lock_that_comes_later_is_a_matter_of_trying_again(tmp_path: Path) -> None:
    made(tmp_path).close()
    with closing(open_database(url(tmp_path), Use.ROUTE, busy_seconds=0.05)) as database:
        with another(LOCKER, str(tmp_path / "ledger.db")):
            for _ in range(2):
                with pytest.raises(LedgerUnavailable, match="locked"):
                    ask(database, "SELECT 1")
        assert ask(database, "SELECT count(*) FROM documents") == [(2,)]


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as database:
        with pytest.raises(DatabaseError), database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql("INSERT INTO stored_facts (id) VALUES (1)")
        assert ask(database, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_a_router_sees_that_another_process_changed_its_ledger(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as router:
        before = changes(router)
        lane_of(router)  # its own changes do not count
        assert changes(router) == before
        with closing(open_database(url(tmp_path), Use.READ)) as reader:
            ask(reader, "SELECT 1")
        assert changes(router) == before
        with closing(open_database(url(tmp_path), Use.CHANGE)) as operator:
            lane_of(operator, user(2))
        assert changes(router) != before


def test_a_folder_at_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    assert "can't be opened: Is a directory" in refused(tmp_path, Use.ROUTE)
    assert "can't be opened" in refused(tmp_path, Use.CHANGE)


def test_it_is_known_whether_there_was_a_ledger_before(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    for anew, use in ((True, Use.CHANGE), (False, Use.CHANGE), (False, Use.ROUTE)):
        with closing(open_database(url(tmp_path), use)) as database:
            assert database.made is anew


def test_the_newest_revision_is_told_without_alembic() -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST
    program = (
        "import sys; import router.ledger.queries.lists; "
        "assert 'sqlalchemy' in sys.modules; assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
