"""The whole router over a real RabbitMQ: facts in, faults, and what operators are told."""

from __future__ import annotations

import json
import secrets
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.broker import Broker
from support.commandline import call, rows, start
from support.estate import ACTIVATED, HUB, ROOT, S1, SUPPLIER, Estate

OTHER = "90-B3-D5-1F-30-00-10-02"


@pytest.fixture
def source(broker: Broker) -> dict[str, Any]:
    """A source with a queue that no other test uses."""
    name = f"facts-{secrets.token_hex(4)}"
    return {"adapter": "rabbitmq", "url": broker.url, "queue": name, "exchange": name}


@pytest.fixture
def estate(tmp_path: Path, source: dict[str, Any]) -> Estate:
    """One supplier with a folder; facts come from the queue."""
    estate = Estate(tmp_path)
    takes_from(estate, dsp=source)
    estate.user(S1, SUPPLIER)
    return estate


def takes_from(estate: Estate, **sources: dict[str, Any]) -> None:
    file = estate.folder / "hubherald.yaml"
    written = json.loads(file.read_text())
    file.write_text(json.dumps({**written, "sources": sources}, indent=1))


def publish(estate: Estate, *words: str) -> None:
    """Put the lines of the inbox that are new on the queue."""
    result = call("publish", estate.folder / "inbox" / "facts.jsonl", *words, folder=estate.folder)
    assert result.exit_code == 0, result.output


