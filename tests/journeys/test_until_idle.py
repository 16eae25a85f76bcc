"""A run that is to end when idle says whom it waits for, and does not wait for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commandline import call
from support.estate import S1, SUPPLIER, Estate

pytestmark = pytest.mark.once

NOBODY = "127.0.0.1:1"
"""Where nobody listens."""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    return estate


def test_what_is_idle_ends_before_its_time_and_waited_for_nobody(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    done = call("run", "--until-idle", "--timeout", "600", folder=estate.folder)
    assert done.exit_code == 0, done.output
    assert "waited for" not in done.stderr
    assert "not read" not in done.stdout


def test_a_lane_that_fails_is_named_when_time_is_up(estate: Estate) -> None:
    estate.user(S1, SUPPLIER, channels=[{"adapter": "webhook", "url": f"http://{NOBODY}/"}])
    done = call("run", "--until-idle", "--timeout", "7", folder=estate.folder)
    assert done.exit_code == 1
    (waited,) = [line for line in done.stderr.splitlines() if line.startswith("still waited for")]
    assert waited.startswith(f"still waited for lane {S1}/webhook: ")
    assert done.stderr.endswith("not idle within 7 s\n")
    assert "facts: 1 decided" in done.stdout or "1 decided" in done.stdout


def test_a_broker_that_is_away_is_no_lack_of_facts(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    file = estate.folder / "hubherald.yaml"
    broker = {"adapter": "rabbitmq", "url": f"amqp://{NOBODY}/"}
    file.write_text(json.dumps({**json.loads(file.read_text()), "sources": {"dsp": broker}}))
    done = call("run", "--until-idle", "--timeout", "7", folder=estate.folder)
    assert done.exit_code == 1
    assert done.stdout.startswith("facts: none; not read: dsp\n")
    assert f"still waited for source dsp: {NOBODY}: connection refused" in done.stderr
    assert "router.waits" in done.stderr


def test_a_time_limit_is_for_runs_that_end(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    assert call("run", "--timeout", "5", folder=estate.folder).exit_code == 2
    assert call("run", "--until-idle", "--timeout", "0", folder=estate.folder).exit_code == 2
