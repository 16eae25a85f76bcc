"""Hubherald beside its yardsticks, at full load and at a pace: `make bench`.

    .venv/bin/python benchmarks/bench.py                    # three rounds, about ten minutes
    .venv/bin/python benchmarks/bench.py --quick            # one short round: does it still work?

The pairs of a round run one after the other, every second round the other way round. Each run
starts a process and ends it; what it sent is held against what had to come, and a run that lost
something or sent it twice is refused. Writes RESULTS.md. Exit 1 when a run was refused.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bench_full_load as full
from bench_commands import command_seconds, ledger_bytes
from bench_ground import Ground
from bench_machine import Machine
from bench_paced import by_faststream, by_hubherald
from bench_report import report
from bench_results import PACES, Results
from bench_watch import RefusedError
from yardsticks.having import CannotHaveError, alertmanager, faststream, rabbitmq

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.broker import Broker

RESULTS = Path(__file__).with_name("RESULTS.md")
FACTS = 15_000
"""Of the longest run; one by one there are fewer."""
QUICK_FACTS = 1_000

Job = Callable[[], Any]


def jobs(ground: Ground, given: argparse.Namespace) -> dict[str, Job]:
    """What a round consists of: each of ours behind what it is held against."""
    most, seconds, fetch = given.facts, given.seconds, not given.offline
    few = most * 2 // 5
    return {
        "raw aio-pika": lambda: full.raw_amqp(ground, most),
        "AMQP": lambda: full.to_queues(ground, few, 1),
        "AMQP, batches": lambda: full.to_queues(ground, most, 100),
        "Alertmanager": lambda: full.alerting(ground, few, alertmanager(fetch=fetch)),
        "webhook": lambda: full.to_receiver(ground, few, 1),
        "raw aiohttp": lambda: full.raw_http(ground, few),
        "webhook, batches": lambda: full.to_receiver(ground, most, 100),
        "FastStream": lambda: full.faststream(ground, few, faststream(fetch=fetch)),
        "log": lambda: full.to_log(ground, most),
        "FastStream, paced": lambda: by_faststream(
            ground, PACES[:2], seconds, faststream(fetch=fetch)
        ),
        "paced": lambda: by_hubherald(ground, PACES, seconds),
        "commands": lambda: command_seconds(ground, 3),
    }


def measure(ground: Ground, given: argparse.Namespace) -> Results:
    """All rounds."""
    results = Results(defaultdict(list), {})
    for number in range(given.rounds):
        order = list(jobs(ground, given).items())
        for name, job in reversed(order) if number % 2 else order:
            run(results, f"round {number + 1}: {name}", name, job)
    run(results, "ledger", "ledger", lambda: ledger_bytes(ground, given.facts // 5))
    return results


def run(results: Results, said: str, name: str, job: Job) -> None:
    """One run; what it gave, or why it does not count."""
    began = time.perf_counter()
    try:
        found = job()
        results.found[name].append(found)
    except CannotHaveError as reason:
        found = f"{reason}"
        results.missing[name] = found
    except (RefusedError, SystemExit) as reason:  # the latter: a command of ours failed
        found = f"REFUSED: {reason}"
        results.missing[name] = found
    print(f"{said}: {found} [{time.perf_counter() - began:.0f} s]", flush=True)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--facts", type=int, help="of the longest run")
    parser.add_argument("--seconds", type=float, help="at each pace")
    parser.add_argument("--offline", action="store_true", help="fetch no yardstick")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the results go")
    given = parser.parse_args(words)
    given.rounds = given.rounds or (1 if given.quick else 3)
    given.facts = given.facts or (QUICK_FACTS if given.quick else FACTS)
    given.seconds = given.seconds or (1.0 if given.quick else 8.0)
    return given


def main() -> int:
    given = arguments()
    machine = Machine.now()
    rabbitmq()
    with tempfile.TemporaryDirectory(prefix="hubherald-bench-") as name, Broker() as broker:
        machine.note_broker(broker)
        ground = Ground(broker, Path(name), given.facts)
        results = measure(ground, given)
    machine.note_yardsticks()
    text = report(results, machine, given)
    given.out.write_text(text)
    print(text)
    return 1 if results.refused() else 0


if __name__ == "__main__":
    sys.exit(main())
