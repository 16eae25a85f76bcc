"""The steps of the README under systemd give a service that starts."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.broker import Broker
from support.estate import ROOT

pytestmark = pytest.mark.once

PROGRAM = Path(sys.executable).with_name("hubherald")
UNIT = (ROOT / "deploy" / "hubherald.service").read_text()
CLOSED = """
mount --bind "$1" "$1"
mount --bind "$2" "$2"
mount -o remount,bind,ro "$2"
mount -o remount,bind,ro /
cd "$1"
if touch "$2/hubherald.yaml" 2>/dev/null; then echo "$2 is open"; exit 1; fi
shift 2
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"
"""
"""What ProtectSystem=strict, StateDirectory= and CapabilityBoundingSet= of the unit do."""


def initialised(folder: Path, broker: Broker) -> tuple[Path, Path]:
    """What `hubherald init` of the README writes, as root; gives state and configuration."""
    (step,) = re.findall(r"^ +/opt/hubherald/bin/hubherald (init .+)$", readme(), re.M)
    state, config = folder / "var", folder / "etc"
    places = {
        "/var/lib/hubherald": str(state),
        "/etc/hubherald": str(config),
        "amqp://localhost/": broker.url,
    }
    words = [places.get(word, word) for word in shlex.split(step)]
    assert set(places.values()) <= set(words)
    subprocess.run([PROGRAM, *words], check=True, stdout=subprocess.DEVNULL)
    return state, config


def readme() -> str:
    return (ROOT / "README.md").read_text()


def test_the_service_of_the_readme_starts_and_tells_somebody(
    tmp_path: Path, broker: Broker
) -> None:
    state, config = initialised(tmp_path, broker)
    state.mkdir(exist_ok=True)  # StateDirectory=
    settings = dict(re.findall(r"^Environment=(\w+)=(.+)$", UNIT, re.M))
    assert settings == {"HUBHERALD_CONFIG": "/etc/hubherald/hubherald.yaml"}
    inside = {**os.environ, "HUBHERALD_CONFIG": str(config / "hubherald.yaml")}
    (config / "hubherald.yaml").write_text(
        (config / "hubherald.yaml").read_text().replace(":9464", ":0")
    )
    log = tmp_path / "log"

    def closed(*words: str) -> list[str]:
        there = [str(state), str(config), str(PROGRAM), *words]
        return ["unshare", "--mount", "--propagation=private", "sh", "-ec", CLOSED, "sh", *there]

    hubs, registrations = config / "hubs.csv", config / "registrations.csv"
    given = ["--hubs", str(hubs), "--registrations", str(registrations)]
    subprocess.run(closed("inventory", "import", *given), env=inside, check=True)
    with (
        log.open("wb") as out,
        subprocess.Popen(closed("run"), env=inside, stdout=out, stderr=out) as router,
    ):
        try:
            until(lambda: b"rabbitmq.connected" in log.read_bytes(), router, log)
            facts = config / "inbox" / "facts.jsonl"
            publish = [str(PROGRAM), "publish", str(facts)]
            there = {**inside, "XDG_STATE_HOME": str(tmp_path)}
            subprocess.run(publish, env=there, check=True, stdout=subprocess.DEVNULL)
            until(lambda: told(state) == {"acme", "northern-grid"}, router, log)
        finally:
            router.send_signal(signal.SIGTERM)
        assert router.wait(60) == 0, log.read_text()
    assert (state / "hubherald.db").exists()
    assert not list(config.glob("*.db*"))


def told(state: Path) -> set[str]:
    return {alert.parent.name for alert in state.glob("alerts/*/*.json")}


def until(done: Callable[[], bool], router: subprocess.Popen[bytes], log: Path) -> None:
    """The limit is there to fail, not to measure."""
    limit = time.monotonic() + 60
    while not done():
        assert router.poll() is None and time.monotonic() < limit, log.read_text()
        time.sleep(0.02)
