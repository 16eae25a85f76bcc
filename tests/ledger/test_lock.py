"""One router holds a ledger, whatever way leads there; with real second processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.holders import another
from support.ledgers import ask, lane_of
from support.samples import user

from router.errors import LedgerError
from router.ledger.database import Use, open_database

pytestmark = pytest.mark.sqlite

HOLDER = """
import sys, time
from router.ledger.database import Use, open_database
database = open_database(sys.argv[1], Use.ROUTE)
print("held", flush=True)
time.sleep(600)
"""
OLDER = """
import fcntl, os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(descriptor, fcntl.LOCK_EX)
os.write(descriptor, f"{os.getpid()}\\n".encode())
print("held", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
from router.ledger.database import Use, open_database
database = open_database(sys.argv[1], Use.ROUTE)
print("held", flush=True)
started = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", started], close_fds=False)
time.sleep(600)
"""
BESIDE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("CREATE TABLE IF NOT EXISTS beside (x)")
connection.execute("INSERT INTO beside VALUES (1)")
connection.close()
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def refused(path: Path) -> str:
    """What a router is told that can't have the ledger."""
    with pytest.raises(LedgerError) as caught:
        open_database(f"sqlite:///{path}", Use.ROUTE)
    return str(caught.value)


def by_symlink(held: Path, other: Path) -> Path:
    (other / "linked.db").symlink_to(held / "ledger.db")
    return other / "linked.db"


def by_hard_link(held: Path, other: Path) -> Path:
    (other / "linked.db").hardlink_to(held / "ledger.db")
    return other / "linked.db"


def by_linked_folder(held: Path, other: Path) -> Path:
    (other / "folder").symlink_to(held)
    return other / "folder" / "ledger.db"


def by_dots(held: Path, other: Path) -> Path:
    return other / ".." / held.name / "." / "ledger.db"


def by_the_kernel(held: Path, _other: Path) -> Path:
    """A path that no comparison of paths finds out, as a mount is."""
    return Path(f"/proc/{os.getpid()}/root{held}/ledger.db")


def without_its_lock_file(held: Path, _other: Path) -> Path:
    (held / "ledger.db.lock").unlink()
    return held / "ledger.db"


def with_another_lock_file(held: Path, _other: Path) -> Path:
    (held / "ledger.db.lock").unlink()
    (held / "ledger.db.lock").write_text("17\n")
    return held / "ledger.db"


WAYS = [
    by_symlink,
    by_hard_link,
    by_linked_folder,
    by_dots,
    by_the_kernel,
    without_its_lock_file,
    with_another_lock_file,
]


@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_leads_there_one_router_holds_the_ledger(
    tmp_path: Path, way: Callable[[Path, Path], Path]
) -> None:
    held, other = tmp_path / "held", tmp_path / "other"
    held.mkdir()
    other.mkdir()
    with another(HOLDER, url(held)) as first:
        path = way(held, other)
        assert f"held by another router (process {first.pid})" in refused(path)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with closing(open_database(url(held), Use.ROUTE)) as second:
            assert not second.made


def test_a_link_that_stood_before_the_ledger_is_held_too(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ledger.db").symlink_to(tmp_path / "ledger.db")
    with another(HOLDER, url(tmp_path / "other")) as first:
        assert f"(process {first.pid})" in refused(tmp_path / "ledger.db")


@pytest.mark.parametrize("folder", [".", "other"])
def test_a_router_of_an_older_version_is_held_apart(tmp_path: Path, folder: str) -> None:
    """It locks nothing but the file beside the path that it was given."""
    given = tmp_path / folder
    if folder == "other":
        given.mkdir()
        (given / "ledger.db").symlink_to(tmp_path / "ledger.db")
    lock_file = given / "ledger.db.lock"
    with another(OLDER, str(lock_file)) as older:
        assert f"held by another router (process {older.pid})" in refused(given / "ledger.db")
    with (
        closing(open_database(url(given), Use.ROUTE)),
        lock_file.open("r+") as file,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def as_text(lock_file: Path) -> None:
    lock_file.write_text("1\n")


def as_bytes(lock_file: Path) -> None:
    lock_file.write_bytes(b"\xff" * 30)


@pytest.mark.parametrize("left", [as_text, as_bytes, Path.mkdir])
def test_a_lock_file_that_was_left_harms_nothing(
    tmp_path: Path, left: Callable[[Path], None]
) -> None:
    left(tmp_path / "ledger.db.lock")
    for _ in range(2):
        with closing(open_database(url(tmp_path), Use.ROUTE)):
            assert f"process {os.getpid()}" in refused(tmp_path / "ledger.db")


def test_what_a_killed_router_had_started_does_not_hold_its_ledger(tmp_path: Path) -> None:
    with another(PARENT, url(tmp_path)) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        first.send_signal(signal.SIGKILL)
        first.wait()
        try:
            open_database(url(tmp_path), Use.ROUTE).close()
        finally:
            os.kill(child, signal.SIGKILL)


def plainly(folder: Path) -> None:
    (folder / "ledger.db").read_bytes()


def as_a_page_does(folder: Path) -> None:
    open_database(url(folder), Use.READ).close()


def as_a_second_router(folder: Path) -> None:
    (folder / "ledger.db.lock").unlink()
    refused(folder / "ledger.db")


@pytest.mark.parametrize("look", [plainly, as_a_page_does, as_a_second_router])
def test_who_closes_the_file_in_the_same_process_takes_nothing_from_the_router(
    tmp_path: Path, look: Callable[[Path], None]
) -> None:
    """Closing a descriptor drops SQLite's locks, and others might think nobody has it open."""
    with closing(open_database(url(tmp_path), Use.ROUTE)) as router:
        lane_of(router)
        look(tmp_path)
        for _ in range(2):  # the last to close would fold the log in, and delete it
            subprocess.run([sys.executable, "-c", BESIDE, tmp_path / "ledger.db"], check=True)
            lane_of(router, user(2))
        assert router.lost() is None
        assert ask(router, "SELECT count(*) FROM lanes") == [(2,)]
        assert ask(router, "SELECT * FROM beside") == [(1,), (1,)]
    assert not (tmp_path / "ledger.db-wal").exists()  # we were the last
    with closing(open_database(url(tmp_path), Use.READ)) as reader:
        assert ask(reader, "SELECT count(*) FROM lanes") == [(2,)]
