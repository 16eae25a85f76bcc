"""The main job at size, through the public commands: an estate, the import, the run, the proof.

    .venv/bin/python benchmarks/main_job.py                 # the acceptance run
    .venv/bin/python benchmarks/main_job.py --kill 20       # the same with twenty kill -9

Exit 0 when exactly the Alerts of expected.json came, 1 when not (the folder is kept then).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from proof import Proof, prove

HUBHERALD = Path(sys.executable).with_name("hubherald")
RECEIVER = Path(__file__).with_name("receiver.py")
SIMULATED_RECEIVER = "http://127.0.0.1:8900"
SIMULATED_LISTEN = "127.0.0.1:9464"
SIMULATED_WINDOW = "window: 16"


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
def receiving(log: Path, given: argparse.Namespace) -> Iterator[str]:
    """A receiver in its own process; gives its URL."""
    options = ["--delay", given.delay, "--failures", given.failures, "--seed", given.seed]
    command = [sys.executable, str(RECEIVER), "--log", str(log), *map(str, options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def prepare(estate: Path, given: argparse.Namespace, receiver: str) -> None:
    """Simulate, and point the users' channels to our receiver."""
    sizes = {"hubs": given.hubs, "users": given.users, "activations": given.activations}
    words = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    hubherald(estate.parent, "simulate", *words, "--seed", str(given.seed), "--out", estate)
    batch = f", batch: {given.batch}" if given.batch > 1 else ""
    replace(estate / "service_users.yaml", SIMULATED_RECEIVER, receiver)
    replace(estate / "service_users.yaml", SIMULATED_WINDOW, f"window: {given.window}{batch}")
    replace(estate / "hubherald.yaml", SIMULATED_LISTEN, "127.0.0.1:0")


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}: has the simulation changed?"
    file.write_text(text.replace(old, new))


def import_inventory(estate: Path) -> tuple[int, float]:
    """Rows and seconds, the start of the process included."""
    started = time.perf_counter()
    hubherald(
        estate, "inventory", "import", "--hubs", "hubs.csv", "--registrations", "registrations.csv"
    )
    seconds = time.perf_counter() - started
    tables = ("hubs.csv", "registrations.csv")
    return sum((estate / name).read_bytes().count(b"\n") - 1 for name in tables), seconds


class Run:
    """`hubherald run --until-idle`, killed as often as asked."""

    def __init__(self, estate: Path, log: Path, *, kills: int, alerts: int, seed: int) -> None:
        self.estate = estate
        self.log = log
        self.lives = Lives()
        self._read_to = 0
        self._seen = 0
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
            if due is None and alerts >= 0 and self._received() >= alerts:
                due = time.perf_counter() + wait
            if due is not None and time.perf_counter() >= due:
                os.kill(process.pid, signal.SIGKILL)
                self.lives.kills += 1
                due = float("inf")
            time.sleep(0.002 if alerts >= 0 else 0.02)

    def _received(self) -> int:
        """Alerts so far, those that came twice counted twice."""
        if self.log.exists():
            with self.log.open("rb") as log:
                log.seek(self._read_to)
                grown = log.read()
            self._read_to += len(grown)
            self._seen += grown.count(b'"sequence":')
        return self._seen

    def _note_memory(self, pid: int) -> None:
        # not ru_maxrss: that of a new process begins with the memory of the one that made it
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.lives.peak_mb = max(self.lives.peak_mb, int(line.split()[1]) / 1024)


def first_look(estate: Path) -> float:
    """When the first line was taken up, seconds since 1970: the start of the process before it is
    not the work's."""
    with closing(sqlite3.connect(f"file:{estate / 'hubherald.db'}?mode=ro", uri=True)) as ledger:
        tables = ("facts", "quarantined")
        found = [ledger.execute(f"SELECT min(received_at) FROM {name}") for name in tables]
        return min(float(each) for row in found for each in row.fetchone() if each) / 1e6


