"""A router whose log nobody reads, though somebody has it open: a pager, a collector that hangs."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from sqlite3 import OperationalError

from support.commandline import start
from support.estate import S1, SUPPLIER, Estate

from router.intake.gathered import GATHER
from router.intake.observed import TOLD

RUBBISH = 40_000
"""Facts that are told of in the log: more than a pipe takes, and a queue of QUEUE bytes."""
QUEUE = 16_384
LINES = RUBBISH // GATHER * (TOLD + 1)
"""The fewest that tell of them: some of each batch, and one that counts the others."""
SMALL = f"""
from router.logstream import LogStream
LogStream.__init__.__defaults__ = ({QUEUE},)
from router.cli import main
main()
"""


def test_a_router_whose_log_is_stuck_works_on_and_ends_on_sigterm(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    for number in range(RUBBISH):
        estate.line(b"rubbish %d" % number)
    estate.activation()
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with start("run", folder=estate.folder, stderr=writing) as router:
        limit = time.monotonic() + 120
        while not estate.sent(S1):
            assert router.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.02)
        router.send_signal(signal.SIGTERM)
        assert router.wait(60) == 0
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as log:
        events = [json.loads(line)["event"] for line in log.read().splitlines()[:-1]]
    assert "router.started" in events


def in_quarantine(estate: Estate) -> bool:
    """All of it."""
    try:
        return estate.ask("SELECT count(*) FROM quarantined") == [(RUBBISH,)]
    except OperationalError:  # it is not made yet
        return False


def test_a_router_that_logs_a_lot_tells_what_was_dropped(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    for number in range(RUBBISH):
        estate.line(b"rubbish %d" % number)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    words = [sys.executable, "-c", SMALL, "run"]
    with subprocess.Popen(words, cwd=estate.folder, stderr=writing) as router:
        os.close(writing)
        while not in_quarantine(estate):
            assert router.poll() is None
        events = []
        with os.fdopen(reading, encoding="utf-8") as log:
            for line in log:
                events.append(json.loads(line))
                if events[-1]["event"] == "log.dropped":
                    router.send_signal(signal.SIGTERM)
        assert router.wait(60) == 0
    quarantined = sum(event["event"].startswith("fact.quarantined") for event in events)
    (dropped,) = [event for event in events if event["event"] == "log.dropped"]
    assert quarantined + dropped["lines"] >= LINES
    assert events[-1]["event"] == "router.stopped"