def wait_for(done: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to come true; the limit is there to fail, not to measure."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


# --- facts ----------------------------------------------------------------------------------


def test_all_kinds_of_facts_on_one_queue_count_in_order_of_arrival(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("9001")
    estate.hub(time="2026-01-02T00:00:00Z", status="Decommissioned")
    estate.activation("9002", activated_at="2026-06-01T13:00:00Z")
    estate.hub(time="2026-01-03T00:00:00Z")
    estate.activation("9003", activated_at="2026-06-01T14:00:00Z")
    publish(estate)
    estate.run()
    assert [event["data"]["firmware_version"] for event in estate.sent(S1)] == ["9001", "9003"]
    assert [verdict for _, _, verdict in estate.verdicts()] == ["alerted", "suppressed", "alerted"]


def test_an_older_fact_stays_stale_when_two_consumers_share_a_queue(
    estate: Estate, source: dict[str, Any]
) -> None:
    takes_from(estate, one=source, two=source)
    estate.hub(time="2026-02-01T00:00:00Z", status="Decommissioned")
    for day in range(1, 29):
        estate.hub(time=f"2026-01-{day:02}T00:00:00Z")
    estate.hub(OTHER, time="2026-02-01T00:00:00Z")
    for day in range(1, 29):
        estate.hub(OTHER, time=f"2026-01-{day:02}T00:00:00Z", status="Decommissioned")
    publish(estate, "--source", "one")
    estate.run()
    found = dict(estate.ask("SELECT device_id, status FROM hubs"))
    assert found == {HUB: "Decommissioned", OTHER: "Commissioned"}
    assert estate.ask("SELECT count(*) FROM facts") == [(58,)]


def test_what_came_with_a_message_is_kept(estate: Estate) -> None:
    estate.hub()
    estate.line(b"this is no fact")
    publish(estate, "--no-check")
    estate.run()
    (bad,) = rows("quarantine", "list", folder=estate.folder)
    assert bad["reason"] == "malformed"
    ((evidence,),) = estate.ask("SELECT evidence FROM facts")
    assert json.loads(evidence)["message_id"] == "f1"


def test_a_router_that_reads_folders_needs_no_aio_pika(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation(activated_at=ACTIVATED)
    script = (
        "import sys\n"
        "sys.modules['aio_pika'] = sys.modules['aiormq'] = None  # as if it were not installed\n"
        "from router.cli import main\n"
        "main(['run', '--until-idle'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(estate.sent(S1)) == 1


# --- a fact that kills ----------------------------------------------------------------------

SABOTAGED = """
import os, signal
from router.deciding.judgement import Judgement
honest = Judgement.judge
def judge(self, found, *rest, **more):
    if any(b'POISON' in arrival.message.body for arrival, _ in found):
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(self, found, *rest, **more)
Judgement.judge = judge
from router.cli import main
main(['run', '--until-idle'])
"""


def test_a_message_that_kills_the_router_is_quarantined_after_its_third_kill(
    estate: Estate,
) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    for number in range(20):
        version = "POISON" if number == 10 else f"V{number}"
        estate.activation(version, activated_at=f"2026-06-01T10:{number:02}:00Z")
    publish(estate)
    ends = []
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", SABOTAGED], cwd=estate.folder, capture_output=True, check=False
        )
        ends.append(done.returncode)
        if done.returncode != -9:
            break
    assert ends == [-9, -9, -9, 0], done.stderr
    (poison,) = rows("quarantine", "list", folder=estate.folder)
    assert poison["reason"] == "engine"
    shown = call("quarantine", "show", poison["id"], folder=estate.folder).stdout
    assert "POISON" in shown
    told = {event["data"]["firmware_version"] for event in estate.sent(S1)}
    assert told == {f"V{number}" for number in range(20) if number != 10}
    assert [event["data"]["sequence"] for event in estate.sent(S1)] == list(range(1, 20))


# --- what operators are told ----------------------------------------------------------------


class Running:
    """A router in a process of its own, its log and its operations endpoint."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self._log = folder / "router.log"
        wait_for(lambda: self.said("router.started"))
        self._url = f"http://{self.said('router.started')[0]['listen']}"

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        assert self.process.poll() is None, self._log.read_text()
        lines = self._log.read_text().splitlines(keepends=True)
        logged = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in logged if line["event"] == event]

    def get(self, path: str) -> tuple[int, str]:
        """The status and the body."""
        try:
            with urllib.request.urlopen(self._url + path) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        """Whether it says that it is."""
        return self.get("/-/ready")[0] == 200

    def metric(self, name: str) -> float:
        """The value of a metric without labels in doubt: the first line that begins so."""
        lines = self.get("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])


@contextmanager
def running(estate: Estate) -> Iterator[Running]:
    with (
        (estate.folder / "router.log").open("ab") as log,
        start("run", folder=estate.folder, stderr=log.fileno()) as process,
    ):
        yield Running(process, estate.folder)
        process.terminate()
        assert process.wait() == 0


def route_one(estate: Estate) -> None:
    """An activation more, from the queue into the folder."""
    before = len(estate.sent(S1))
    if not before:
        estate.hub()
        estate.registration("import_mpan", S1)
    estate.activation(f"V{before}", activated_at=f"2026-06-01T10:{before:02}:00Z")
    publish(estate)
    wait_for(lambda: len(estate.sent(S1)) == before + 1)


def test_a_router_says_who_is_wrong_and_recovers_without_a_restart(
    estate: Estate, source: dict[str, Any], broker: Broker
) -> None:
    user = f"user-{secrets.token_hex(4)}"
    host = f"host-{secrets.token_hex(4)}"
    takes_from(estate, dsp={**source, "url": broker.url + host, "user": user, "password": "right"})
    with running(estate) as router:

        def told(words: str) -> bool:
            status, body = router.get("/-/ready")
            return status == 503 and "dsp" in body and words in body

        wait_for(lambda: told(f"does not know user {user!r}"))
        assert router.get("/-/healthy")[0] == 200
        assert router.metric('hubherald_intake_up{source="dsp"}') == 0
        broker.control("add_user", user, "right")
        wait_for(lambda: told(f"virtual host {host!r}"))
        broker.control("add_vhost", host)
        broker.control("set_permissions", "-p", host, user, ".*", ".*", ".*")
        wait_for(router.ready)
        route_one(estate)
        assert router.metric('hubherald_intake_up{source="dsp"}') == 1
        assert router.metric('hubherald_intake_connected{source="dsp"}') == 1
    broker.control("delete_vhost", host)


def test_a_queue_with_other_arguments_is_named_and_taken_once_it_is_gone(
    estate: Estate, source: dict[str, Any], broker: Broker
) -> None:
    name = source["queue"]
    broker.control(
        "eval",
        f'rabbit_amqqueue:declare(rabbit_misc:r(<<"/">>, queue, <<"{name}">>), true, false, [], '
        'none, <<"test">>).',
    )
    with running(estate) as router:
        wait_for(lambda: name in router.get("/-/ready")[1])
        assert "inequivalent arg" in router.get("/-/ready")[1]
        broker.control("delete_queue", name)
        wait_for(router.ready)
        route_one(estate)


def test_a_broker_that_comes_and_goes(estate: Estate, broker: Broker) -> None:
    with running(estate) as router:
        wait_for(router.ready)
        route_one(estate)
        broker.stop()
        wait_for(lambda: not router.ready())
        broker.start()
        wait_for(router.ready)
        route_one(estate)
        assert router.metric('hubherald_intake_connections{source="dsp"}') >= 2


def many(estate: Estate, number: int) -> None:
    """A hub, its supplier, and so many activations: in the inbox and on the queue."""
    estate.hub()
    estate.registration("import_mpan", S1)
    for each in range(number):
        at = f"2026-06-01T{10 + each // 60:02}:{each % 60:02}:00Z"
        estate.activation(f"V{each}", activated_at=at)
    publish(estate)


def test_while_the_ledger_is_locked_messages_stay_in_hand(estate: Estate) -> None:
    with running(estate) as router:
        wait_for(router.ready)
        with closing(sqlite3.connect(estate.folder / "hubherald.db")) as locked:
            locked.execute("BEGIN IMMEDIATE")
            many(estate, 100)
            wait_for(lambda: router.said("ledger.unavailable"))
            locked.rollback()
        wait_for(lambda: len(estate.sent(S1)) == 100)
        assert router.metric('hubherald_intake_redelivered_messages_total{source="dsp"}') == 0
    assert rows("quarantine", "list", folder=estate.folder) == []


def test_a_router_that_is_stopped_under_load_repeats_nothing(estate: Estate) -> None:
    many(estate, 400)
    with running(estate):
        wait_for(lambda: estate.sent(S1))
    assert len(estate.sent(S1)) < 400, "the router was too fast for this test: give it more to do"
    estate.run()
    assert [event["data"]["sequence"] for event in estate.sent(S1)] == list(range(1, 401))
    assert estate.ask("SELECT count(*) FROM attempts") == [(400,)]
    assert rows("quarantine", "list", folder=estate.folder) == []


# --- faults ---------------------------------------------------------------------------------


@pytest.mark.once
def test_nothing_is_lost_on_a_bad_day(tmp_path: Path) -> None:
    """The benchmark with its own node, small: kills, restarts and cuts; its proof decides."""
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "benchmarks" / "rabbitmq_job.py",
            *("--hubs", "400", "--users", "20", "--activations", "600", "--seed", "7"),
            *("--kill", "3", "--restart", "1", "--cut", "2"),
            *("--folder", tmp_path / "day"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
