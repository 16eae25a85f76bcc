"""What a decision and a delivery cost a router in an estate: processor time and statements."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_watch import RefusedError
from lives import Counted, stop
from market import SOURCE, activation
from processes import cpu_s

TRACED = Path(__file__).with_name("traced.py")
SPREAD = 7_919
"""Facts that follow each other are of hubs that lie as far apart."""
TRACED_FACTS = 200
LATE_S = 300.0


@dataclass(frozen=True)
class Cost:
    """Of one decision, and of one delivery of an Alert of it."""

    decision_us: float
    delivery_us: float
    decision_statements: float
    delivery_statements: float


class Life:
    """A router that runs in an estate with `hubs` hubs and a folder of facts."""

    def __init__(self, process: subprocess.Popen[bytes], estate: Path, hubs: int) -> None:
        self._process = process
        self._estate = estate
        self._hubs = hubs
        self._told = Counted(estate / "router.log")
        self._due = 0
        self._inbox = estate / "inbox" / "facts.jsonl"
        self._fed = self._inbox.read_bytes().count(b"\n") if self._inbox.exists() else 0

    def cost(self, facts: int) -> Cost:
        """Of activations that nobody is told of, and of others that make three Alerts."""
        self._feed("failure", 50)
        self._feed("success", 50)
        decided, told = self._feed("failure", facts), self._feed("success", facts)
        with self._traced() as statements:
            self._feed("failure", TRACED_FACTS)
        decided_statements = statements() / TRACED_FACTS
        with self._traced() as statements:
            self._feed("success", TRACED_FACTS)
        told_statements = statements() / TRACED_FACTS
        return Cost(
            decision_us=decided,
            delivery_us=(told - decided) / 3,
            decision_statements=decided_statements,
            delivery_statements=(told_statements - decided_statements) / 3,
        )

    def _feed(self, outcome: str, count: int) -> float:
        """So many activations; microseconds of processor time for each."""
        lines = []
        for number in range(self._fed, self._fed + count):
            fact = activation(number * SPREAD, hubs=self._hubs, outcome=outcome)
            fact |= {"id": f"growth-{number}", "source": f"{SOURCE}:growth"}
            fact["data"]["firmware_version"] = f"{number:08X}"
            lines.append(json.dumps(fact, separators=(",", ":")))
        before = cpu_s(self._process.pid)
        self._fed += count
        with self._inbox.open("a") as out:
            out.write("\n".join(lines) + "\n")
        self._until(self._taken_up)
        if outcome == "success":
            self._due += 3 * count
            self._until(lambda: self._told() >= self._due)
        time.sleep(0.3)
        if outcome == "failure" and self._told() > self._due:
            raise RefusedError("somebody was told of a failure")
        return (cpu_s(self._process.pid) - before) / count * 1e6

    def _taken_up(self) -> bool:
        """Whether all facts are decided: the router has noted how far it has read."""
        with closing(sqlite3.connect(self._estate / "hubherald.db")) as ledger:
            (read,) = ledger.execute('SELECT max("offset") FROM cursors').fetchone()
        return bool(read == self._inbox.stat().st_size)

    def _until(self, done: Callable[[], bool]) -> None:
        late = time.monotonic() + LATE_S
        while not done():
            if self._process.poll() is not None:
                raise RefusedError(f"the router ended with {self._process.returncode}")
            if time.monotonic() > late:
                raise RefusedError(f"not done within {LATE_S:.0f} s")
            time.sleep(0.02)

    @contextmanager
    def _traced(self) -> Iterator[Callable[[], int]]:
        """Counts meanwhile; gives how many, once it is over."""
        file = self._estate / "trace"
        file.with_suffix(".count").unlink(missing_ok=True)
        file.touch()
        time.sleep(0.3)
        yield lambda: int(file.with_suffix(".count").read_text())
        file.unlink()
        self._until(file.with_suffix(".count").exists)
        time.sleep(0.1)


def measure(estate: Path, hubs: int, facts: int) -> Cost:
    """Start a router there, and end it."""
    log = estate / "router.log"
    command = [sys.executable, str(TRACED), str(estate / "trace"), "run"]
    with log.open("wb") as out, subprocess.Popen(command, cwd=estate, stderr=out) as process:
        try:
            while b"router.started" not in log.read_bytes():
                if process.poll() is not None:
                    raise RefusedError(f"no start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            cost = Life(process, estate, hubs).cost(facts)
            if code := stop(process):
                raise RefusedError(f"the router ended with {code}")
        finally:
            process.kill()
    return cost
