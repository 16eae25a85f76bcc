"""A router that runs, whose rules are edited meanwhile."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from support.commandline import start
from support.estate import S1, SUPPLIER, Estate

RULE = """\
rules:
  - name: {name}
    when:
      - activation.outcome == "success"
    alert: N64
"""
WRONG = "rules:\n  - name: tell\n    when:\n      - activation.outcom exists\n    alert: 64\n"


class Live:
    """A router that runs, and what it says."""

    def __init__(self, estate: Estate, process: Popen[str], log: Path, port: int) -> None:
        self.estate = estate
        self.process = process
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    def post(self) -> tuple[int, str]:
        """Ask for a reload, as a program would."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self) -> tuple[int, str]:
        """What `/-/ready` says."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def log(self, event: str) -> list[dict[str, Any]]:
        """What it has logged of this kind by now: a thread of its own writes that."""
        text, before = self._log.read_text(), None
        while text != before:
            time.sleep(0.02)
            text, before = self._log.read_text(), text
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in lines if line["event"] == event]

    def until(self, done: Callable[[], object]) -> None:
        """The limit is there to fail, not to measure."""
        limit = time.monotonic() + 60
        while not done():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < limit, self._log.read_text()
            time.sleep(0.01)

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=60) as response:
            lines = response.read().decode().splitlines()
        (found,) = [line for line in lines if line.startswith(f"hubherald_{name} ")]
        return float(found.split()[1])

    def decided(self) -> list[tuple[Any, ...]]:
        """(rule, digest of the rules) of every decision, in order."""
        return self.estate.ask(
            "SELECT d.rule, e.rules_digest FROM decisions d"
            " JOIN evaluations e ON e.fact_id = d.fact_id ORDER BY d.id"
        )


def one_supplier(folder: Path) -> Estate:
    """A home with one supplier, and one rule."""
    estate = Estate(folder)
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    write(estate, "first")
    return estate


def write(estate: Estate, name: str, text: str = RULE) -> None:
    """One rule of this name is all there is; whoever reads meanwhile sees the old or the new."""
    folder = estate.folder / "rules"
    folder.mkdir(exist_ok=True)
    draft = folder / ".draft"
    draft.write_text(text.format(name=name))
    draft.replace(folder / "rules.yaml")


def configure(estate: Estate, *, beside: Mapping[str, Any] | None = None, **more: Any) -> int:
    """Write hubherald.yaml with a port that is free; gives the port.

    `beside` stands beside the port under `operations`.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    file = estate.folder / "hubherald.yaml"
    written = json.loads(file.read_text())
    written |= {"rules": "rules", "operations": {"listen": f"127.0.0.1:{port}"}, **more}
    written["operations"] |= beside or {}
    file.write_text(json.dumps(written, indent=1))
    return port


@contextmanager
def running(estate: Estate, **more: Any) -> Iterator[Live]:
    port = configure(estate, **more)
    log = estate.folder / "log.jsonl"
    with (
        log.open("w") as written,
        start("run", folder=estate.folder, stderr=written.fileno()) as process,
    ):
        live = Live(estate, process, log, port)
        live.until(lambda: live.log("router.started"))
        yield live
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0, log.read_text()
