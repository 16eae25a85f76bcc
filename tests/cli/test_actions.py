"""Who did what: pauses with a reason and an end, and the list of actions."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import S1, SUPPLIER, Estate
from support.liverouter import one_supplier, running

from router.ledger.actions import system_user

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    return estate


def test_a_running_router_takes_up_a_pause_and_ends_it_by_itself(tmp_path: Path) -> None:
    estate = one_supplier(tmp_path)
    with running(estate) as live:
        paused = call("lanes", "pause", S1, "--for", "3s", "--reason", "trial", folder=tmp_path)
        assert paused.exit_code == 0
        assert paused.stdout.startswith(f"paused: {S1} (User 01) folder until 20")
        live.until(lambda: live.log("lane.closed"))
        estate.activation()
        live.until(lambda: live.log("lane.pause_over"))
        live.until(lambda: estate.sent(S1))
        live.until(lambda: live.log("lane.opened"))
        with urllib.request.urlopen(live.url, timeout=60) as response:
            page = response.read().decode()
    assert '<h2 id="actions">Actions</h2>' in page
    assert "lanes pause" in page
    assert "trial" in page
    last, first = rows("actions", "list", folder=tmp_path)
    assert (first["operator"], first["reason"]) == (system_user(), "trial")
    assert (last["operator"], last["action"], last["about"]) == (
        "router",
        "lanes resume",
        f"{S1} folder",
    )


def test_actions_are_listed_newest_first_and_filtered(estate: Estate) -> None:
    folder = estate.folder
    assert call("actions", "list", folder=folder).stdout == "nobody has changed anything\n"
    call("lanes", "pause", S1, "--until", "2899-01-31T06:00", "--reason", "INC-1", folder=folder)
    call("lanes", "resume", S1, "--reason", "INC-1 is over", folder=folder)
    listed = call("actions", "list", "--by", system_user(), folder=folder).stdout.splitlines()
    assert listed[0].split()[:3] == ["at", "operator", "action"]
    assert "INC-1 is over" in listed[1]
    assert "until 2899-01-31T06:00:00Z" in listed[2]
    more = call("actions", "list", "--limit", "1", folder=folder)
    assert "1 more: see --limit" in more.stderr
    assert rows("actions", "list", "--on", "nobody", folder=folder) == []
    assert (
        len(rows("actions", "list", "--since", "1h", "--action", "lanes pause", folder=folder)) == 1
    )


def test_a_pause_that_is_said_again_tells_the_end_that_stays(estate: Estate) -> None:
    folder = estate.folder
    first = call("lanes", "pause", S1, "--until", "2899-01-31T06:00", folder=folder).stdout
    again = call("lanes", "pause", S1, "--reason", "INC-1", folder=folder).stdout
    assert again == first
    assert " until 2899-01-31" in again


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for", "2h", "--until", "2899-01-01"], "give --for or --until, not both"),
        (["--for", "soon"], "'soon' must be a number with s, m, h or d behind it"),
        (["--for", "0s"], "'0s': give more than 0 s"),
        (["--until", "2h"], "'2h' is no moment; --for takes a span of time"),
        (["--until", "2026-01-01"], "'2026-01-01' is past"),
        (["--until", "noon"], "'noon' is no time"),
    ],
)
def test_an_end_that_is_none_is_wrong_use(estate: Estate, words: list[str], message: str) -> None:
    refused = call("lanes", "pause", S1, *words, folder=estate.folder)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert message in refused.stderr
    assert rows("lanes", "list", folder=estate.folder)[0]["state"] == "open"
