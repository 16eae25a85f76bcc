"""A ledger that is read by the driver alone: only where that is sure to be right."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.errors import LedgerError
from router.ledger.database import Use, open_database
from router.ledger.queries.lanes import list_lanes
from router.ledger.reader import open_reader

pytestmark = pytest.mark.sqlite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Of a ledger, with a name that is no part of a URL."""
    found = tmp_path / "a b+c.db"
    open_database(f"sqlite:///{found}", Use.ROUTE).close()
    with closing(sqlite3.connect(found)) as connection, connection:
        connection.execute(
            "INSERT INTO lanes (service_user_id, channel, adapter) VALUES ('u', 'log', 'log')"
        )
    return found


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def test_it_tells_what_the_whole_ledger_tells(file: Path) -> None:
    url = f"sqlite:///{file}"
    reader = open_reader(url)
    assert reader is not None
    with closing(reader), closing(open_database(url, Use.READ)) as database:
        told = list_lanes(reader)
        assert told == list_lanes(database)
        assert [lane.channel for lane in told] == ["log"]


def test_it_is_a_snapshot_that_changes_nothing(file: Path) -> None:
    reader = open_reader(f"sqlite:///{file}")
    assert reader is not None
    with closing(reader):
        with reader.transaction() as connection:
            assert connection.execute("SELECT count(*) FROM lanes").fetchone() == (1,)
            change(file, "DELETE FROM lanes")
            assert connection.execute("SELECT count(*) FROM lanes").fetchone() == (1,)
        with (
            pytest.raises(LedgerError, match="attempt to write a readonly database"),
            reader.transaction() as connection,
        ):
            connection.execute("DELETE FROM lanes")
        with reader.transaction() as connection:
            assert connection.execute("SELECT count(*) FROM lanes").fetchone() == (0,)


def test_what_is_no_ledger_of_this_program_is_left_to_who_can_say_so(
    file: Path, tmp_path: Path
) -> None:
    change(file, "UPDATE alembic_version SET version_num = '0001'")
    assert open_reader(f"sqlite:///{file}") is None
    foreign = tmp_path / "foreign.db"
    foreign.write_text("not a database")
    assert open_reader(f"sqlite:///{foreign}") is None
    assert open_reader(f"sqlite:///{tmp_path}/missing.db") is None
    assert not (tmp_path / "missing.db").exists()
    assert open_reader(f"sqlite:///{tmp_path}") is None
    assert open_reader(f"sqlite:///{file}?timeout=5") is None
