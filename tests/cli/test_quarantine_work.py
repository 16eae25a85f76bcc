"""Quarantine as a place to work at: what is found, shown, mended, settled and let go."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.commandline import call, row, rows
from support.estate import HUB, S1, SUPPLIER, Estate
from support.liverouter import one_supplier, running

from router.ledger.mending import repair

pytestmark = pytest.mark.once

OTHER = "90-B3-D5-1F-30-00-10-02"
FACT = {
    "specversion": "1.0",
    "id": "a1",
    "source": "head-end",
    "type": "hubherald.firmware.activated.v1",
    "data": {
        "device_id": HUB,
        "firmware_version": "9002",
        "activated_at": "2026-06-01T12:00:00+00:00",
        "outcome": "succes",
    },
}
BROKEN = json.dumps(FACT).encode()
MENDED = BROKEN.replace(b'"succes"', b'"success"')


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """An activation with a misspelt word, and one that breaks off, are in quarantine."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.line(BROKEN)
    estate.line(b'{"data": {"device_id": "%s", "outc' % OTHER.lower().encode())
    estate.run()
    return estate


def listed(estate: Estate, *words: str) -> list[int]:
    """Their numbers, the oldest first."""
    found = rows("quarantine", "list", "--reverse", *words, folder=estate.folder)
    return [each["id"] for each in found]


def mended(estate: Estate, body: bytes = MENDED) -> Path:
    file = estate.folder / "fact.json"
    file.write_bytes(body)
    return file


def test_why_finds_what_is_broken_by_its_hub(estate: Estate) -> None:
    for hub, number, reason in ((HUB, 1, "invalid"), (OTHER, 2, "malformed")):
        told = call("why", "--hub", hub, folder=estate.folder)
        assert (told.exit_code, f"in quarantine, number {number}: " in told.stdout) == (0, True)
        assert f"{reason}: " in told.stdout
        assert f"next: waits for `hubherald quarantine release {number}`" in told.stdout


def test_what_waits_is_searched(estate: Estate) -> None:
    assert listed(estate) == [1, 2]
    assert listed(estate, "--hub", OTHER) == [2]
    assert listed(estate, "--source", "head-end") == [1]
    assert listed(estate, "--source", "drop") == [1, 2]
    assert listed(estate, "--text", '"succes"') == [1]
    assert listed(estate, "--text", "outcome: ") == [1]
    assert listed(estate, "--since", "1h", "--reason", "malformed") == [2]
    assert listed(estate, "--since", "2899-01-01") == []


def test_raw_is_the_body_and_nothing_else(estate: Estate) -> None:
    shown = call("quarantine", "show", "1", "--raw", folder=estate.folder)
    assert shown.stdout_bytes == BROKEN


def test_a_mended_fact_is_decided_and_says_where_it_is_from(estate: Estate) -> None:
    done = call(
        *("quarantine", "repair", "1", mended(estate), "--reason", "a letter was missing"),
        folder=estate.folder,
    )
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "repaired: 1, as 3")
    assert listed(estate) == [2, 3]
    estate.run()
    assert listed(estate) == [2]
    assert len(estate.sent(S1)) == 1
    ((origin, evidence),) = estate.ask(
        "SELECT origin, evidence FROM facts WHERE effect = 'decided'"
    )
    assert origin == "drop repair of 1"
    assert json.loads(evidence)["repaired_from"] == "1"
    ((detail,),) = estate.ask("SELECT detail FROM actions")
    assert json.loads(detail) == {
        "ids": [1],
        "as": 3,
        "device_id": HUB,
        "reason": "a letter was missing",
    }
    shown = row("quarantine", "show", "1", folder=estate.folder)
    assert shown["body"] == BROKEN.decode()
    assert "as 3: a letter was missing" in shown["ended"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BROKEN, "still not a fact (invalid): outcome:"),
        (b"{", "still not a fact (malformed): "),
        (MENDED.replace(b'"a1"', b'"f1"').replace(b"head-end", b"dsp"), "with other data: give"),
    ],
)
def test_what_can_not_be_used_changes_nothing(estate: Estate, body: bytes, message: str) -> None:
    refused = call("quarantine", "repair", "1", mended(estate, body), folder=estate.folder)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert message in refused.stderr
    assert listed(estate) == [1, 2]
    assert estate.ask("SELECT * FROM actions") == []


