"""How many bytes the ledger grows by for each Alert: a number that must not creep up."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from support.commandline import call
from support.madeup import market

ACTIVATIONS = 600
MOST = 1200
"""Bytes for an Alert, with its share of the fact, the decisions and the answers."""


def used(folder: Path) -> int:
    """The bytes of all pages that hold something."""
    with closing(sqlite3.connect(folder / "hubherald.db")) as connection:
        (size, pages, free) = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
        return int(size * (pages - free))


def test_the_ledger_grows_by_little_for_each_alert(tmp_path: Path) -> None:
    market(tmp_path, seed=4, hubs=1800, activations=ACTIVATIONS)
    users = tmp_path / "service_users.yaml"
    text = users.read_text().replace("status: suspended", "status: active")
    users.write_text(re.sub(r"- \{adapter: webhook.*\}", "- {adapter: log}", text))
    files = ["--hubs", tmp_path / "hubs.csv", "--registrations", tmp_path / "registrations.csv"]
    assert call("inventory", "import", *files, folder=tmp_path).exit_code == 0
    before = used(tmp_path)
    done = call("run", "--until-idle", folder=tmp_path)
    assert done.exit_code == 0, done.output
    with closing(sqlite3.connect(tmp_path / "hubherald.db")) as connection:
        question = "SELECT count(*), count(DISTINCT alert) FROM deliveries WHERE state = ?"
        (delivered, alerts) = connection.execute(question, ("delivered",)).fetchone()
    assert delivered == alerts > 2 * ACTIVATIONS
    assert (used(tmp_path) - before) / alerts <= MOST
