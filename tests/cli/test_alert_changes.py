"""`hubherald alerts withdraw`, `resend` and `retry`, and `diff --withdraw`, by command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.commandline import call, row, rows
from support.estate import S1, S2, SUPPLIER, Estate
from support.liverouter import configure, write
from support.routed import ledger

from router.ledger.database import Use
from router.ledger.queries.actions import newest_action, withdrawn_since

pytestmark = pytest.mark.once

HUBS = [f"90-B3-D5-1F-30-00-10-{number:02X}" for number in range(1, 5)]
NARROW = """\
rules:
  - name: {name}
    when:
      - activation.outcome == "success"
      - activation.firmware_version == "9001"
    alert: N64
"""


def homes(estate: Estate) -> None:
    """Four homes of one supplier, who is told by the one rule `wide`."""
    estate.user(S1, SUPPLIER)
    write(estate, "wide")
    configure(estate)
    for number, hub in enumerate(HUBS):
        estate.hub(hub)
        estate.registration("import_mpan", S1, device_id=hub, mpxn=f"180002167984{number}")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four Alerts are held: their lane is paused."""
    estate = Estate(tmp_path_factory.mktemp("held"))
    homes(estate)
    estate.run()
    assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
    for number, hub in enumerate(HUBS):
        estate.activation(f"900{1 + number % 2}", device_id=hub)
    estate.run()
    return estate.folder


@pytest.fixture
def folder(held: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(held, tmp_path / "copy"))


def states(folder: Path) -> list[str]:
    return [row["state"] for row in rows("alerts", "list", folder=folder)][::-1]


def action(folder: Path) -> dict[str, object]:
    """The newest record of what an operator did."""
    estate = Estate.__new__(Estate)
    estate.folder = folder
    ((detail,),) = estate.ask("SELECT detail FROM actions ORDER BY id DESC LIMIT 1")
    found: dict[str, object] = json.loads(detail)
    return found


def sent(folder: Path) -> list[int]:
    found = [json.loads(file.read_bytes()) for file in (folder / "sent" / S1).glob("*.json")]
    return sorted(event["data"]["sequence"] for event in found)


def route(folder: Path) -> None:
    assert call("run", "--until-idle", folder=folder).exit_code == 0


def test_a_trial_run_lists_and_counts_and_changes_nothing(folder: Path) -> None:
    tried = call("alerts", "withdraw", "--version", "9002", "--dry-run", folder=folder)
    header, *listed, total = tried.stdout.splitlines()
    assert (tried.exit_code, total) == (0, "would withdraw 2 deliveries")
    assert header.startswith("decided at")
    assert [line.split()[8] for line in listed] == [HUBS[3], HUBS[1]]
    assert states(folder) == ["held"] * 4


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_more_than_one_asks_once(folder: Path, answer: str) -> None:
    words = ["alerts", "withdraw", "--rule", "wide", "--reason", "too wide"]
    asked = call(*words, folder=folder, given=answer)
    assert asked.exit_code == 1
    assert "withdraw 4 deliveries?" in asked.stderr
    assert "nothing was changed; --yes says yes beforehand" in asked.stderr
    assert states(folder) == ["held"] * 4
    done = call(*words, folder=folder, given="y\n")
    assert (done.exit_code, done.stdout) == (0, "withdrawn: 4 deliveries\n")
    assert states(folder) == ["withdrawn"] * 4
    assert action(folder)["reason"] == "too wide"


def test_the_question_names_whose_alerts_are_meant(folder: Path) -> None:
    asked = call("alerts", "withdraw", "--user", "user", folder=folder, given="n\n")
    assert f"withdraw 4 deliveries to {S1} (User 01)?" in asked.stderr
    words = ("alerts", "resend", "--user", S1, "--state", "withdrawn")
    assert call("alerts", "withdraw", "--user", S1, "--yes", folder=folder).exit_code == 0
    asked = call(*words, folder=folder, given="n\n")
    assert f"send 4 deliveries to {S1} (User 01) again?" in asked.stderr


def test_the_numbers_of_what_is_taken_back_are_given_to_no_other(folder: Path) -> None:
    ids = [row["id"] for row in rows("alerts", "list", "--hub", HUBS[1], folder=folder)]
    assert call("alerts", "withdraw", *ids, folder=folder).stdout == "withdrawn: 1 delivery\n"
    shown = call("why", "--hub", HUBS[1], folder=folder).stdout
    assert "channel folder: withdrawn; next: nothing: it was taken back, and its number is" in shown
    assert "withdrawn: operator by " in shown
    assert call("lanes", "resume", S1, folder=folder).exit_code == 0
    route(folder)
    assert sent(folder) == [1, 3, 4]
    version = row("rollout", "9002", folder=folder)
    assert (version["alerts_delivered"], version["alerts_withdrawn"]) == (1, 1)


