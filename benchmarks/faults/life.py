"""A router as a process: started whole or through the launcher, watched by its log, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HUBHERALD = Path(sys.executable).with_name("hubherald")
BENCHMARKS = Path(__file__).parents[1]
PATIENCE_S = 90.0
"""Nothing takes as long; it is there to fail."""
STOP_S = 35.0
"""Within which SIGTERM ends a router, whatever it is at."""


class Broken(Exception):
    """What a row found wrong; its first words are the verdict."""


class Life:
    """One process, from its start to its end."""

    def __init__(
        self,
        estate: Path,
        *words: str,
        at: tuple[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`at` is a point of `points.py` and its passing, at which the process is to die."""
        lives = len(list(estate.glob("router-*.log"))) + 1
        self.log = estate / f"router-{lives}.log"
        self.hit = estate / f"hit-{lives}.txt"
        command, more = [str(HUBHERALD)], dict(environment or {})
        if at is not None:
            name, passing = at
            place = [str(passing), str(self.hit)]
            command = [sys.executable, "-P", "-m", "faults.launcher", name, *place]
            more["PYTHONPATH"] = str(BENCHMARKS)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, *(words or ("run",))],
                cwd=estate,
                env={**os.environ, **more},
                stdout=out,
                stderr=out,
            )

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this kind so far."""
        found = []
        for text in self.log.read_text(errors="replace").splitlines(keepends=True):
            if text.startswith("{") and text.endswith("\n"):
                line = json.loads(text)
                if line["event"] == event:
                    found.append(line)
        return found

    def until(self, what: str, done: Callable[[], object], *, patience: float = PATIENCE_S) -> None:
        """Broken when it does not come to that."""
        give_up = time.monotonic() + patience
        while not done():
            if self.process.poll() is not None:
                raise Broken(f"the router ended ({self.process.returncode}) before: {what}")
            if time.monotonic() > give_up:
                raise Broken(f"not within {patience:g} s: {what}")
            time.sleep(0.02)

    def started(self) -> None:
        """Wait until it is at work."""
        self.until("the router is at work", lambda: self.said("router.started"))

    def dies(self, *, patience: float = PATIENCE_S) -> None:
        """Wait for the end that the launcher or somebody else gives it. Broken when it lives on,
        or ends otherwise."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Broken(f"the point was not reached within {patience:g} s") from None
        if code != -signal.SIGKILL:
            raise Broken(f"the router was to be killed, and ended with {code}")

    def killed(self, name: str) -> None:
        """Wait for the launcher to kill it, and see that it did at this point."""
        self.dies()
        hit = self.hit.read_text().strip() if self.hit.exists() else "nowhere"
        if hit != name:
            raise Broken(f"killed at {hit!r}, not at {name!r}")

    def ends(self, *, patience: float = 4 * PATIENCE_S) -> None:
        """Wait for its own end, which must be a good one."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Broken(f"the router was not idle within {patience:g} s") from None
        if code != 0:
            raise Broken(f"the router ended with {code}")

    def stop(self) -> None:
        """End it as an operator would. Broken when that takes too long, or exits otherwise."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise Broken(f"the router did not end within {STOP_S:g} s of SIGTERM") from None
        if code != 0:
            raise Broken(f"SIGTERM ended the router with {code}")

    def kill(self) -> None:
        """With kill -9; nothing when it has ended."""
        self.process.kill()
        self.process.wait()
