"""What never answers: pipes where files should be, and threads that hang in somebody's adapter."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.commandline import PROGRAM
from support.estate import ROOT, S1, S2, SUPPLIER, Estate

HANGING = """
import asyncio
from pathlib import Path
from router.ports import Adapter, Options

class HangingOptions(Options):
    path: Path

class HangingAdapter(Adapter[HangingOptions]):
    Config = HangingOptions

    def __init__(self, config):
        self.path = config.path

    async def deliver(self, deliveries):
        self.path.with_name("asked").touch()
        await asyncio.to_thread(self.path.read_bytes)
"""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    estate = Estate(tmp_path)
    estate.configure(Path("rules"))
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    return estate


def install(folder: Path) -> None:
    """An adapter as pip would install it."""
    (folder / "hanging.py").write_text(HANGING)
    facts = folder / "hanging-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1.0\n")
    entry = "[hubherald.adapters]\nhanging = hanging:HangingAdapter\n"
    (facts / "entry_points.txt").write_text(entry)


def test_a_thread_that_hangs_stops_neither_other_lanes_nor_the_end(
    estate: Estate, tmp_path: Path
) -> None:
    install(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    hanging = {"adapter": "hanging", "path": "pipe", "timeout": 0.5}
    estate.user(S2, SUPPLIER, channels=[hanging])
    estate.registration("export_mpan", S2)
    estate.activation()
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}"}
    with subprocess.Popen([*PROGRAM, "run"], cwd=tmp_path, env=environment) as router:
        try:
            limit = time.monotonic() + 60
            while not (estate.sent(S1) and (tmp_path / "asked").exists()):
                assert router.poll() is None
                assert time.monotonic() < limit
                time.sleep(0.02)
            router.send_signal(signal.SIGTERM)
            assert router.wait(60) == 0
        except BaseException:
            router.kill()
            raise


HOOK = {"adapter": "webhook", "url": "https://localhost:1/"}
PIPES = {
    "the configuration": ("hubherald.yaml", {}),
    "the users": ("service_users.yaml", {}),
    "rules": ("rules/more.yaml", {}),
    "a secret": ("it", {**HOOK, "secret_file": "it"}),
    "whom to trust": ("it", {**HOOK, "ca_file": "it"}),
}


@pytest.mark.parametrize("place", PIPES)
def test_a_pipe_where_a_file_should_be_is_named_at_once(
    estate: Estate, tmp_path: Path, place: str
) -> None:
    name, channel = PIPES[place]
    if channel:
        estate.user(S2, SUPPLIER, channels=[channel])
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name, 0o600)
    done = subprocess.run(
        [*PROGRAM, "check"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    # a configuration that can't be read is wrong use, and not a finding in one
    assert done.returncode == (2 if place == "the configuration" else 1)
    assert "Traceback" not in done.stderr
    assert any(words in done.stdout + done.stderr for words in ("not a plain file", "not a file"))


def test_a_pipe_in_the_inbox_and_in_a_users_folder_holds_nobody_up(
    estate: Estate, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "inbox" / "a.jsonl")
    estate.activation()
    estate.run()
    (sent,) = (tmp_path / "sent" / S1).glob("*.json")
    assert json.loads(sent.read_bytes())["data"]["sequence"]