def check_books(estate: Path, expected: dict[str, Any]) -> list[str]:
    """What the ledger says, against what the oracle counted."""
    with closing(sqlite3.connect(f"file:{estate / 'hubherald.db'}?mode=ro", uri=True)) as ledger:

        def counted(query: str) -> dict[str, int]:
            return dict(ledger.execute(query).fetchall())

        found = {
            "facts": counted("SELECT type, count(*) FROM facts GROUP BY 1"),
            "decisions": counted("SELECT verdict, count(*) FROM decisions GROUP BY 1"),
            "alerts": ledger.execute("SELECT count(*) FROM alerts").fetchone()[0],
            "stale": ledger.execute("SELECT count(*) FROM facts WHERE effect = 'stale'").fetchone()[
                0
            ],
        }
        states = counted("SELECT state, count(*) FROM deliveries GROUP BY 1")
    listed = json.loads(hubherald(estate, "quarantine", "list", "--limit", "1000000", "-o", "json"))
    found["quarantine"] = dict(Counter(row["reason"] for row in listed))
    problems = [
        f"{name}: the ledger has {value}, expected {expected['counts'][name]}"
        for name, value in found.items()
        if value != expected["counts"][name]
    ]
    held = expected["counts"]["held"]
    delivered = expected["counts"]["alerts"] - held
    if states.get("delivered", 0) != delivered or sum(states.values()) != delivered + held:
        problems.append(f"deliveries: {states}, expected {delivered} delivered, {held} held")
    return problems


def report(
    proof: Proof,
    lives: Lives,
    expected: dict[str, Any],
    imported: tuple[int, float],
    began: float,
) -> dict[str, Any]:
    """The figures, in the order in which they are read."""
    rows, seconds = imported
    lines = expected["counts"]["lines"]
    deciding = proof.last_decision - began
    return {
        "import, rows": rows,
        "import, s": round(seconds, 2),
        "import, rows/s": round(rows / seconds),
        "lines in": lines,
        "Alerts expected": proof.expected,
        "Alerts received": proof.received,
        "duplicates (same id and body)": proof.duplicates,
        "requests": proof.requests,
        "requests refused on purpose": proof.refused,
        "kill -9": lives.kills,
        "run, s (start to exit)": round(lives.seconds, 2),
        "start to first line, s": round(began - lives.started_at, 2),
        "first line to last decision, s": round(deciding, 2),
        "facts/s (lines in / the above)": round(lines / deciding),
        "first line to last receipt, s": round(proof.last_receipt - began, 2),
        "Alerts/s (received / the above)": round(proof.received / (proof.last_receipt - began)),
        "decision to receipt, p50 s": round(proof.percentile(0.5), 3),
        "decision to receipt, p99 s": round(proof.percentile(0.99), 3),
        "router CPU, s": round(lives.cpu_s, 1),
        "router peak RSS, MB": round(lives.peak_mb),
        "most overtaken within a lane": proof.overtaken,
    }


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hubs", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--activations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", type=int, default=0, help="how often to kill -9 the router")
    parser.add_argument("--batch", type=int, default=1, help="Alerts in one webhook")
    parser.add_argument("--window", type=int, default=16, help="sends under way in one lane")
    parser.add_argument("--delay", type=float, default=0.0, help="the receiver's, in seconds")
    parser.add_argument("--failures", type=float, default=0.0, help="share answered with 503")
    parser.add_argument("--folder", type=Path, help="work here, and keep it")
    return parser.parse_args(words)


def work(folder: Path, given: argparse.Namespace) -> list[str]:
    """All of it; the problems that were found."""
    estate, log = folder / "estate", folder / "received.tsv"
    with receiving(log, given) as receiver:
        prepare(estate, given, receiver)
        expected = json.loads((estate / "expected.json").read_text())
        imported = import_inventory(estate)
        alerts = expected["counts"]["alerts"]
        lives = Run(estate, log, kills=given.kill, alerts=alerts, seed=given.seed).go()
    proof = prove(expected, log)
    for name, value in report(proof, lives, expected, imported, first_look(estate)).items():
        print(f"{name:46} {value:>12,}")
    problems = proof.problems + check_books(estate, expected)
    if lives.ends[-1] != 0:
        problems.append(f"the router ended with {lives.ends[-1]}: see {estate / 'router.log'}")
    if lives.kills < given.kill:
        problems.append(f"only {lives.kills} of {given.kill} kills: it was done before")
    in_flight = lives.kills * given.users * given.window * given.batch
    if not given.failures and proof.duplicates > in_flight:
        problems.append(f"{proof.duplicates} duplicates: more than were in flight at the kills")
    if proof.overtaken >= given.window * given.batch:
        problems.append(f"an Alert came before {proof.overtaken} earlier ones: beyond the window")
    return problems


def main() -> None:
    given = arguments()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="hubherald-main-job-"))
    folder.mkdir(parents=True, exist_ok=True)
    problems = work(folder, given)
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    if problems:
        raise SystemExit(f"{len(problems)} problems; all files are in {folder}")
    print("exactly the Alerts of expected.json: nothing lost, nothing foreign")
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
