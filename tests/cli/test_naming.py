"""Service Users by name, and ids in any usual spelling."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import HUB, S1, S2, S3, SUPPLIER, Estate

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Acme Energy, and Acme Gas, who is told too."""
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER, name="Acme Energy")
    estate.user(S2, SUPPLIER, name="Acme Gas")
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation("9001")
    estate.run()
    return estate


@pytest.mark.parametrize(
    "spelled",
    ["acme energy", "ENERGY", " Acme  Energy", S1, S1.lower(), S1.replace("-", ""), "energ"]
    + [S1.replace("-", between) for between in ":. "],
)
def test_a_user_is_meant_by_name_or_by_id_however_it_is_spelled(
    estate: Estate, spelled: str
) -> None:
    found = rows("alerts", "list", "--user", spelled, folder=estate.folder)
    assert [each["service_user_id"] for each in found] == [S1]
    assert call("lanes", "pause", spelled, folder=estate.folder).exit_code == 0
    lanes = rows("lanes", "list", folder=estate.folder)
    assert {each["service_user"]: each["state"] for each in lanes} == {
        "Acme Energy": "closed",
        "Acme Gas": "open",
    }


def test_the_configuration_may_be_named_behind(estate: Estate) -> None:
    words = [
        "alerts",
        "list",
        "--user",
        "energy",
        "--config",
        str(estate.folder / "hubherald.yaml"),
    ]
    done = call(*words)
    assert (done.exit_code, S1 in done.stdout, S2 in done.stdout) == (0, True, False)


def test_where_it_is_not_clear_who_is_meant_all_of_them_are_told(estate: Estate) -> None:
    done = call("lanes", "pause", "acme", folder=estate.folder)
    assert done.exit_code == 2
    assert f"may be one of 2: Acme Energy is {S1}; Acme Gas is {S2}" in done.stderr


@pytest.mark.parametrize("words", ["nobody", "", "90-B3", f"{S1}-00"])
def test_who_is_nobody_is_wrong_use(estate: Estate, words: str) -> None:
    done = call("lanes", "pause", words, folder=estate.folder)
    assert done.exit_code == 2
    assert "in no name of service_users.yaml" in done.stderr


def test_names_stand_beside_ids(estate: Estate) -> None:
    told = call("why", "--hub", HUB.replace("-", ":").lower(), folder=estate.folder).stdout
    assert f"{S1} (Acme Energy) as import_supplier: alerted" in told
    assert f"supplier {S2} (Acme Gas)" in told
    for words in (("lanes", "list"), ("alerts", "list"), ("rollout", "9001")):
        told = json.loads(call(*words, "-o", "json", folder=estate.folder).stdout)
        listed = told if isinstance(told, list) else told["service_users"]
        assert {each["service_user"] for each in listed} == {"Acme Energy", "Acme Gas"}
        assert "Acme Gas" in call(*words, folder=estate.folder).stdout


def test_a_mistake_in_the_users_file_keeps_nobody_from_asking(estate: Estate) -> None:
    (estate.folder / "service_users.yaml").write_text("service_users: [}\n")
    (found,) = rows("alerts", "list", "--user", S1, folder=estate.folder)
    assert (found["service_user_id"], found["service_user"]) == (S1, None)
    assert call("alerts", "list", "--user", "acme", folder=estate.folder).exit_code == 2


def test_why_takes_a_hub_a_meter_point_or_an_alert(estate: Estate) -> None:
    (mine,) = rows("alerts", "list", "--user", S1, folder=estate.folder)
    points = estate.ask("SELECT mpxn FROM registrations ORDER BY point")
    whole = call("why", "--hub", HUB, folder=estate.folder).stdout
    assert "Alert" in whole
    begun = [mine["id"], mine["id"][:8], mine["id"].replace("-", "")[:20].upper()]
    for about in (HUB, HUB.lower(), *(point for (point,) in points), *begun):
        assert call("why", about, folder=estate.folder).stdout == whole


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("12345678", "meter point 12345678 is not in the inventory"),
        ("12345", "an MPRN has 6 to 11 digits"),
        ("deadbeef", "no Alert's id begins with deadbeef"),
        ("acme", "is no Device ID"),
    ],
)
def test_why_says_what_it_did_not_understand(estate: Estate, about: str, said: str) -> None:
    done = call("why", about, folder=estate.folder)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_why_says_in_a_sentence_why_somebody_was_not_told(estate: Estate) -> None:
    estate.user(S3, SUPPLIER, name="Borealis")
    told = call("why", HUB, "--user", "acme energy", folder=estate.folder).stdout
    assert told.endswith(f"\n{S1} (Acme Energy) was to be told: 1 Alert, as above.\n")
    told = call("why", HUB, "--user", "borealis", folder=estate.folder).stdout
    assert f"\n{S3} (Borealis) was not told: no registration made them responsible" in told


def test_an_alert_is_shown_by_its_first_digits(estate: Estate) -> None:
    (mine,) = rows("alerts", "list", "--user", S1, folder=estate.folder)
    shown = call("alerts", "show", mine["id"][:8], folder=estate.folder)
    assert (shown.exit_code, mine["id"] in shown.stdout) == (0, True)
    assert call("alerts", "show", mine["id"][:7], folder=estate.folder).exit_code == 2


@pytest.mark.parametrize(("begun", "length"), [("d6d3bc6c-4c2c-5b67", 18), ("12345678", 8)])
def test_why_takes_digits_of_an_alert_that_may_be_those_of_a_hub_or_a_meter_point(
    estate: Estate, begun: str, length: int
) -> None:
    known = begun + "d6d3bc6c-4c2c-5b67-9a53-0b8f3f1f6f0e"[length:]
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection, connection:
        connection.execute("UPDATE stored_alerts SET alert_id = ? WHERE id = 1", [known])
    told = call("why", begun, folder=estate.folder)
    assert (told.exit_code, told.stdout) == (0, call("why", HUB, folder=estate.folder).stdout)


def test_evidence_and_a_drill_take_a_user_by_name(estate: Estate, tmp_path: Path) -> None:
    words = ("evidence", "--user", "energy", "--to", tmp_path / "energy.zip")
    assert call(*words, folder=estate.folder).stdout.startswith("evidence of 1 Alert is in ")
    tried = call("adapter", "try", "folder", "--user", "energy", folder=estate.folder)
    assert (tried.exit_code, tried.stdout.startswith(S1)) == (0, True), tried.stderr


def test_what_captures_a_decision_and_what_lists_actions_take_the_same(estate: Estate) -> None:
    (mine,) = rows("alerts", "list", "--user", S1, folder=estate.folder)
    captured = call("capture", mine["id"][:8], "-", folder=estate.folder)
    assert (captured.exit_code, mine["id"] in captured.stdout) == (0, True)
    assert call("lanes", "pause", "Acme Gas", folder=estate.folder).exit_code == 0
    for word in ("acme gas", S2, S2.lower().replace("-", "")):
        (paused,) = rows("actions", "list", "--on", word, folder=estate.folder)
        assert paused["about"].startswith(S2)
