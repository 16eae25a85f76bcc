"""kill -9 at any moment: nothing lost, nothing decided twice, duplicates are the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from support.estate import ROOT
from support.listener import Listener

from router.simulation import Setting, simulate

pytestmark = pytest.mark.once

KILLS = 6


def hubherald(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "router.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=True)


def run_and_kill(folder: Path, after: float) -> bool:
    """Start the router, kill it when it has been at work for a while; False when it had ended."""
    command = [sys.executable, "-m", "router.cli", "run", "--until-idle"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it has begun to work
        os.set_blocking(process.stderr.fileno(), False)
        limit = time.monotonic() + after
        while time.monotonic() < limit and process.poll() is None:
            with suppress(BlockingIOError):
                process.stderr.read(65_536)  # a full pipe would stop it for us
            time.sleep(0.01)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return alive


def test_killed_again_and_again_it_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "estate"
    with Listener() as listener:
        setting = Setting(channel="webhook", receiver=listener.url, listen="127.0.0.1:0")
        simulate(400, 20, 600, 7, folder, rules=ROOT / "rules", setting=setting)
        words = ("--hubs", "hubs.csv", "--registrations", "registrations.csv")
        hubherald(folder, "inventory", "import", *words)
        moments = random.Random(7)
        killed = sum(run_and_kill(folder, moments.uniform(0.05, 0.6)) for _ in range(KILLS))
        assert killed >= 2, "the router was too fast for this test: give it more to do"
        hubherald(folder, "run", "--until-idle")
        # a fact that kills have hit three times is in quarantine, where its operator sees it
        hubherald(folder, "quarantine", "release", "--reason", "engine")
        hubherald(folder, "run", "--until-idle")
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for body in listener.bodies:
            data = json.loads(body)["data"]
            key = (data["service_user_id"], json.loads(body)["id"])
            found[key].add(hashlib.sha256(body).hexdigest())
        assert all(len(bodies) == 1 for bodies in found.values())
        expected = json.loads((folder / "expected.json").read_bytes())
        assert len(found) == expected["counts"]["alerts"]
        listed = json.loads(
            hubherald(folder, "alerts", "list", "--limit", "100000", "-o", "json").stdout
        )
        assert {each["state"] for each in listed} == {"delivered"}
        by_user: dict[str, list[int]] = defaultdict(list)
        for each in listed:
            by_user[each["service_user_id"]].append(each["sequence"])
        for sequences in by_user.values():
            assert sorted(sequences) == list(range(1, len(sequences) + 1))
