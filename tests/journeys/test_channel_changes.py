"""A user's channels change by reload while Alerts wait, before receivers over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commandline import call
from support.estate import HUB, S1, SUPPLIER, Estate
from support.keypair import KeyPair
from support.listener import Listener
from support.liverouter import Live, running, write
from support.mutual import Mutual
from support.tlslistener import TlsListener

HUBS = [f"{HUB[:-1]}{number}" for number in range(1, 7)]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Six homes of one supplier, whose channels each test writes."""
    made = Estate(tmp_path)
    made.user(S1, SUPPLIER, duis_version="5.4")
    write(made, "tell")
    for hub in HUBS:
        made.hub(hub)
        made.registration("import_mpan", S1, device_id=hub)
    return made


@pytest.fixture
def receiver() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


def change(estate: Estate, *channels: dict[str, Any], live: Live | None = None) -> str:
    """Write the user's channels; where a router runs, reload and give what it answers."""
    estate.users[0]["channels"] = list(channels)
    estate.write_users()
    if live is None:
        return ""
    done = call("reload", folder=estate.folder)
    assert done.exit_code == 0, done.output
    return done.stdout


def activate(estate: Estate) -> None:
    for hub in HUBS:
        estate.activation(device_id=hub)


def retry_now(live: Live) -> None:
    assert call("alerts", "retry", folder=live.estate.folder).exit_code == 0


def states(estate: Estate) -> list[tuple[str, int]]:
    return estate.ask("SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state")


def webhook(receiver: Listener, **more: Any) -> dict[str, Any]:
    return {"adapter": "webhook", "url": receiver.url, "window": 1, **more}


def folder(name: str = "folder") -> dict[str, Any]:
    return {"adapter": "folder", "name": name, "path": f"sent/{name}"}


def received(estate: Estate, name: str = "folder") -> list[int]:
    files = (estate.folder / "sent" / name).glob("*.json")
    return sorted(json.loads(file.read_bytes())["data"]["sequence"] for file in files)


# --- where Alerts go ------------------------------------------------------------------------


def test_what_waits_goes_with_the_channel_that_comes(estate: Estate, receiver: Listener) -> None:
    receiver.broken = True
    change(estate, webhook(receiver))
    activate(estate)
    with running(estate) as live:
        live.until(lambda: receiver.refused and len(estate.ask("SELECT 1 FROM alerts")) == 6)
        said = change(estate, folder(), live=live)
        assert f"moved: 6 Alerts from {S1}/webhook to {S1}/folder" in said.splitlines()
        live.until(lambda: states(estate) == [("delivered", 6)])
        (told,) = live.log("lane.took_over")
        assert (told["before"], told["channel"], told["alerts"]) == ("webhook", "folder", 6)
        assert live.log("lane.stranded") == []
    assert received(estate) == [1, 2, 3, 4, 5, 6]
    assert receiver.bodies == []
    actions = estate.ask("SELECT operator, action, detail FROM actions ORDER BY id")
    assert [each[:2] for each in actions[:2]] == [("router", "reload"), ("router", "lanes move")]
    assert json.loads(actions[1][2])["trigger"] == "http"


def test_what_is_not_one_for_one_is_told_and_moved_by_hand(
    estate: Estate, receiver: Listener
) -> None:
    receiver.broken = True
    change(estate, webhook(receiver))
    activate(estate)
    with running(estate) as live:
        live.until(lambda: receiver.refused and len(estate.ask("SELECT 1 FROM alerts")) == 6)
        said = change(estate, folder("a"), folder("b"), live=live)
        old, new = f"{S1}/webhook", f"{S1}/b"
        (held,) = [line for line in said.splitlines() if line.startswith("held: ")]
        assert held.startswith(f"held: 6 Alerts wait on {old}, which service_users.yaml does not")
        assert f"`hubherald lanes move {old} {new}`" in held
        (told,) = live.log("lane.stranded")
        assert (told["waiting"], told["channel"]) == (6, "webhook")
        live.until(lambda: not estate.ask("SELECT 1 FROM deliveries WHERE state = 'sending'"))
        assert states(estate) == [("waiting", 6)]
        moved = call("lanes", "move", old, new, folder=estate.folder)
        assert moved.stdout == f"moved: 6 deliveries from {old} to {new}\n"
        live.until(lambda: states(estate) == [("delivered", 6)])
    assert (received(estate, "a"), received(estate, "b")) == ([], [1, 2, 3, 4, 5, 6])


