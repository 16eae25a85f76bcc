"""Operators' commands beside a running router: it notices by itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from subprocess import Popen

import pytest
from structlog.testing import capture_logs
from support.commandline import call, rows, start
from support.estate import HUB, S1, SUPPLIER, Estate

from router.config.loading import load
from router.service.app import run


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    return estate


@contextmanager
def running(estate: Estate) -> Iterator[Popen[str]]:
    with start("run", folder=estate.folder) as router:
        wait_for(router, "router.started")
        yield router
        router.send_signal(signal.SIGTERM)
        router.communicate()
        assert router.returncode == 0


def wait_for(router: Popen[str], event: str) -> dict[str, object]:
    """The next log line of this event; fails when the router ends before."""
    assert router.stderr is not None
    for line in router.stderr:
        found = json.loads(line)
        if found["event"] == event:
            assert isinstance(found, dict)
            return found
    raise AssertionError(f"the router ended without {event}")


def test_a_running_router_takes_over_pause_and_resume(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    with running(estate) as router:
        assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
        assert wait_for(router, "lane.closed")["by"] == "operator"
        estate.activation()
        while not (held := rows("alerts", "list", folder=estate.folder)):
            assert router.poll() is None
        assert [alert["state"] for alert in held] == ["held"]
        assert call("lanes", "resume", S1, folder=estate.folder).exit_code == 0
        assert wait_for(router, "lane.opened")["by"] == "operator"
        while not estate.sent(S1):
            assert router.poll() is None


def test_a_starting_router_takes_over_what_was_paused_after_it_had_looked(estate: Estate) -> None:
    asked = count()

    def clock() -> datetime:  # asked for the fifth time when the lanes have just been read
        if next(asked) == 4:
            assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
        return datetime.now(UTC)

    with capture_logs() as logs:
        run(load(estate.folder / "hubherald.yaml"), until_idle=True, clock=clock)
    closed = [log for log in logs if log["event"] == "lane.closed"]
    assert [log["by"] for log in closed] == ["operator"]


def test_a_running_router_decides_about_a_hub_that_an_import_brings(estate: Estate) -> None:
    hubs = estate.folder / "hubs.csv"
    hubs.write_text(f"device_id,status,smets_version\n{HUB},Commissioned,SMETS2\n")
    registrations = estate.folder / "registrations.csv"
    registrations.write_text(
        "device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to\n"
        f"{HUB},1800021679848,import_mpan,{S1},,2020-01-01,\n"
    )
    estate.activation()
    with running(estate) as router:
        assert wait_for(router, "fact.quarantined")["reason"] == "unknown_hub"
        files = ["--hubs", hubs, "--registrations", registrations]
        assert call("inventory", "import", *files, folder=estate.folder).exit_code == 0
        while not estate.sent(S1):
            assert router.poll() is None
    assert rows("quarantine", "list", folder=estate.folder) == []
