"""Reloads of a whole router: all of it becomes live, or the old rules and users serve on."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from subprocess import Popen
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from support.commandline import call
from support.estate import HUB, S1, S2, SUPPLIER, Estate
from support.liverouter import RULE, WRONG, Live, configure, one_supplier, running, write

from router.service.reloading import LOOK


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return one_supplier(tmp_path)


def ask_by_command(live: Live) -> None:
    done = call("reload", folder=live.estate.folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("live: 1 rules of ")


ASKING: dict[str, Callable[[Live], object]] = {
    "http": lambda live: live.post(),
    "SIGHUP": lambda live: live.process.send_signal(signal.SIGHUP),
    "watch": lambda live: None,
}


@pytest.mark.parametrize("trigger", ASKING)
def test_edited_rules_become_live(estate: Estate, trigger: str) -> None:
    with running(estate, watch=trigger == "watch") as live:
        estate.activation("V1")
        live.until(lambda: len(estate.sent(S1)) == 1)
        write(estate, "second")
        ASKING[trigger](live)
        live.until(lambda: live.log("reload.done"))
        estate.activation("V2")
        live.until(lambda: len(estate.sent(S1)) == 2)
        ((done),) = live.log("reload.done")
    assert done["trigger"] == trigger
    (one, old), (two, new) = live.decided()
    assert (one, two) == ("first", "second")
    assert old != new == done["rules_digest"]
    assert [each["data"]["rules_digest"] for each in estate.sent(S1)] == [old, new]
    ((operator, action, detail),) = estate.ask("SELECT operator, action, detail FROM actions")
    assert (operator, action) == ("router", "reload")
    said = json.loads(detail)
    assert (said["trigger"], said["from"]["rules"], said["to"]["rules"]) == (trigger, old, new)
    assert ("of this machine" in said["by"]) is (trigger == "http"), said
    known = estate.ask("SELECT count(*) FROM documents WHERE kind = 'rules'")
    assert known == [(2,)]  # both can be read years later


def test_the_command_says_what_is_live_and_records_who_asked(estate: Estate) -> None:
    with running(estate) as live:
        write(estate, "second")
        ask_by_command(live)
        write(estate, "", WRONG)
        refused = call("reload", folder=estate.folder)
    assert refused.exit_code == 1
    lines = refused.stderr.splitlines()
    assert "there is no field 'activation.outcom'; did you mean 'activation.outcome'?" in lines[0]
    assert lines[2].strip() == "^"
    assert lines[-1] == "not reloaded: the old rules and users serve on"
    asked = estate.ask("SELECT operator, detail FROM actions WHERE operator != 'router'")
    assert len(asked) == 1
    assert json.loads(asked[0][1])["answer"].startswith("live: 1 rules of ")


def test_a_router_of_another_configuration_or_ledger_refuses_by_name(
    estate: Estate, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = one_supplier(tmp_path / "other")
    with running(estate) as live:
        written = json.loads((estate.folder / "hubherald.yaml").read_text())
        mine = estate.folder / "hubherald.yaml"
        named = json.loads((other.folder / "hubherald.yaml").read_text())
        named["operations"] = written["operations"]
        theirs = other.folder / "hubherald.yaml"
        theirs.write_text(json.dumps(named))
        beside = estate.folder / "beside.yaml"  # the same ledger under other rules
        beside.write_text(json.dumps(written))
        for file in (theirs, beside):
            refused = call("--config", file, "reload")
            assert refused.exit_code == 1
            assert f"this is the router of {mine} with the ledger {estate.folder}" in refused.stderr
            assert f"not that of {file} with " in refused.stderr
        assert not live.log("reload.done")
        ask_by_command(live)
    assert not (other.folder / "hubherald.db").exists()


def test_what_is_no_router_has_not_reloaded_one(estate: Estate) -> None:
    class Agreeable(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()

    port = configure(estate)
    with HTTPServer(("127.0.0.1", port), Agreeable) as server:
        Thread(target=server.handle_request, daemon=True).start()
        done = call("reload", folder=estate.folder)
    assert done.exit_code == 1
    assert "does not say whose router it is" in done.stderr


def test_without_a_router_the_command_says_so(estate: Estate) -> None:
    port = configure(estate)
    done = call("reload", folder=estate.folder)
    assert done.exit_code == 1
    assert f"no router answers at http://127.0.0.1:{port}/-/reload" in done.stderr
    configure(estate)
    file = estate.folder / "hubherald.yaml"
    written = json.loads(file.read_text())
    file.write_text(json.dumps({**written, "operations": {"listen": "127.0.0.1:0"}}))
    assert "give it a port" in call("reload", folder=estate.folder).stderr


def test_broken_rules_never_replace_working_ones(estate: Estate) -> None:
    with running(estate) as live:
        assert live.metric("rules_last_reload_successful") == 1
        write(estate, "", WRONG)
        (estate.folder / "service_users.yaml").write_text("service_users: []")
        status, said = live.post()
        assert status == 422
        heads = [line for line in said.splitlines() if line.startswith(("rules", "service"))]
        assert len(heads) == 3
        live.process.send_signal(signal.SIGHUP)
        live.until(lambda: len(live.log("reload.refused")) == 2)
        for refused in live.log("reload.refused"):
            assert refused["problems"] == heads
        assert live.metric("rules_last_reload_successful") == 0
        estate.activation("V1")
        live.until(lambda: len(estate.sent(S1)) == 1)
        write(estate, "mended")
        estate.write_users()
        assert live.post()[0] == 200
        assert live.metric("rules_last_reload_successful") == 1
        estate.activation("V2")
        live.until(lambda: len(estate.sent(S1)) == 2)
    assert [rule for rule, _ in live.decided()] == ["first", "mended"]
    assert len(estate.ask("SELECT 1 FROM actions")) == 1


def test_with_watch_a_broken_file_is_told_once_and_mended_once(estate: Estate) -> None:
    with running(estate, watch=True) as live:
        write(estate, "", WRONG)
        live.until(lambda: live.log("reload.refused"))
        write(estate, "mended")
        live.until(lambda: live.log("reload.done"))
        time.sleep(3 * LOOK)  # once is enough for the mending too
        assert [len(live.log(f"reload.{came}")) for came in ("refused", "done")] == [1, 1]


def test_with_watch_a_link_that_is_moved_to_another_folder_is_noticed(estate: Estate) -> None:
    folder = estate.folder
    (folder / "rules").rename(folder / "release-1")
    (folder / "rules").symlink_to("release-1")
    with running(estate, watch=True) as live:
        (folder / "release-2").mkdir()
        (folder / "release-2" / "rules.yaml").write_text(RULE.format(name="second"))
        (folder / "next").symlink_to("release-2")
        (folder / "next").replace(folder / "rules")
        live.until(lambda: live.log("reload.done"))
        estate.activation()
        live.until(lambda: len(estate.sent(S1)) == 1)
    assert [rule for rule, _ in live.decided()] == ["second"]


def test_users_come_and_go(estate: Estate) -> None:
    estate.registration("mprn", S2)
    with running(estate) as live:
        estate.activation("V1")
        live.until(lambda: len(estate.sent(S1)) == 1)
        estate.user(S2, SUPPLIER)
        assert live.post()[0] == 200
        estate.activation("V2")
        live.until(lambda: (len(estate.sent(S1)), len(estate.sent(S2))) == (2, 1))
        estate.users[0]["status"] = "suspended"
        estate.users[1]["channels"][0]["path"] = "sent/elsewhere"
        estate.write_users()
        assert live.post()[0] == 200
        estate.activation("V3")
        live.until(lambda: len(list((estate.folder / "sent" / "elsewhere").glob("*.json"))) == 1)
        assert len(estate.sent(S1)) == 2
        estate.users[0]["status"] = "active"
        estate.users.pop()
        estate.write_users()
        assert live.post()[0] == 200
        live.until(lambda: len(estate.sent(S1)) == 3)
        estate.activation("V4")
        live.until(lambda: len(estate.sent(S1)) == 4)
    assert (S2, "gas_supplier", "no_eligible_user") in estate.verdicts()[-2:]
    closed = dict(estate.ask("SELECT service_user_id, closed FROM lanes"))
    assert closed == {S1: None, S2: "user_removed"}


def test_what_needs_a_restart_is_named(estate: Estate) -> None:
    with running(estate) as live:
        file = estate.folder / "hubherald.yaml"
        written = json.loads(file.read_text())
        written["dcc"]["id"] = S2
        written["sources"]["more"] = {"adapter": "folder", "path": "more"}
        file.write_text(json.dumps(written))
        assert live.post()[0] == 200
        (told,) = live.log("reload.needs_restart")
        assert told["changed"] == ["sources", "dcc"]
        estate.activation()
        live.until(lambda: len(estate.sent(S1)) == 1)
    assert estate.sent(S1)[0]["source"] != S2


def test_a_locked_ledger_refuses_a_reload(estate: Estate) -> None:
    with running(estate) as live:
        live.until(lambda: estate.ask("SELECT count(*) FROM facts") == [(2,)])
        write(estate, "second")
        with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN EXCLUSIVE")
            status, said = live.post()
            connection.execute("ROLLBACK")
        assert status == 503
        assert "ledger" in said
        estate.activation("V1")
        live.until(lambda: len(estate.sent(S1)) == 1)
        assert live.post()[0] == 200
        estate.activation("V2")
        live.until(lambda: len(estate.sent(S1)) == 2)
    assert [rule for rule, _ in live.decided()] == ["first", "second"]


def resident_mb(process: Popen[str]) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(found.split()[1]) / 1024


@pytest.mark.once
def test_reloads_give_their_memory_back(estate: Estate) -> None:
    """durable_rules leaks 2 MB with each 100 rules that are not deleted properly."""
    line = '      - activation.firmware_version startswith "{0:03}"'
    rule = "  - name: rule-{0}\n    when:\n" + line + "\n    alert: N64\n"
    versions = [
        "rules:\n" + "".join(rule.format(number) for number in range(first, first + 100))
        for first in (0, 1)
    ]
    write(estate, "", versions[0])
    with running(estate) as live:
        before = resident_mb(live.process)
        for number in range(1, 31):
            write(estate, "", versions[number % 2])
            assert live.post()[0] == 200
        assert resident_mb(live.process) - before < 20


RELOADS = 100


@pytest.mark.once
def test_a_hundred_reloads_while_facts_flow(estate: Estate) -> None:
    """Every decision carries the digest that was live for it; nothing is lost or decided twice."""
    feeder_ends = estate.folder / "inbox" / ".stop"
    with running(estate) as live, feeding(estate, feeder_ends) as fed:
        digests = [live.log("router.started")[0]["rules_digest"]]
        for number in range(1, RELOADS + 1):
            write(estate, f"rule-{number}")
            status, said = live.post()
            assert status == 200, said
            live.until(lambda: len(live.log("reload.done")) == len(digests))  # written beside
            digests.append(live.log("reload.done")[-1]["rules_digest"][:12])
        facts = fed()
        assert facts > RELOADS
        live.until(lambda: estate.ask("SELECT count(*) FROM decisions") == [(facts,)])
        live.until(
            lambda: (
                estate.ask("SELECT count(*) FROM deliveries WHERE state = 'delivered'")
                == [(facts,)]
            )
        )
    names = {"first": 0} | {f"rule-{number}": number for number in range(1, RELOADS + 1)}
    found = [(names[rule], digest[:12]) for rule, digest in live.decided()]
    assert {(number, digests[number]) for number, _ in found} == set(found)
    assert [number for number, _ in found] == sorted(number for number, _ in found)
    assert len({number for number, _ in found}) > RELOADS / 2  # they did flow meanwhile
    began = estate.ask("SELECT at FROM actions WHERE action = 'reload' ORDER BY id")
    limits = [0, *(at for (at,) in began), 2**62]
    for number, at in estate.ask(
        "SELECT d.rule, e.decided_at FROM decisions d JOIN evaluations e USING (fact_id)"
    ):
        assert limits[names[number]] <= at <= limits[names[number] + 1]
    sent = estate.sent(S1)
    assert [each["data"]["sequence"] for each in sent] == list(range(1, facts + 1))
    assert [each["data"]["rules_digest"][:12] for each in sent] == [digest for _, digest in found]


@contextmanager
def feeding(estate: Estate, end: Path) -> Iterator[Callable[[], int]]:
    """Facts flow into the inbox from another process; the call ends it, and gives how many."""
    program = f"""
import json, pathlib, time
end, number = pathlib.Path({str(end)!r}), 0
with open({str(estate.folder / "inbox" / "flow.jsonl")!r}, "a", buffering=1) as file:
    while not end.exists():
        number += 1
        data = {{"device_id": {HUB!r}, "firmware_version": f"V{{number}}",
                "activated_at": "2026-06-01T12:00:00Z", "outcome": "success"}}
        file.write(json.dumps({{"specversion": "1.0", "id": f"flow-{{number}}", "source": "dsp",
                   "type": "hubherald.firmware.activated.v1", "data": data}}) + "\\n")
        time.sleep(0.02)
print(number)
"""
    feeder = Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)

    def stop() -> int:
        end.touch()
        return int(feeder.communicate()[0])

    with feeder:
        try:
            yield stop
        finally:
            feeder.kill()


def test_the_command_knows_the_token_and_others_do_not(estate: Estate) -> None:
    port = configure(estate)
    operations = {"listen": f"127.0.0.1:{port}", "token": "known to us and Prometheus"}
    with running(estate, operations=operations) as live:
        ask_by_command(live)
        with pytest.raises(HTTPError, match="401") as caught:
            urlopen(f"http://127.0.0.1:{port}/metrics")
        caught.value.close()
