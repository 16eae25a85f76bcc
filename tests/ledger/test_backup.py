"""Copies of the ledger, made while somebody writes; and what a router does that starts on one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest
from support.chains import broken
from support.ledgers import ask, fill, lane_of, made
from support.samples import NOW, device, user

from router.errors import UsageError
from router.files.newfiles import Access
from router.ledger import backup
from router.ledger.backup import back_up
from router.ledger.database import Database, Use, open_database
from router.ledger.documents import go_live
from router.ledger.proof.heads import Ends, ends_of
from router.ledger.proof.verification import verify
from router.ledger.restored import MARGIN, set_ahead

pytestmark = pytest.mark.sqlite

LATER = NOW + timedelta(hours=3)
S1, S2 = user(1), user(2)


def saved(router: Database, file: Path, **more: Callable[[int], None]) -> Path:
    """A backup by a command beside the router."""
    with closing(open_database(router.url, Use.READ)) as beside:
        back_up(beside, file, LATER, access=Access.OWNER, **more)
    return file


def told(router: Database, first: int, users: tuple[str, ...] = (S1,)) -> list[int]:
    """One more Alert to each of these users; its numbers."""
    fill(router, [device(first)], {name: [lane_of(router, name)] for name in users}, first=first)
    rows = ask(router, "SELECT sequence FROM alerts ORDER BY id DESC LIMIT " + str(len(users)))
    return [row[0] for row in reversed(rows)]


def opened(file: Path) -> Database:
    return open_database(f"sqlite:///{file}", Use.ROUTE)


def jumps(router: Database) -> list[dict[str, object]]:
    found = ask(router, "SELECT detail FROM actions WHERE action = 'sequences jump'")
    return [json.loads(row[0]) for row in found]


def test_a_backup_is_one_moment_though_the_router_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 3)
    with closing(made(tmp_path)) as router:
        told(router, 1)
        before = ask(router, "SELECT * FROM alerts")
        parts: list[int] = []
        totals: list[int] = []

        def goes_on(count: int) -> None:
            parts.append(count)
            told(router, 100 + len(parts))

        file = saved(router, tmp_path / "backup.db", begin=totals.append, advance=goes_on)
        assert len(parts) > 5
        assert [sum(parts)] == totals
        with closing(opened(file)) as found:
            assert ask(found, "SELECT * FROM alerts") == before
            assert broken(found) == []
            assert ask(found, "PRAGMA integrity_check") == [("ok",)]
            assert verify(found).flaw is None
    assert file.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {
        *("ledger.db", "ledger.db.lock", "backup.db", "backup.db.lock")
    }


@pytest.mark.parametrize("in_the_way", ["a file", "a link", "no folder"])
def test_a_backup_takes_nobodys_place(tmp_path: Path, in_the_way: str) -> None:
    file = tmp_path / "backup.db"
    if in_the_way == "a file":
        file.write_text("mine")
    elif in_the_way == "a link":
        file.symlink_to(tmp_path / "nowhere")
    else:
        file = tmp_path / "nowhere" / "backup.db"
    with closing(made(tmp_path)) as router, pytest.raises(UsageError, match=r"can't be written: "):
        saved(router, file)
    left = {each.name for each in tmp_path.iterdir()} - {"backup.db"}
    assert left == {"ledger.db", "ledger.db.lock"}


def test_on_a_backup_no_number_is_given_again(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as router:
        assert told(router, 1) == [1]
        file = saved(router, tmp_path / "backup.db")
        assert told(router, 2, (S1, S2)) == [2, 1]
    with closing(opened(file)) as restored:
        done = set_ahead(restored, [], LATER)
        assert done is not None
        assert done.why.startswith("it is the backup of 2026-06-01T15:00:00Z")
        assert told(restored, 3, (S1, S2)) == [MARGIN + 2, MARGIN + 2]
        assert jumps(restored) == [
            {
                "why": done.why,
                "margin": MARGIN,
                "next": {"others": MARGIN + 2, S1: MARGIN + 2},
            }
        ]
        assert set_ahead(restored, [], LATER) is None
        assert verify(restored).flaw is None


def test_the_ledger_that_was_copied_does_not_jump(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as router:
        told(router, 1)
        saved(router, tmp_path / "backup.db")
        assert set_ahead(router, [ends_of(router)], LATER) is None
        assert told(router, 2) == [2]


def copied(folder: Path) -> tuple[Path, Ends]:
    """A state of the ledger, copied by whatever means, and a later head."""
    file = folder / "copy.db"
    with closing(made(folder)) as router:
        told(router, 1)
    copy(folder / "ledger.db", file)
    with closing(opened(folder / "ledger.db")) as router:
        told(router, 2, (S1, S2))
        return file, ends_of(router)


def test_an_older_state_is_known_by_a_head(tmp_path: Path) -> None:
    file, head = copied(tmp_path)
    with closing(opened(file)) as restored:
        done = set_ahead(restored, [head], LATER)
        assert done is not None
        assert "knows the chain of router up to link" in done.why
        assert told(restored, 3, (S1, S2)) == [MARGIN + 2, MARGIN + 2]


def test_another_state_of_the_same_length_is_known_by_a_head(tmp_path: Path) -> None:
    file, head = copied(tmp_path)
    with closing(opened(file)) as other:
        while ends_of(other)[-1].link < head[-1].link:
            told(other, 100 + ends_of(other)[-1].link)
    with closing(opened(file)) as restored:
        assert set_ahead(restored, [head], LATER) is not None


def test_the_head_of_another_ledger_says_nothing(tmp_path: Path) -> None:
    file, head = copied(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA user_version = 7")
    with closing(opened(file)) as other:
        assert set_ahead(other, [head], LATER) is None


def test_users_who_come_after_a_jump_begin_behind_it(tmp_path: Path) -> None:
    with closing(made(tmp_path)) as router:
        assert told(router, 1) == [1]
        file = saved(router, tmp_path / "backup.db")
    with closing(opened(file)) as restored:
        set_ahead(restored, [], LATER)
        go_live(restored, [], [(S1, "main", "test"), (S2, "main", "test")], LATER)
        assert told(restored, 2, (S2,)) == [MARGIN + 2]
