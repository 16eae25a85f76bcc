"""That ledgers are multiplied truly, and that a router works in one: `make bench-growth`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from growth_ledger import Multiplied
from growth_measure import measure
from market import found, users

HUBS = 300


@pytest.mark.once
def test_a_router_decides_and_delivers_in_a_multiplied_ledger(tmp_path: Path) -> None:
    channels = {user: {"adapter": "log"} for user in users(12)}
    found(tmp_path, channels, {"adapter": "folder", "path": "inbox/"}, hubs=HUBS)
    first = measure(tmp_path, HUBS, 100)
    ledger = Multiplied(tmp_path / "hubherald.db", HUBS)
    each = ledger.alerts()
    for size in (2, 4):  # once and again
        ledger.grow_hubs(size * HUBS)
        ledger.grow_alerts(size * each)
    with closing(sqlite3.connect(tmp_path / "hubherald.db")) as connection:

        def ask(question: str) -> object:
            return connection.execute(question).fetchall()

        assert ask("SELECT count(*) FROM hubs") == [(4 * HUBS,)]
        assert ask("SELECT count(*) FROM registrations") == [(12 * HUBS,)]
        assert ask("SELECT count(*) FROM deliveries") == [(4 * each,)]
        assert ask("PRAGMA foreign_key_check") == []
        assert ask("PRAGMA integrity_check") == [("ok",)]
    grown = measure(tmp_path, 4 * HUBS, 100)
    for cost in (first, grown):
        assert cost.decision_statements > 1
        assert cost.delivery_statements > 1
