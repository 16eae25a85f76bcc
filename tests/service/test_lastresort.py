"""A process whose threads hang: it ends all the same, and says what hung."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from router.delivery import adapters, flights, relay
from router.ports import stay
from router.service.lastresort import PATIENCE

PROGRAM = """
import sys, threading
from pathlib import Path
from router import logs
from router.service.lastresort import LastResort

log = logs.stand_aside()
logs.configure()
threading.Thread(target=Path(sys.argv[1]).read_bytes, name="hangs").start()
last = LastResort(log, patience=0.1)
last.begin()
last.begin()
if sys.argv[2] == "finished":
    last.finished()
"""


@pytest.mark.parametrize(("state", "code"), [("finished", 0), ("working", 1)])
def test_a_process_that_hangs_ends(tmp_path: Path, state: str, code: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "pipe", state],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == ["router.stuck"] * code
    for event in events:
        assert any(thread.startswith("hangs: ") for thread in event["threads"])


def test_an_adapter_that_ignores_its_end_is_waited_for() -> None:
    """In its sends, and again as it leaves."""
    sends = relay.DRAIN + flights.CANCELLED_S + relay.FINISH
    assert sends + adapters.LEAVE + stay.CANCELLED_S < PATIENCE
