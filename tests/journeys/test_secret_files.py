"""Files of secrets: one at fault closes its lane, and never the router."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import ROOT, S1, S2, SUPPLIER, Estate
from support.listener import Listener
from support.liverouter import running

SECRET = "whsec_" + base64.b64encode(b"S3CRET-S3CRET-S3CRET-S3CRET").decode()


@pytest.fixture
def receiver() -> Iterator[Listener]:
    with Listener() as listening:
        yield listening


@pytest.fixture
def estate(tmp_path: Path, receiver: Listener) -> Estate:
    """S1 is told by webhook, S2 in a folder; both supply the same home."""
    made = Estate(tmp_path)
    webhook = {"adapter": "webhook", "url": receiver.url, "secret_file": "acme.secret"}
    made.user(S1, SUPPLIER, channels=[webhook])
    made.user(S2, SUPPLIER)
    made.all_roles()
    write(made, SECRET.encode())
    made.hub()
    made.registration("import_mpan", S1)
    made.registration("mprn", S2)
    made.activation()
    return made


def write(estate: Estate, content: bytes, mode: int = 0o600) -> None:
    file = estate.folder / "acme.secret"
    file.write_bytes(content)
    file.chmod(mode)


FAULTS: dict[str, tuple[Callable[[Estate], object], str]] = {
    "missing": (lambda it: (it.folder / "acme.secret").unlink(), "cannot be read"),
    "open to others": (lambda it: (it.folder / "acme.secret").chmod(0o644), "others may open"),
    "empty": (lambda it: write(it, b""), "is empty"),
    "another kind": (lambda it: write(it, b"S3CRET"), "must be whsec_ and base64"),
}


def lane(estate: Estate) -> dict[str, object]:
    found = rows("lanes", "list", folder=estate.folder)
    (ours,) = [each for each in found if each["service_user_id"] == S1]
    return ours


@pytest.mark.parametrize("fault", FAULTS)
def test_check_finds_it_and_the_router_serves_everybody_else(
    estate: Estate, receiver: Listener, fault: str
) -> None:
    damage, why = FAULTS[fault]
    damage(estate)
    told = call("check", "-o", "json", folder=estate.folder)
    (found,) = json.loads(told.stdout)
    assert (told.exit_code, found["code"]) == (1, "key-file")
    assert found["file"] == str(estate.folder / "service_users.yaml")
    assert found["message"].startswith("secret_file: ")
    assert why in found["message"]
    estate.run()
    assert len(estate.sent(S2)) == 1
    closed = lane(estate)
    assert (closed["state"], closed["reason"]) == ("closed", "credentials")
    assert "secret_file" in str(closed["last_answer"])
    assert why in str(closed["last_answer"])
    assert "hubherald reload" in str(closed["last_answer"])
    assert receiver.bodies == []  # and never without a signature
    assert "S3CRET" not in told.stdout + str(closed)


def test_what_was_held_goes_out_after_a_reload(estate: Estate, receiver: Listener) -> None:
    (estate.folder / "acme.secret").unlink()
    with running(estate, rules=str(ROOT / "rules")) as router:
        router.until(lambda: estate.sent(S2) and lane(estate)["state"] == "closed")
        write(estate, SECRET.encode())
        status, _ = router.post()
        assert status == 200
        router.until(lambda: receiver.bodies)
    assert receiver.sequences() == [1]
    assert lane(estate)["state"] == "open"


def test_a_reload_takes_what_else_is_new_when_a_secret_is_at_fault(estate: Estate) -> None:
    with running(estate, rules=str(ROOT / "rules")) as router:
        router.until(lambda: estate.sent(S2))
        write(estate, b"")
        assert router.post()[0] == 200
        (warned,) = router.log("config.warning")
        assert "secret_file: FILE is empty" in str(warned)


def test_a_password_of_a_source_at_fault_is_told_and_the_other_source_is_read(
    estate: Estate,
) -> None:
    file = estate.folder / "hubherald.yaml"
    settings = json.loads(file.read_text())
    settings["sources"]["broker"] = {
        "adapter": "rabbitmq",
        "url": "amqp://127.0.0.1:1/",
        "user": "me",
        "password_file": "none",
    }
    file.write_text(json.dumps(settings, indent=1))
    told = call("check", folder=estate.folder)
    assert told.exit_code == 1
    assert "key-file password_file: FILE cannot be read" in told.stderr
    with running(estate, rules=str(ROOT / "rules")) as router:
        router.until(lambda: estate.sent(S2))
        (down,) = router.log("source.down")
        assert down["source"] == "broker"
        assert "restart the router" in down["detail"]
        status, words = router.ready()
    assert status == 503
    assert "source broker: password_file: FILE cannot be read" in words
    facts = estate.folder / "inbox" / "facts.jsonl"
    refused = call("publish", facts, "--source", "broker", folder=estate.folder)
    assert refused.exit_code != 0
    assert "password_file" in refused.stderr
