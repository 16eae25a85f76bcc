"""Nights as the runbook has them: a page's commands typed as they stand there, in their order."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import HUB, ROOT, S1, S2, SUPPLIER, Estate, mpan
from support.listener import Listener
from support.liverouter import Live, running, write

pytestmark = pytest.mark.once

RUNBOOK = (ROOT / "dashboards" / "RUNBOOK.md").read_text()
WIDE = """\
rules:
  - name: {name}
    when:
      - activation.outcome == "success"
    alert: N64
"""
NARROW = WIDE.replace('"success"', '"success"\n      - activation.firmware_version == "9001"')
Hooks = Mapping[str, Callable[[], object]]


def page(title: str) -> list[str]:
    """The commands of a page, in its order."""
    (text,) = re.findall(rf"^### {title}\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [
        line for block in blocks for typed in block.splitlines() for line in typed.split(" && ")
    ]


def follow(title: str, folder: Path, given: Mapping[str, str], after: Hooks) -> list[str]:
    """Type them, and do what is due after some; gives what each has said."""
    said = []
    due = dict(after)
    for line in page(title):
        words = [given.get(word, word) for word in shlex.split(line)]
        words = [word.replace("/etc/hubherald", str(folder)) for word in words]
        if words[0] == "hubherald":
            done = call(*words[1:], folder=folder, given="y\n")
            assert done.exit_code == 0, (line, done.output)
            said.append(done.stdout)
        else:
            subprocess.run(words, cwd=folder, check=True)
        for begin in [begin for begin in due if line.startswith(begin)]:
            due.pop(begin)()
    assert not due
    return said


def hub(number: int) -> str:
    return f"90-B3-D5-1F-30-00-{0x30 + number // 256:02X}-{number % 256:02X}"


def homes(estate: Estate, count: int, receiver: Listener) -> None:
    """Homes of one supplier, who is told one by one; a second supplier of nobody."""
    channel = {"adapter": "webhook", "url": receiver.url, "window": 1}
    estate.user(S1, SUPPLIER, channels=[channel])
    estate.user(S2, SUPPLIER)
    for number in range(count):
        estate.hub(hub(number))
        estate.registration("import_mpan", S1, device_id=hub(number), mpxn=mpan(f"10{number:010}"))


def states(folder: Path) -> dict[str, int]:
    estate = Estate.__new__(Estate)
    estate.folder = folder
    return dict(estate.ask("SELECT state, count(*) FROM deliveries GROUP BY state"))


def withdrawn(live: Live) -> str:
    """What the router counts of that."""
    with urllib.request.urlopen(f"{live.url}/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    return "".join(each for each in lines if each.startswith("hubherald_alerts_withdrawn_total"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_receiver_answers_500(folder: Path) -> None:
    with Listener(broken=True, status=500) as receiver:
        estate = Estate(folder)
        homes(estate, 3, receiver)
        write(estate, "tell")
        with running(estate) as live:
            for number in range(3):
                estate.activation(device_id=hub(number))
            live.until(lambda: live.log("lane.failing"))

            def back() -> None:
                live.until(lambda: live.log("lane.closed"))
                receiver.broken = False

            given = {"USER": S1, "CHANNEL": "webhook"}
            said = follow("A receiver answers 500", folder, given, {"hubherald lanes pause": back})
            assert "500" in said[0]
            live.until(lambda: len(receiver.bodies) == 3)
        assert receiver.sequences() == [1, 2, 3]
    assert states(folder) == {"delivered": 3}
    resumed, paused = rows("actions", "list", "--on", S1, folder=folder)
    assert (paused["reason"], resumed["reason"]) == ("INC-4711", "INC-4711")


def test_a_supplier_did_not_get_an_alert(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lost one; and a fact about the same hub is in quarantine, broken."""
    editor = folder / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/succes\\"/success\\"/" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    with Listener() as receiver:
        estate = Estate(folder)
        homes(estate, 1, receiver)
        write(estate, "tell")
        with running(estate) as live:
            estate.activation(device_id=hub(0))
            estate.activation("9003", device_id=hub(0), outcome="succes")
            live.until(lambda: len(receiver.bodies) == 1)
            live.until(lambda: rows("quarantine", "list", folder=folder))
            resend, *mend = [
                line
                for line in page("A supplier did not get an Alert")
                if "resend" in line or "quarantine" in line
            ]
            assert ("resend" in resend, len(mend)) == (True, 3)
            given = {"USER": S1, "ID": hub(0)}
            told = call("why", "--hub", hub(0), "--user", S1, folder=folder).stdout
            assert "channel webhook: delivered" in told
            assert "in quarantine, number 1" in told
            for line in page("A supplier did not get an Alert"):
                of_number = re.match("hubherald quarantine (show|repair)", line)
                here = {**given, "ID": "1"} if of_number else given
                words = [here.get(word, word) for word in shlex.split(line)]
                done = call(*words[1:], folder=folder, given="y\n")
                assert done.exit_code == 0, (line, done.output)
            live.until(lambda: len(receiver.bodies) == 3)
    assert sorted(receiver.sequences()) == [1, 1, 2]
    first = [body for body in receiver.bodies if json.loads(body)["data"]["sequence"] == 1]
    assert first[0] == first[1]
    assert states(folder) == {"delivered": 2}


