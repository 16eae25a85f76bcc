"""`hubherald inventory correct`: what a wrong fact has set is mended, and it is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commandline import call, row
from support.estate import HUB, S1, SUPPLIER, Estate

TO = ["--firmware-version", "9002", "--activated-at", "2026-06-01T12:00:00Z"]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """A hub that a fact with a wrong time says to run a wrong version."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("6666", activated_at="2026-11-26T12:00:00Z")
    estate.run()
    return estate


def runs(estate: Estate) -> tuple[object, object]:
    hub = row("inventory", "show", HUB, folder=estate.folder)
    return hub["firmware_version"], hub["activated_at"]


def test_what_is_said_counts_and_later_facts_count_again(estate: Estate) -> None:
    assert runs(estate) == ("6666", "2026-11-26T12:00:00Z")
    done = call("inventory", "correct", HUB.lower(), *TO, folder=estate.folder)
    assert done.exit_code == 0
    now, before = "9002 since 2026-06-01T12:00:00Z", "6666 since 2026-11-26T12:00:00Z"
    assert done.stdout == f"{HUB}: runs {now}; before: runs {before}\n"
    assert runs(estate) == ("9002", "2026-06-01T12:00:00Z")
    estate.activation("9003", activated_at="2026-06-02T12:00:00Z")
    estate.run()
    assert runs(estate) == ("9003", "2026-06-02T12:00:00Z")


def test_it_is_an_action(estate: Estate) -> None:
    call("inventory", "correct", HUB, "--unknown", folder=estate.folder)
    assert runs(estate) == (None, None)
    question = "SELECT detail FROM actions WHERE action = 'inventory correct'"
    ((detail,),) = estate.ask(question)
    assert json.loads(detail) == {
        "device_id": HUB,
        "from": {"firmware_version": "6666", "activated_at": "2026-11-26T12:00:00Z"},
        "to": None,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give --firmware-version and --activated-at, or --unknown"),
        (["--unknown", *TO], "give --firmware-version and --activated-at, or --unknown"),
        (TO[:2], "give --firmware-version and --activated-at, or --unknown"),
        (["--firmware-version", "123456789", *TO[2:]], "is no firmware version"),
    ],
)
def test_what_makes_no_sense_is_told(estate: Estate, words: list[str], said: str) -> None:
    done = call("inventory", "correct", HUB, *words, folder=estate.folder)
    assert done.exit_code == 2
    assert said in done.stderr
    assert runs(estate) == ("6666", "2026-11-26T12:00:00Z")


def test_an_unknown_hub_is_told(estate: Estate) -> None:
    done = call("inventory", "correct", S1, "--unknown", folder=estate.folder)
    assert done.exit_code == 1
    assert "is not in the inventory" in done.stderr


def test_what_lies_ahead_is_refused_as_in_a_fact(estate: Estate) -> None:
    words = ["--firmware-version", "9002", "--activated-at", "2099-06-01T12:00:00Z"]
    done = call("inventory", "correct", HUB, *words, folder=estate.folder)
    assert done.exit_code == 1
    assert "ahead: no activation until then would change what the hub runs" in done.stderr
    assert runs(estate) == ("6666", "2026-11-26T12:00:00Z")