def test_withdrawn_by_mistake_goes_after_all(folder: Path) -> None:
    call("alerts", "withdraw", "--since", "1h", "--yes", folder=folder)
    words = ["--state", "withdrawn", "--user", S1]
    again = call("alerts", "resend", *words, "--yes", folder=folder)
    assert again.stdout == "to be sent again: 4 deliveries\n"
    call("lanes", "resume", S1, folder=folder)
    route(folder)
    assert sent(folder) == [1, 2, 3, 4]


def test_what_was_delivered_is_sent_again_as_it_was(folder: Path) -> None:
    call("lanes", "resume", S1, folder=folder)
    route(folder)
    before = {file.name: file.read_bytes() for file in (folder / "sent" / S1).glob("*.json")}
    shutil.rmtree(folder / "sent" / S1)
    words = ["alerts", "resend", "--user", S1, "--version", "9001"]
    tried = call(*words, "--dry-run", folder=folder).stdout.splitlines()
    assert tried[-1] == "would send again 2 deliveries"
    told = row(*words, "--yes", "--reason", "they lost it", folder=folder)
    assert (told["deliveries"], told["held"], told["dry_run"]) == (2, 0, False)
    route(folder)
    after = {file.name: file.read_bytes() for file in (folder / "sent" / S1).glob("*.json")}
    assert len(after) == 2
    assert after.items() <= before.items()
    assert {
        row["attempts"] for row in rows("alerts", "list", "--version", "9001", folder=folder)
    } == {2}
    assert action(folder)["reason"] == "they lost it"


def test_diff_takes_back_what_edited_rules_would_not_have_sent(folder: Path) -> None:
    estate = Estate.__new__(Estate)
    estate.folder = folder
    write(estate, "narrow", NARROW)
    words = ["diff", folder / "rules", "--withdraw"]
    tried = call(*words, "--dry-run", folder=folder)
    assert "0 Alerts more, 2 fewer, 2 the same" in tried.stdout
    assert tried.stdout.splitlines()[-1] == "would withdraw 2 deliveries"
    done = row(*words, "--yes", "--reason", "too wide", folder=folder)
    assert (done["deliveries"], done["dry_run"]) == (2, False)
    assert states(folder) == ["held", "withdrawn", "held", "withdrawn"]
    none = call(*words, "--yes", folder=folder)
    assert none.stdout.splitlines()[-1] == "withdrawn: 0 deliveries"
    assert "--yes and --reason go with" in call("diff", folder, "--yes", folder=folder).stderr


def test_what_is_sent_again_has_not_failed(folder: Path) -> None:
    assert call("lanes", "resume", S1, folder=folder).exit_code == 0
    route(folder)
    assert call("lanes", "pause", S1, folder=folder).exit_code == 0
    again = call("alerts", "resend", "--user", S1, "--yes", folder=folder)
    assert again.exit_code == 0, again.output
    (lane,) = [each for each in rows("lanes", "list", folder=folder) if each["waiting"]]
    assert (lane["failures"], lane["next_try"]) == (0, None)
    (first,) = rows(*["alerts", "list", "--oldest", "--limit", "1", "--user"], S1, folder=folder)
    assert lane["oldest_alert"] == first["id"]


def test_nothing_is_meant_by_saying_nothing(folder: Path) -> None:
    for command in ("withdraw", "resend"):
        refused = call("alerts", command, "--yes", folder=folder)
        assert refused.exit_code == 2
        assert "say which Alerts: their ids, or filters such as --user" in refused.stderr
    none = call("alerts", "withdraw", "--user", S2, "--yes", folder=folder)
    assert (none.exit_code, none.stdout) == (0, "withdrawn: 0 deliveries\n")
    unknown = "00000000-0000-0000-0000-000000000000"
    refused = call("alerts", "withdraw", unknown, folder=folder)
    assert (refused.exit_code, f"there is no Alert {unknown}" in refused.stderr) == (1, True)
    wrong = call("alerts", "resend", "--state", "parked", folder=folder)
    assert "what is parked can't be sent again; only what is delivered, withdrawn" in wrong.stderr
    digest = call("alerts", "list", "--rules-digest", "xyz", folder=folder)
    assert (digest.exit_code, "'xyz' is no digest" in digest.stderr) == (2, True)


def test_a_router_hears_how_many_were_withdrawn_by_commands(folder: Path) -> None:
    estate = Estate.__new__(Estate)
    estate.folder = folder
    with ledger(estate, Use.READ) as database:
        before = newest_action(database)
    call("alerts", "withdraw", "--version", "9002", "--yes", folder=folder)
    with ledger(estate, Use.READ) as database:
        now, counts = withdrawn_since(database, before)
        assert counts == {(S1, "folder"): 2}
        assert withdrawn_since(database, now) == (now, {})
