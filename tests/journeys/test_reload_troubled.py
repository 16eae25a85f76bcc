"""Reloads in bad moments: while the router starts or stops, with a locked ledger, in crowds."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.commandline import start
from support.estate import S1, Estate
from support.liverouter import Live, configure, one_supplier, running, write

from router.config.loading import load as load_config
from router.service import app

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return one_supplier(tmp_path)


@contextmanager
def locked(estate: Estate) -> Iterator[None]:
    """Another program has the ledger."""
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_with_watch_what_failed_for_no_mistake_is_tried_again(estate: Estate) -> None:
    with running(estate, watch=True) as live:
        live.until(lambda: estate.ask("SELECT count(*) FROM facts") == [(2,)])
        with locked(estate):
            write(estate, "second")
            live.until(lambda: live.log("reload.refused"))
        live.until(lambda: live.log("reload.done"))
        assert live.log("reload.refused")[0]["advice"].endswith("reload again (watch does)")
        estate.activation()
        live.until(lambda: len(estate.sent(S1)) == 1)
    assert [rule for rule, _ in live.decided()] == ["second"]


def test_with_watch_an_edit_while_the_router_starts_is_noticed(estate: Estate) -> None:
    configure(estate, watch=True)
    read = load_config(estate.folder / "hubherald.yaml")
    write(estate, "second")

    def wait_and_end() -> None:
        for number in range(600):
            estate.activation(f"V{number}")
            time.sleep(0.1)
            if any("second" in each["data"]["rules"].values() for each in estate.sent(S1)):
                break
        os.kill(os.getpid(), signal.SIGTERM)

    waiting = threading.Thread(target=wait_and_end)
    waiting.start()
    app.run(read)
    waiting.join()
    decided = estate.ask("SELECT rule FROM decisions ORDER BY id")
    assert (decided[0], decided[-1]) == (("first",), ("second",))


def test_a_hangup_while_the_router_starts_does_not_end_it(estate: Estate) -> None:
    port = configure(estate)
    log = estate.folder / "log.jsonl"
    with (
        log.open("w") as written,
        start("run", folder=estate.folder, stderr=written.fileno()) as process,
    ):
        live = Live(estate, process, log, port)
        # once our code runs, and not Python's own start
        live.until(lambda: _heeds(process.pid, signal.SIGHUP))
        while not live.log("router.started"):
            process.send_signal(signal.SIGHUP)
            live.until(lambda: True)
        live.until(lambda: live.log("reload.done"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0, log.read_text()


def _heeds(process: int, number: signal.Signals) -> bool:
    """Whether a process blocks a signal or handles it."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = dict(line.split(":\t") for line in lines if ":\t" in line)
    masks = int(found["SigBlk"], 16) | int(found["SigCgt"], 16)
    return bool(masks & 1 << (number - 1))


def test_a_crowd_is_told_that_enough_wait(estate: Estate) -> None:
    with running(estate) as live, ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: live.post(), range(20)))
        done = sum(status == 200 for status, _ in answers)
        live.until(lambda: len(live.log("reload.done")) >= done)  # written beside
    assert len(live.log("reload.done")) == done
    assert {status for status, _ in answers} == {200, 422}
    refused = [said for status, said in answers if status == 422]
    assert all("reloads wait already, and will read the same files" in said for said in refused)


def test_a_reload_of_a_router_that_stops_is_refused_or_done_and_recorded(estate: Estate) -> None:
    for number in range(3):
        with running(estate) as live, ThreadPoolExecutor(1) as asker:
            write(estate, f"rule-{number}")
            asked = asker.submit(_post, live)
            live.process.send_signal(signal.SIGTERM)
            status = asked.result()
        done = len(live.log("reload.done"))
        assert done == (status == 200)
        recorded = estate.ask("SELECT count(*) FROM actions WHERE action = 'reload'")
        assert recorded == [(done,)]
        for suffix in ("", "-wal", "-shm"):
            (estate.folder / f"hubherald.db{suffix}").unlink(missing_ok=True)


def _post(live: Live) -> int:
    """The status; 0 where the router had gone."""
    try:
        return live.post()[0]
    except OSError:
        return 0
