"""`hubherald ledger verify` and `head`, as an auditor types them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.commandline import call, row
from support.estate import HUB, S1, SUPPLIER, Estate

pytestmark = pytest.mark.once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A router has run here."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("9002")
    assert call("run", "--until-idle", folder=tmp_path).exit_code == 0
    return tmp_path


@contextmanager
def changing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Somebody with another tool."""
    with closing(sqlite3.connect(folder / "hubherald.db")) as connection, connection:
        yield connection


def test_what_was_not_changed_is_said_to_be_so(folder: Path) -> None:
    file = folder / "head.json"
    file.write_text(call("ledger", "head", folder=folder).stdout)
    result = call("ledger", "verify", "--head", file, folder=folder)
    assert result.exit_code == 0
    assert result.stdout.startswith("as it was written: ")
    assert f"hash {json.loads(file.read_text())[-1]['hash']}" in result.stdout
    assert "against no head" not in result.stdout
    assert "against no head" in call("ledger", "verify", folder=folder).stdout
    found = row("ledger", "verify", folder=folder)
    assert found["as_written"]
    assert [each["writer"] for each in found["chains"]] == ["router"]


def test_a_changed_alert_is_named(folder: Path) -> None:
    with changing(folder) as connection:
        connection.execute("UPDATE stored_alerts SET service_user_id = ?", (HUB,))
        ((alert,),) = connection.execute("SELECT alert_id FROM stored_alerts").fetchall()
    result = call("ledger", "verify", folder=folder)
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    assert first.startswith(f"changed: Alert {alert} of user {HUB}, record 1 of alerts, link ")
    told = json.loads(call("ledger", "verify", "-o", "json", folder=folder).stdout)["flaw"]
    assert (told["kind"], told["what"], told["table"], told["number"]) == (
        "flaw",
        "changed",
        "alerts",
        1,
    )


def test_text_that_is_none_is_found_as_any_other_change(folder: Path) -> None:
    with changing(folder) as connection:
        connection.execute("UPDATE stored_facts SET source = CAST(x'1b5b33ff' AS TEXT)")
    result = call("ledger", "verify", folder=folder)
    assert result.exit_code == 1
    assert result.stdout.startswith("changed: fact ")
    assert "\x1b" not in result.stdout


def test_a_tail_that_was_cut_is_told(folder: Path) -> None:
    file = folder / "head.json"
    file.write_text(call("ledger", "head", folder=folder).stdout)
    with changing(folder) as connection:
        ((last,),) = connection.execute("SELECT max(id) FROM links").fetchall()
        for table in ("outcomes", "attempts", "stored_alerts", "stored_decisions", "actions"):
            connection.execute(f"DELETE FROM {table} WHERE link = ?", (last,))
        connection.execute("DELETE FROM links WHERE id = ?", (last,))
    result = call("ledger", "verify", "--head", file, folder=folder)
    assert result.exit_code == 1
    assert result.stdout.startswith("cut: the chain of router: at "), result.stdout


@pytest.mark.parametrize("content", ["", "{}x", "[1]", '{"writer": 1}', "[" * 5000])
def test_what_is_no_head_is_refused_in_a_line(folder: Path, content: str) -> None:
    file = folder / "head.json"
    file.write_text(content)
    result = call("ledger", "verify", "--head", file, folder=folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "`hubherald ledger head > FILE` writes one" in result.stderr
