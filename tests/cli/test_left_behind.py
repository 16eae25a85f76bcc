"""What commands say of Alerts that wait on a channel which service_users.yaml names no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commandline import call, row, rows
from support.estate import HUB, S1, S2, SUPPLIER, Estate
from support.listener import Listener

A, B, C = f"{S1}/a", f"{S1}/b", f"{S1}/c"
OTHER_HUB = f"{HUB[:-1]}2"


def channel(name: str, **more: Any) -> dict[str, Any]:
    """A folder unless said otherwise."""
    return {"adapter": "folder", "name": name, "path": f"sent/{name}", **more}


def renamed(estate: Estate, *channels: dict[str, Any]) -> None:
    """An operator's edit of the first user's channels."""
    estate.users[0]["channels"] = list(channels)
    estate.write_users()


def sent(estate: Estate, name: str) -> list[int]:
    """The sequences in a channel's folder."""
    files = (estate.folder / "sent" / name).glob("*.json")
    return sorted(json.loads(file.read_bytes())["data"]["sequence"] for file in files)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two Alerts wait on channel a, whose address is wrong."""
    estate = Estate(tmp_path)
    estate.all_roles()
    estate.user(S1, SUPPLIER)
    estate.users.reverse()
    for hub in (HUB, OTHER_HUB):
        estate.hub(hub)
        estate.registration("import_mpan", S1, device_id=hub)
        estate.activation(device_id=hub)
    with Listener(broken=True, status=404) as nowhere:
        renamed(estate, {"adapter": "webhook", "name": "a", "url": nowhere.url})
        estate.run()
    assert [row["state"] for row in rows("alerts", "list", folder=tmp_path)] == ["held"] * 2
    return estate


def test_a_start_moves_what_waits_where_it_is_one_for_one(estate: Estate) -> None:
    renamed(estate, channel("b"))
    assert "warning" not in call("check", folder=estate.folder).stderr
    estate.run()
    assert sent(estate, "b") == [1, 2]
    ((who, what, detail),) = estate.ask("SELECT operator, action, detail FROM actions")
    assert (who, what) == ("router", "lanes move")
    told = json.loads(detail)
    assert (told["trigger"], told["from"], told["to"], told["deliveries"]) == ("start", "a", "b", 2)


def test_check_warns_before_and_after_and_a_move_ends_it(estate: Estate) -> None:
    renamed(estate, channel("b"), channel("c"))
    for _ in range(2):
        checked = call("check", folder=estate.folder)
        assert checked.exit_code == 0
        assert f"service_users.yaml:1:1: warning: 2 Alerts wait on {A}, which" in checked.stderr
        assert f"`hubherald lanes move {A} {B}` or `hubherald lanes move {A} {C}`" in checked.stderr
        estate.run()
    assert (sent(estate, "b"), sent(estate, "c")) == ([], [])
    assert rows("check", folder=estate.folder) == []
    dry = call("lanes", "move", A, C, "--dry-run", folder=estate.folder)
    assert dry.stdout == f"would move 2 deliveries from {A} to {C}\n"
    done = call("lanes", "move", A.lower().replace("/A", "/a"), C, folder=estate.folder)
    assert (done.exit_code, done.stdout) == (0, f"moved: 2 deliveries from {A} to {C}\n")
    estate.run()
    assert (sent(estate, "b"), sent(estate, "c")) == ([], [1, 2])
    assert "warning" not in call("check", folder=estate.folder).stderr
    ((_, _, detail),) = estate.ask("SELECT operator, action, detail FROM actions")
    assert json.loads(detail)["deliveries"] == 2


def test_a_move_is_told_to_programs(estate: Estate) -> None:
    renamed(estate, channel("b"), channel("c"))
    estate.run()
    dry = row("lanes", "move", A, B, "--dry-run", folder=estate.folder)
    done = row("lanes", "move", A, B, folder=estate.folder)
    assert dry == {**done, "dry_run": True}
    assert done == {
        "service_user_id": S1,
        "from_channel": "a",
        "to_channel": "b",
        "moved": 2,
        "withdrawn": 0,
        "under_way": 0,
        "closed": None,
        "dry_run": False,
    }


def test_check_needs_no_ledger(estate: Estate) -> None:
    renamed(estate, channel("b"), channel("c"))
    ledger = estate.folder / "hubherald.db"
    ledger.write_bytes(b"Dear diary, " * 1000)
    assert call("check", folder=estate.folder).exit_code == 0
    ledger.unlink()
    checked = call("check", folder=estate.folder)
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert not ledger.exists()


def test_a_retry_says_what_is_held_all_the_same(estate: Estate) -> None:
    renamed(estate, channel("b"), channel("c"))
    estate.run()
    for words in (["--dry-run"], []):
        done = call("alerts", "retry", "--user", S1, *words, folder=estate.folder)
        first, held = done.stdout.splitlines()
        would = "would retry 0 deliveries; 2 stay held until their lane opens"
        assert first == (would if words else "retried: 2 deliveries")
        assert held.startswith(f"held: 2 Alerts wait on {A}, which service_users.yaml does not")
        assert f"`hubherald lanes move {A} {B}`" in held
    assert "held" not in call("alerts", "retry", "--user", S2, folder=estate.folder).stdout


def test_a_lane_that_nobody_names_is_not_opened_by_hand(estate: Estate) -> None:
    assert call("lanes", "pause", S1, "a", folder=estate.folder).exit_code == 0
    renamed(estate, channel("b"), channel("c"))
    estate.run()
    listed = {row["channel"]: row["reason"] for row in rows("lanes", "list", folder=estate.folder)}
    assert (listed["a"], listed["b"]) == ("user_removed", None)
    refused = call("lanes", "resume", S1, "a", folder=estate.folder)
    assert refused.exit_code == 1
    assert "a is not in service_users.yaml any more; what waits there goes out" in refused.stderr
    told = call("why", "--hub", HUB, folder=estate.folder).stdout
    assert f"names no such channel; `hubherald lanes move {A} USER/CHANNEL`" in told


def test_what_the_other_channel_had_is_withdrawn(estate: Estate) -> None:
    (webhook,) = estate.users[0]["channels"]
    assert call("lanes", "pause", S1, "a", folder=estate.folder).exit_code == 0
    renamed(estate, webhook, channel("b"))
    estate.activation("9003")
    estate.run()
    renamed(estate, channel("b"))
    estate.run()
    assert sent(estate, "b") == [3]
    done = call("lanes", "move", A, B, folder=estate.folder)
    first, second = done.stdout.splitlines()
    assert first == f"moved: 2 deliveries from {A} to {B}"
    assert second == "withdrawn: 1 delivery: b sends these already, or has"
    estate.run()
    assert sent(estate, "b") == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([A, S1], 2, f"'{S1}' is no lane; write USER/CHANNEL"),
        (["90-B3/a", B], 2, "is no id, such as 90-B3-D5-1F-30-01-00-00, and in no name"),
        ([A, f"{S2}/b"], 1, "are two users"),
        ([A, f"{S1}/folders"], 1, f"there is no lane {S1}/folders; did you mean {S1}/folder?"),
        ([B, A], 1, f"does not name {A} any more; it has b, folder, and a new one"),
    ],
)
def test_wrong_use_is_a_line(estate: Estate, words: list[str], code: int, message: str) -> None:
    renamed(estate, channel("b"), channel("folder"))
    estate.run()
    result = call("lanes", "move", *words, folder=estate.folder)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
