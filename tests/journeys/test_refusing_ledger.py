"""A ledger that takes nothing for a while: the router is not ready, says why, and goes on."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.estate import S1, Estate
from support.liverouter import Live, one_supplier, running

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return one_supplier(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def told(estate: Estate) -> bool:
    return bool(list((estate.folder / "sent" / S1).glob("*.json")))


def not_ready(live: Live) -> str:
    status, said = live.ready()
    return said if status == 503 else ""


def test_a_disk_that_is_full(estate: Estate, small: Path) -> None:
    with running(estate, ledger={"url": f"sqlite:///{small}/hubherald.db"}) as live:
        live.until(lambda: live.ready()[0] == 200)
        with pytest.raises(OSError, match="No space"):
            (small / "other").write_bytes(bytes(4 * 1024 * 1024))
        live.until(lambda: f"ledger: the disk that {small} is on is full" in not_ready(live))
        estate.activation()
        live.until(lambda: not_ready(live))
        (small / "other").unlink()
        live.until(lambda: told(estate) and live.ready()[0] == 200)


def test_a_database_that_another_program_locks(estate: Estate) -> None:
    with running(estate) as live:
        live.until(lambda: live.ready()[0] == 200)
        file = estate.folder / "hubherald.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            estate.activation()
            live.until(lambda: "ledger: the ledger can't be used now" in not_ready(live))
            other.execute("ROLLBACK")
        live.until(lambda: told(estate) and live.ready()[0] == 200)
