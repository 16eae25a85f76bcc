"""The router's processes in a benchmark: started, watched, killed, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from processes import peak_mb

STOP_S = 60.0
"""Longer than a router waits for answers."""
HUBHERALD = Path(sys.executable).with_name("hubherald")


@dataclass
class Lives:
    """The router's processes, from the first start to the last exit."""

    seconds: float = 0.0
    started_at: float = 0.0
    """Of the first process, seconds since 1970."""
    peak_mb: float = 0.0
    kills: int = 0
    cpu_s: float = 0.0
    ends: list[int] = field(default_factory=list)


def hubherald(estate: Path, *words: str | Path) -> str:
    """Run a command to its end in the estate's folder; what it printed."""
    done = subprocess.run(
        [HUBHERALD, *words], cwd=estate, check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"hubherald {words[0]} failed ({done.returncode}):\n{done.stderr}")
    return done.stdout


@contextmanager
def router(estate: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`hubherald run`, once it has started; killed at the end, unless it was stopped before."""
    log = estate / "router.log"
    with (
        log.open("wb") as out,
        subprocess.Popen([HUBHERALD, "run"], cwd=estate, stderr=out) as process,
    ):
        try:
            while b"router.started" not in log.read_bytes():
                if process.poll() is not None:
                    raise SystemExit(f"the router did not start:\n{log.read_text()[-2000:]}")
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def stop(process: subprocess.Popen[bytes]) -> int:
    """As an operator would; its exit code, that of a kill when it does not end."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class Run:
    """`hubherald run --until-idle`, killed as often as asked."""

    def __init__(
        self,
        estate: Path,
        *,
        received: Callable[[], int],
        kills: int,
        alerts: int,
        seed: int,
        meanwhile: Callable[[int], None] = lambda _alerts: None,
    ) -> None:
        """`meanwhile` is called again and again with the Alerts received so far."""
        self.estate = estate
        self._received = received
        self._meanwhile = meanwhile
        self.lives = Lives()
        draw = Random(seed)
        # A quarter dies young (start, intake), the others all along the way of the Alerts.
        young = kills // 4
        self.moments: list[tuple[float, int]] = [(draw.uniform(0.2, 4.0), 0) for _ in range(young)]
        steps = kills - young
        self.moments += [
            (draw.uniform(0.0, 0.05), int((step + draw.random()) / (steps + 1) * alerts))
            for step in range(steps)
        ]

    def go(self) -> Lives:
        started = time.perf_counter()
        self.lives.started_at = time.time()
        for wait, alerts in [*self.moments, (0.0, -1)]:
            if self._live(wait, alerts):
                break
        self.lives.seconds = time.perf_counter() - started
        return self.lives

    def _live(self, wait: float, alerts: int) -> bool:
        """One process; True when it ended by itself. Killed `wait` seconds after the receiver
        has as many `alerts`; never when that is -1."""
        with (self.estate / "router.log").open("ab") as log:
            process = subprocess.Popen(
                [HUBHERALD, "run", "--until-idle"], cwd=self.estate, stdout=log, stderr=log
            )
        due: float | None = None
        while True:
            self._note_memory(process.pid)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                self.lives.cpu_s += usage.ru_utime + usage.ru_stime
                self.lives.ends.append(process.returncode)
                return process.returncode != -signal.SIGKILL
            seen = self._received()
            self._meanwhile(seen)
            if due is None and alerts >= 0 and seen >= alerts:
                due = time.perf_counter() + wait
            if due is not None and time.perf_counter() >= due:
                os.kill(process.pid, signal.SIGKILL)
                self.lives.kills += 1
                due = float("inf")
            time.sleep(0.002 if alerts >= 0 else 0.02)

    def _note_memory(self, pid: int) -> None:
        with suppress(OSError, IndexError):  # it has ended
            self.lives.peak_mb = max(self.lives.peak_mb, peak_mb(pid))


class Counted:
    """Alerts in a receiver's log so far, those that came twice counted twice."""

    def __init__(self, log: Path, mark: bytes = b'"sequence":') -> None:
        """`mark` stands once in each."""
        self._log = log
        self._mark = mark
        self._read_to = 0
        self._seen = 0

    def __call__(self) -> int:
        if self._log.exists():
            with self._log.open("rb") as log:
                log.seek(self._read_to)
                grown = log.read()
            self._read_to += len(grown)
            self._seen += grown.count(self._mark)
        return self._seen