def test_an_editor_is_opened_until_it_is_a_fact(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = estate.folder / "tried"
    editor = estate.folder / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        f'if [ -e {tried} ]; then sed -i "s/succesful/success/" "$1"\n'
        f'else touch {tried}; sed -i "s/succes/succesful/" "$1"; fi\n'
    )
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    done = call("quarantine", "repair", "1", folder=estate.folder, given="y\n")
    assert done.exit_code == 0
    assert "still not a fact (invalid)" in done.stderr
    assert "edit it again?" in done.stderr
    monkeypatch.setenv("VISUAL", "true")
    same = call("quarantine", "repair", "2", folder=estate.folder)
    assert (same.exit_code, "it is as it was" in same.stderr) == (1, True)
    estate.run()
    assert len(estate.sent(S1)) == 1


def test_what_needs_nothing_is_closed_and_does_not_come_back(estate: Estate) -> None:
    without = call("quarantine", "close", "2", folder=estate.folder)
    assert (without.exit_code, "Missing option '--reason'" in without.stderr) == (2, True)
    done = call("quarantine", "close", "2", "--reason", "a trial", folder=estate.folder)
    assert (done.exit_code, done.stdout) == (0, "closed: 1 fact\n")
    again = call("quarantine", "close", "1", "2", "--reason", "x", folder=estate.folder)
    assert (again.exit_code, "not in quarantine: 2" in again.stderr) == (1, True)
    estate.line(b'{"data": {"device_id": "%s", "outc' % OTHER.lower().encode())
    estate.run()
    assert listed(estate) == [1]
    shown = call("quarantine", "show", "2", folder=estate.folder).stdout
    assert re.search(
        r"^ended: quarantine close by \S+ at \S+, ids 2: a trial$", shown, re.MULTILINE
    )
    (done,) = rows("actions", "list", folder=estate.folder)
    assert (done["action"], done["count"], done["reason"]) == ("quarantine close", 1, "a trial")


def test_what_was_closed_while_it_waited_for_its_hub_and_comes_again_waits_anew(
    tmp_path: Path,
) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.activation("9002", id="a1")
    estate.run()
    closed = call("quarantine", "close", "1", "--reason", "no such hub", folder=tmp_path)
    assert closed.exit_code == 0
    told = call("why", HUB, folder=tmp_path).stdout
    assert re.search(r"^was in quarantine, number 1: hubherald\.firmware", told, re.MULTILINE)
    assert re.search(r"^  closed by \S+ at \S+: no such hub$", told, re.MULTILINE)
    assert "next: nothing, unless its sender sends it again" in told
    estate.activation("9002", id="a1")
    estate.run()
    assert listed(estate) == [1]
    assert "ended:" not in call("quarantine", "show", "1", folder=tmp_path).stdout
    told = call("why", HUB, folder=tmp_path).stdout
    assert ("in quarantine, number 1: " in told, "closed by" in told) == (True, False)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    assert (listed(estate), len(estate.sent(S1))) == ([], 1)
    assert "quarantine" not in call("why", HUB, folder=tmp_path).stdout


def test_what_comes_to_quarantine_during_a_repair_is_not_taken_for_it(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*given: Any, **more: Any) -> int:
        estate.line(b"{")
        estate.run()
        return repair(*given, **more)

    monkeypatch.setattr("router.ledger.mending.repair", late)
    told = call("quarantine", "repair", "1", mended(estate), folder=estate.folder).stdout
    assert "repaired: 1, as 4\nstill to be tried: 1 fact, " in told
    assert "came back" not in told


def test_a_release_says_how_many_came_back_and_why(tmp_path: Path) -> None:
    estate = one_supplier(tmp_path)
    estate.line(BROKEN)
    with running(estate) as live:
        live.until(lambda: listed(estate) == [1])
        done = call("quarantine", "release", "1", folder=tmp_path)
        assert done.stdout.splitlines() == [
            "released: 1 fact",
            "came back: 1 fact (1 invalid); `hubherald quarantine list` says why",
        ]
        told = row("quarantine", "repair", "1", mended(estate), folder=tmp_path)
        assert told == {
            **{"id": 1, "repaired_as": 2, "taken": 1},
            **{"came_back": 0, "reasons": {}, "pending": 0},
        }
        live.until(lambda: estate.sent(S1))
