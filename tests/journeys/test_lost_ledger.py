"""A ledger that goes from under a running router: it takes and sends nothing more, and ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from support.broker import Broker
from support.commandline import call, start
from support.estate import S1, SUPPLIER, Estate
from support.factqueue import FactQueue
from support.listener import Listener

PARTS = ("", "-wal", "-shm")


class Watched:
    """A router that runs in a process of its own, and what it says."""

    def __init__(self, estate: Estate, process: Popen[str], log: Path) -> None:
        self.estate = estate
        self.process = process
        self._log = log

    def lines(self) -> list[str]:
        """What stands on standard error."""
        return self._log.read_text().splitlines()

    def log(self, **like: str) -> list[dict[str, Any]]:
        """What it has logged that has these values."""
        found = [
            json.loads(line) for line in self.lines() if line.startswith("{") and line.endswith("}")
        ]
        return [line for line in found if like.items() <= line.items()]

    def until(self, done: Callable[[], object]) -> None:
        """The limit is there to fail, not to measure."""
        limit = time.monotonic() + 60
        while not done():
            assert self.process.poll() is None, self.lines()
            assert time.monotonic() < limit, self.lines()
            time.sleep(0.01)

    def get(self, path: str) -> tuple[int, str]:
        """What the operations endpoint answers."""
        (started,) = self.log(event="router.started")
        try:
            with urllib.request.urlopen(f"http://{started['listen']}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def running(estate: Estate) -> Iterator[Watched]:
    log = estate.folder / "log.jsonl"
    with (
        log.open("w") as written,
        start("run", folder=estate.folder, stderr=written.fileno()) as process,
    ):
        watched = Watched(estate, process, log)
        watched.until(lambda: watched.log(event="router.started"))
        try:
            yield watched
        finally:
            process.kill()


@pytest.fixture
def receiver() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def estate(tmp_path: Path, receiver: Listener) -> Estate:
    """A home with one supplier, who has been told once; the ledger is in a folder of its own."""
    estate = Estate(tmp_path)
    written = json.loads((tmp_path / "hubherald.yaml").read_text())
    written["ledger"] = {"url": "sqlite:///data/hubherald.db"}
    (tmp_path / "hubherald.yaml").write_text(json.dumps(written))
    (tmp_path / "data").mkdir()
    estate.user(S1, SUPPLIER, channels=[{"adapter": "webhook", "url": receiver.url}])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("9001")
    assert call("run", "--until-idle", folder=tmp_path).exit_code == 0
    assert receiver.sequences() == [1]
    return estate


def deleted(data: Path) -> None:
    for end in PARTS:
        (data / f"hubherald.db{end}").unlink()


def moved(data: Path) -> None:
    data.rename(data.with_name("elsewhere"))


def replaced(data: Path) -> None:
    shutil.copy(data / "hubherald.db", data / "other.db")
    (data / "other.db").rename(data / "hubherald.db")


def emptied(data: Path) -> None:
    (data / "hubherald.db").write_bytes(b"")


def log_deleted(data: Path) -> None:
    (data / "hubherald.db-wal").unlink()


@pytest.mark.once
@pytest.mark.parametrize("change", [deleted, moved, replaced, emptied, log_deleted])
def test_a_router_whose_ledger_goes_stops_and_ends(
    estate: Estate, receiver: Listener, change: Callable[[Path], None]
) -> None:
    with running(estate) as router:
        change(estate.folder / "data")
        estate.activation("9002")
        router.until(lambda: router.log(event="ledger.gone"))
        status, said = router.get("/-/ready")
        assert status == 503
        assert said.startswith(f"not ready: ledger {estate.folder}/data/hubherald.db")
        assert router.get("/-/healthy")[0] == 200
        assert "start" in router.get("/")[1]
        metrics = router.get("/metrics")[1]
        assert "hubherald_ledger_up 0.0" in metrics
        assert 'hubherald_intake_up{source="drop"} 0.0' in metrics
        assert router.process.wait(60) == 1
        (error,) = router.log(level="error")
        assert said == f"not ready: ledger {error['detail']}\n"
        (last,) = [line for line in router.lines() if not line.startswith("{")]
        assert last == f"error: {error['detail']}"
    assert receiver.sequences() == [1]


@pytest.mark.once
def test_a_ledger_that_is_put_back_goes_on_where_it_was(estate: Estate, receiver: Listener) -> None:
    with running(estate) as router:
        moved(estate.folder / "data")
        estate.activation("9002")
        assert router.process.wait(60) == 1
    (estate.folder / "elsewhere").rename(estate.folder / "data")
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    assert receiver.sequences() == [1, 2]


@pytest.mark.once
def test_a_log_that_was_deleted_is_folded_in_as_the_router_ends(
    estate: Estate, receiver: Listener
) -> None:
    with running(estate) as router:
        estate.activation("9002")
        router.until(lambda: receiver.sequences() == [1, 2])
        log_deleted(estate.folder / "data")
        assert router.process.wait(60) == 1
    estate.activation("9003")
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    # 2 comes twice where its answer was not written yet
    assert list(dict.fromkeys(receiver.sequences())) == [1, 2, 3]


@pytest.mark.once
def test_a_stop_need_not_wait_for_a_router_whose_ledger_is_gone(estate: Estate) -> None:
    with running(estate) as router:
        deleted(estate.folder / "data")
        router.until(lambda: router.log(event="ledger.gone"))
        router.process.terminate()
        assert router.process.wait(60) == 1
        assert len(router.log(level="error")) == 1


@pytest.mark.once
def test_facts_are_not_acknowledged_once_the_ledger_is_gone(
    broker: Broker, estate: Estate, receiver: Listener
) -> None:
    queue = FactQueue(broker)
    source = {"adapter": "rabbitmq", "url": broker.url, "queue": queue.name, "exchange": queue.name}
    file = estate.folder / "hubherald.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sources": {"dsp": source}}))
    facts = estate.folder / "inbox" / "facts.jsonl"
    with running(estate) as router:
        router.until(lambda: router.get("/-/ready")[0] == 200)
        facts.unlink()
        for number in range(100):
            estate.activation(f"8{number:03}")
        deleted(estate.folder / "data")
        assert call("publish", facts, folder=estate.folder).exit_code == 0
        assert router.process.wait(60) == 1
    asyncio.run(queue.holds(100))
    assert receiver.sequences() == [1]


def test_a_ledger_that_was_lost_while_no_router_ran_is_not_begun_anew_unseen(
    estate: Estate, receiver: Listener
) -> None:
    (estate.folder / "data" / "hubherald.db").unlink()
    with running(estate) as router:
        (made,) = router.log(event="ledger.made")
        assert made["level"] == "warning"
        assert made["path"] == f"{estate.folder}/data/hubherald.db"
        assert "a router has held a ledger here before" in made["advice"]
        router.until(lambda: receiver.sequences() == [1, 1])
    with running(estate) as router:
        assert router.log(event="ledger.made") == []
    for file in (estate.folder / "data").iterdir():
        file.unlink()
    with running(estate) as router:
        assert [line["level"] for line in router.log(event="ledger.made")] == ["info"]


def test_a_ledger_with_a_second_name_is_told_of(estate: Estate) -> None:
    (estate.folder / "other.db").hardlink_to(estate.folder / "data" / "hubherald.db")
    with running(estate) as router:
        (linked,) = router.log(event="ledger.linked")
        assert linked["names"] == 2
        assert f"-samefile {estate.folder}/data/hubherald.db" in linked["advice"]
        router.until(lambda: router.get("/-/ready")[0] == 200)


@pytest.mark.once
def test_two_routers_by_two_names_are_not_both_let_in(
    estate: Estate, receiver: Listener, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Estate(tmp_path_factory.mktemp("other"), estate.users)
    other.write_users()
    (other.folder / "hubherald.db").symlink_to(estate.folder / "data" / "hubherald.db")
    with running(estate) as first:
        second = call("run", "--until-idle", folder=other.folder)
        assert second.exit_code == 1
        assert f"held by another router (process {first.process.pid})" in second.stderr
        estate.activation("9002")
        first.until(lambda: receiver.sequences() == [1, 2])