def test_a_start_tells_what_was_left_behind(estate: Estate, receiver: Listener) -> None:
    receiver.broken = True
    change(estate, webhook(receiver), folder("b"))
    activate(estate)
    with running(estate) as live:
        live.until(lambda: receiver.refused and len(received(estate, "b")) == 6)
    change(estate, folder("b"))
    with running(estate) as live:
        (told,) = live.log("lane.stranded")
        assert (told["recipient"], told["channel"], told["waiting"]) == (S1, "webhook", 6)
        assert told["advice"] == f"`hubherald lanes move {S1}/webhook {S1}/b`"


# --- in what form ---------------------------------------------------------------------------


def test_what_may_have_been_taken_alone_comes_again_alone(
    estate: Estate, receiver: Listener
) -> None:
    receiver.drop_first = True  # it has taken it, and nobody hears of it
    change(estate, webhook(receiver))
    activate(estate)
    with running(estate) as live:
        live.until(lambda: receiver.bodies and len(estate.ask("SELECT 1 FROM alerts")) == 6)
        change(estate, webhook(receiver, batch=100), live=live)
        retry_now(live)
        live.until(lambda: states(estate) == [("delivered", 6)])
    first, again, rest = receiver.bodies
    assert first == again
    assert receiver.ids[0] == receiver.ids[1]
    assert [event["data"]["sequence"] for event in json.loads(rest)] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("fewer", [1, 2])
def test_what_may_have_been_taken_together_comes_again_together(
    estate: Estate, receiver: Listener, fewer: int
) -> None:
    receiver.drop_first = True
    change(estate, webhook(receiver, batch=4))
    activate(estate)
    with running(estate) as live:
        live.until(lambda: receiver.bodies and len(estate.ask("SELECT 1 FROM alerts")) == 6)
        change(estate, webhook(receiver, batch=fewer, name="other"), live=live)
        retry_now(live)
        live.until(lambda: states(estate) == [("delivered", 6)])
    assert receiver.bodies[0] == receiver.bodies[1]
    assert receiver.ids[0] == receiver.ids[1]
    members = len(json.loads(receiver.bodies[0]))
    assert len(receiver.bodies) == 2 + -(-(6 - members) // fewer)


def test_a_signed_document_outlasts_another_adapter(estate: Estate, tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    estate.configure(**KeyPair(tmp_path).options)
    with TlsListener(mutual.server()) as receiver:
        receiver.loses = True
        duis = {"adapter": "duis", "name": "main", **mutual.options(receiver.url)}
        nowhere = {"adapter": "folder", "name": "main", "path": "/proc/none"}
        change(estate, duis)
        estate.activation(device_id=HUBS[0])
        with running(estate) as live:
            live.until(lambda: estate.ask("SELECT 1 FROM outcomes"))
            assert receiver.bodies == [_document(estate)]
            change(estate, nowhere, live=live)
            retry_now(live)
            live.until(lambda: estate.ask("SELECT 1 FROM outcomes WHERE reason = 'storage'"))
            assert receiver.bodies == [_document(estate)]
            receiver.loses = False
            change(estate, duis, live=live)
            retry_now(live)
            live.until(lambda: states(estate) == [("delivered", 1)])
        assert receiver.bodies == [_document(estate)] * 2


def _document(estate: Estate) -> bytes:
    ((alert,),) = estate.ask("SELECT alert_id FROM alerts")
    shown = call("alerts", "show", alert, "--format", "duis", folder=estate.folder)
    assert shown.exit_code == 0, shown.output
    return shown.stdout_bytes
