"""The main job at size, through the public commands: an estate, the import, the run, the proof.

    .venv/bin/python benchmarks/main_job.py                 # the acceptance run
    .venv/bin/python benchmarks/main_job.py --kill 20       # the same with twenty kill -9
    .venv/bin/python benchmarks/main_job.py --ledger postgresql   # on a server of its own

Exit 0 when exactly the Alerts of expected.json came, 1 when not (the folder is kept then).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from lives import Counted, Lives, Run, hubherald
from proof import Proof, prove
from support.postgres import Postgres

from router.config.ledgerplace import ledger_place

RECEIVER = Path(__file__).with_name("receiver.py")
SIMULATED_CHANNEL = r"\{adapter: folder, path: outbox/(\S+), window: 16\}"
SIMULATED_LISTEN = "127.0.0.1:9464"


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
    channel = f'{{adapter: webhook, url: "{receiver}/\\1", window: {given.window}{batch}}}'
    replace(estate / "service_users.yaml", SIMULATED_CHANNEL, channel)
    replace(estate / "hubherald.yaml", re.escape(SIMULATED_LISTEN), "127.0.0.1:0")


def replace(file: Path, pattern: str, new: str) -> None:
    text, found = re.subn(pattern, new, file.read_text())
    assert found, f"{file} has no {pattern}: has the simulation changed?"
    file.write_text(text)


def import_inventory(estate: Path) -> tuple[int, float]:
    """Rows and seconds, the start of the process included."""
    started = time.perf_counter()
    hubherald(
        estate, "inventory", "import", "--hubs", "hubs.csv", "--registrations", "registrations.csv"
    )
    seconds = time.perf_counter() - started
    tables = ("hubs.csv", "registrations.csv")
    return sum((estate / name).read_bytes().count(b"\n") - 1 for name in tables), seconds


@contextmanager
def reading(estate: Path) -> Iterator[Any]:
    """The ledger that its configuration names; both drivers answer `execute` alike."""
    url = ledger_place(estate / "hubherald.yaml").url
    if url.startswith("sqlite:///"):
        opened: Any = sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)
    else:
        opened = psycopg.connect(url)
    with closing(opened):
        yield opened


@contextmanager
def serving(kind: str) -> Iterator[str | None]:
    """The URL of an empty database where the ledger is to be on a server."""
    if kind == "sqlite":
        yield None
        return
    sys.path.append(str(Path(__file__).parents[1] / "tests"))

    with Postgres(durable=True) as server:
        server.ask("CREATE DATABASE benchmark")
        yield server.url("benchmark")


def first_look(estate: Path) -> float:
    """When the first line was taken up, seconds since 1970: the start of the process before it is
    not the work's."""
    with reading(estate) as ledger:
        tables = ("facts", "quarantined")
        found = [ledger.execute(f"SELECT min(received_at) FROM {name}") for name in tables]
        return min(float(each) for row in found for each in row.fetchone() if each) / 1e6


def check_books(estate: Path, expected: dict[str, Any]) -> list[str]:
    """What the ledger says, against what the oracle counted."""
    with reading(estate) as ledger:

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
    parser.add_argument("--ledger", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--folder", type=Path, help="work here, and keep it")
    return parser.parse_args(words)


def work(folder: Path, given: argparse.Namespace) -> list[str]:
    """All of it; the problems that were found."""
    with serving(given.ledger) as server:
        return work_on(server, folder, given)


def work_on(server: str | None, folder: Path, given: argparse.Namespace) -> list[str]:
    """The same, with the ledger on a server if there is one."""
    estate, log = folder / "estate", folder / "received.tsv"
    with receiving(log, given) as receiver:
        prepare(estate, given, receiver)
        if server is not None:
            replace(estate / "hubherald.yaml", r"sqlite:///hubherald\.db", server)
        expected = json.loads((estate / "expected.json").read_text())
        imported = import_inventory(estate)
        alerts = expected["counts"]["alerts"]
        run = Run(estate, received=Counted(log), kills=given.kill, alerts=alerts, seed=given.seed)
        lives = run.go()
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


def conclude(
    given: argparse.Namespace, work: Callable[[Path, argparse.Namespace], list[str]]
) -> None:
    """Do the work in the folder that was given, or in one that goes when all is well."""
    folder = given.folder or Path(tempfile.mkdtemp(prefix="hubherald-benchmark-"))
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
    conclude(arguments(), work)