def test_a_wrong_rule_sent_295_alerts_of_which_200_wait(folder: Path) -> None:
    with Listener() as receiver:
        receiver.most = 95
        estate = Estate(folder)
        homes(estate, 296, receiver)
        write(estate, "narrow", NARROW)
        with running(estate) as live:
            write(estate, "wide", WIDE)
            assert live.post()[0] == 200
            for number in range(295):
                estate.activation(device_id=hub(number))
            live.until(lambda: sum(states(folder).values()) == 295 and receiver.refused)
            assert states(folder)["delivered"] == 95
            night(folder, live, receiver)
            estate.activation("9001", device_id=hub(295))
            live.until(lambda: len(receiver.bodies) == 96)
    assert receiver.sequences() == [*range(1, 96), 296]
    assert states(folder) == {"delivered": 96, "withdrawn": 200}
    told = rows("alerts", "list", "--rule", "wide", "--limit", "1000", folder=folder)
    assert sorted(row["sequence"] for row in told) == list(range(1, 296))


def night(folder: Path, live: Live, receiver: Listener) -> None:
    """The page, word by word; the receiver is well again before the lane is resumed."""
    first = rows("rules", "list", folder=folder)[-1]["digest"]
    given = {"USER": S1, "RULE": "wide", "DIGEST": first[:8]}

    def well() -> None:
        assert sum(states(folder).get(each, 0) for each in ("waiting", "sending")) == 0
        receiver.broken, receiver.most = False, None

    def quiet() -> None:
        live.until(lambda: live.log("lane.closed"))
        live.until(lambda: states(folder).get("sending", 0) == 0)

    hooks = {
        "hubherald lanes pause": quiet,
        "hubherald diff rules.before --since 1d --withdraw --reason": well,
    }
    said = follow("A wrong rule is live", folder, given, hooks)
    assert any(each.endswith("would withdraw 200 deliveries\n") for each in said)
    assert any(each.endswith("withdrawn: 200 deliveries\n") for each in said)
    assert "0 Alerts more, 295 fewer, 0 the same" in "".join(said)


def test_a_bad_firmware_is_stopped_and_goes_on_after_all(folder: Path) -> None:
    with Listener(broken=True, status=500) as receiver:
        estate = Estate(folder)
        homes(estate, 4, receiver)
        write(estate, "tell")
        stop = folder / "rules" / "stop.yaml"
        (text,) = re.findall(r"```yaml\n(rules:.*?called back.*?)```", RUNBOOK, re.DOTALL)
        with running(estate) as live:
            for number in range(3):
                estate.activation(device_id=hub(number))
            live.until(lambda: live.log("lane.failing"))
            stop.write_text(text.replace("VERSION", "9002"))

            def suppressed() -> None:
                estate.activation(device_id=hub(3))
                live.until(lambda: len(estate.verdicts()) == 4)
                assert estate.verdicts()[-1][2] == "suppressed"

            def over() -> None:
                live.until(lambda: states(folder) == {"withdrawn": 3})
                live.until(lambda: f'{{channel="webhook",recipient="{S1}"}} 3.0' in withdrawn(live))
                receiver.broken = False
                stop.unlink()

            hooks = {
                "hubherald reload": suppressed,
                "hubherald alerts list --version": over,
            }
            given = {"VERSION": "9002"}
            follow("A bad firmware must be stopped", folder, given, hooks)
            live.until(lambda: len(receiver.bodies) == 3)
    assert receiver.sequences() == [1, 2, 3]
    assert HUB not in str(receiver.bodies)
