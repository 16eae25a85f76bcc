"""A whole router whose ledger is on a PostgreSQL server, and what befalls that server."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import S1, Estate
from support.liverouter import Live, one_supplier, running
from support.postgres import LOCKED, PASSWORD, Postgres

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return one_supplier(tmp_path)


@pytest.fixture
def ledger(postgres: Postgres, estate: Estate) -> Iterator[dict[str, str]]:
    """What hubherald.yaml says of an empty database; its user needs a password."""
    name = f"journey_{secrets.token_hex(4)}"
    postgres.ask(f"CREATE DATABASE {name}")
    secret = estate.folder / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    yield {"url": postgres.url(name, LOCKED), "password_file": str(secret)}
    postgres.ask(f"DROP DATABASE {name} WITH (FORCE)")


def told(estate: Estate) -> int:
    return len(list((estate.folder / "sent" / S1).glob("*.json")))


def not_ready(live: Live) -> str:
    status, said = live.ready()
    return said if status == 503 else ""


def closed(live: Live) -> bool:
    """Whether the router knows that its lane is."""
    with urllib.request.urlopen(f"{live.url}/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    return any(each.startswith("hubherald_lane_open{") and each.endswith(" 0.0") for each in lines)


def test_a_server_that_stops_and_comes_back(
    estate: Estate, ledger: dict[str, str], postgres: Postgres
) -> None:
    with running(estate, ledger=ledger) as live:
        estate.activation("V1")
        live.until(lambda: told(estate) == 1 and live.ready()[0] == 200)
        postgres.stop()
        try:
            live.until(lambda: "ledger: the ledger can't be used now" in not_ready(live))
            estate.activation("V2")
        finally:
            postgres.start()
        live.until(lambda: told(estate) == 2 and live.ready()[0] == 200)
        for event in live.log("ledger.unavailable"):
            assert "can't be used now: " in event["detail"]
            assert "\n" not in event["detail"]
            assert PASSWORD not in str(event)
        assert rows("quarantine", "list", "-o", "json", folder=estate.folder) == []
    assert "as it was written" in call("ledger", "verify", folder=estate.folder).stdout


def test_commands_beside_it(estate: Estate, ledger: dict[str, str]) -> None:
    with running(estate, ledger=ledger) as live:
        estate.activation("V1")
        live.until(lambda: told(estate) == 1)
        assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
        live.until(lambda: closed(live))
        estate.activation("V2")
        live.until(lambda: len(rows("alerts", "list", "-o", "json", folder=estate.folder)) == 2)
        listed = rows("alerts", "list", "-o", "json", folder=estate.folder)
        assert [each["state"] for each in listed] == ["held", "delivered"]
        second = call("run", folder=estate.folder)
        assert "another router holds this ledger: process" in second.stderr
        found = rows("rollout", "-o", "json", folder=estate.folder)
        assert sorted(each["alerts_delivered"] for each in found) == [0, 1]
        refused = call("ledger", "backup", "copy.db", folder=estate.folder)
        assert "pg_dump" in refused.stderr


def test_check_says_what_the_server_says(estate: Estate, ledger: dict[str, str]) -> None:
    with running(estate, ledger=ledger):
        assert call("check", folder=estate.folder).exit_code == 0
    Path(ledger["password_file"]).write_text("wrong-horse\n")
    found = call("check", folder=estate.folder)
    assert found.exit_code == 1
    assert "url: " in found.stderr
    assert "the password is wrong" in found.stderr
    assert "wrong-horse" not in found.stderr
