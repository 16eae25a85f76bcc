"""Who may open the files of a ledger: they tell which company supplies whose home."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.errors import LedgerError
from router.files.newfiles import Access
from router.ledger.database import Use, open_database
from router.ledger.sqlitefile import SqliteFile

pytestmark = pytest.mark.sqlite

NAMES = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
MODES = {Access.OWNER: 0o600, Access.GROUP: 0o660}


@pytest.fixture(params=[0o022, 0o077, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.lstat().st_mode) for file in folder.iterdir()}


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("access", MODES)
@pytest.mark.parametrize("use", [Use.ROUTE, Use.CHANGE])
def test_a_ledger_is_made_for_its_owner_or_its_group(
    tmp_path: Path, use: Use, access: Access
) -> None:
    with closing(open_database(f"sqlite:///{tmp_path}/ledger.db", use, access=access)):
        found = modes(tmp_path)
    assert set(NAMES) <= found.keys()
    assert set(found.values()) == {MODES[access]}


@pytest.mark.parametrize("access", MODES)
def test_a_router_closes_what_stood_open(tmp_path: Path, access: Access) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with closing(open_database(url, Use.CHANGE)):
        for name in (*NAMES, "ledger.db.lock"):
            (tmp_path / name).touch()
            (tmp_path / name).chmod(0o644)
        with closing(open_database(url, Use.ROUTE, access=access)) as database:
            assert set(modes(tmp_path).values()) == {MODES[access]}
            assert isinstance(database.store, SqliteFile)
            assert database.store.lock is not None
            assert not database.store.lock.exposed()


def test_a_link_in_the_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o644)
    (tmp_path / "ledger.db.lock").symlink_to("victim")
    with closing(open_database(f"sqlite:///{tmp_path}/ledger.db", Use.ROUTE)):
        assert victim.read_bytes() == b"precious"
        assert modes(tmp_path)["victim"] == 0o644


@pytest.mark.parametrize("use", Use)
def test_a_pipe_is_no_ledger(tmp_path: Path, use: Use) -> None:
    os.mkfifo(tmp_path / "ledger.db")
    with pytest.raises(LedgerError, match="not a plain file"):
        open_database(f"sqlite:///{tmp_path}/ledger.db", use)


def test_a_pipe_in_the_place_of_the_lock_file_changes_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger.db.lock")
    with closing(open_database(f"sqlite:///{tmp_path}/ledger.db", Use.ROUTE)):
        assert stat.S_ISFIFO((tmp_path / "ledger.db.lock").stat().st_mode)
