"""Rules that are broken, while it runs and at its start; and an engine that errs."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

from faults.facts import body, marked
from faults.life import PATIENCE_S
from faults.line import Line
from faults.points import MARK, NO_VERDICT
from faults.row import Row
from faults.scene import FACTS, UNTIL_IDLE, Scene

WRONG = "rules:\n  - name: tell\n    when:\n      - activation.outcom exists\n    alert: 64\n"
ASKS = f"""\
rules:
  - name: tell-of-the-marked-version
    when:
      - activation.firmware_version == "{MARK}"
      - recipient.role == "gas_supplier"
    alert: N64
"""
"""The version, of one role: of three candidates it is one that can't be decided."""
HALF = FACTS // 2


def reloaded(scene: Scene) -> Iterator[Line]:
    """The old rules serve on, and are asked about everything that comes meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    scene.configure(operations={"listen": f"127.0.0.1:{port}"})
    life = scene.start()
    life.started()
    wrong = scene.estate / "rules" / "wrong.yaml"
    wrong.write_text(WRONG)
    refused = scene.command("reload").returncode
    scene.send(0, HALF)
    have = scene.recipients.have
    life.until("the first half has come", lambda: have() >= 3 * HALF)
    successful = _metric(port, "hubherald_rules_last_reload_successful")
    wrong.unlink()
    scene.must("reload")
    scene.send(HALF, HALF)
    life.until("all has come", lambda: have() >= 3 * FACTS)
    mended = _metric(port, "hubherald_rules_last_reload_successful")
    life.stop()
    line = scene.line("broken rule file on reload")
    if refused == 0 or (successful, mended) != (0.0, 1.0):
        line.problems.append(f"reload ended with {refused}, the metric {successful}, {mended}")
    yield line


def _metric(port: int, name: str) -> float:
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(each.split()[1]) for each in lines if each.startswith(f"{name} "))


def refused(scene: Scene) -> Iterator[Line]:
    """It does not start, and acknowledges nothing."""
    wrong = scene.estate / "rules" / "wrong.yaml"
    wrong.write_text(WRONG)
    scene.send()
    life = scene.start()
    code = life.process.wait(PATIENCE_S)
    waits = scene.facts.left(FACTS)
    wrong.unlink()
    scene.until_idle()
    line = scene.line("broken rule file on start")
    if code == 0 or waits != FACTS:
        line.problems.append(f"ended with {code}, and {waits} of {FACTS} facts were left")
    yield line


def undecided(scene: Scene) -> Iterator[Line]:
    """The library errs about one of a fact's three candidates; later it is mended, and released."""
    (scene.estate / "rules" / "version.yaml").write_text(ASKS)
    scene.facts.send([*map(body, range(HALF)), marked(FACTS), *map(body, range(HALF, FACTS))])
    life = scene.start(*UNTIL_IDLE, at=(NO_VERDICT, 1))
    life.ends()
    line = scene.line("a rule evaluation fails", quarantined={"engine": 1})
    if NO_VERDICT not in (life.hit.read_text() if life.hit.exists() else ""):
        line.problems.append("no evaluation failed")
    scene.must("quarantine", "release", "--reason", "engine")
    scene.until_idle()
    whole = scene.recipients.have()
    if whole != 3 * FACTS + 3:
        line.problems.append(f"released, it came to {whole - 3 * FACTS} Alerts, not to 3")
    yield line


ROWS = [
    Row("broken rule file on reload", "old rules serve", reloaded, brief=True),
    Row("broken rule file on start", "refuses to start, nothing acknowledged", refused),
    Row("a rule evaluation fails", "that fact quarantined whole, no partial Alerts", undecided),
]
