"""The main job over a real RabbitMQ, in and out, with the faults of a bad day; and its yardstick.

    .venv/bin/python benchmarks/rabbitmq_job.py                            # the acceptance run
    .venv/bin/python benchmarks/rabbitmq_job.py --batch 100                # CloudEvents in batches
    .venv/bin/python benchmarks/rabbitmq_job.py --kill 20 --restart 5 --cut 5 --freeze 1

Facts are published with confirms by `hubherald publish`; every second Service User takes its
Alerts by webhook, the others from a queue of their own. What is in the queues is read at the end,
so that each message in them is one that the router has sent. The node is a private one.

The yardstick is a raw aio-pika program in the same run, on the same node: consume the same bodies
from a quorum queue, publish each three times with confirms, acknowledge; no rules, no store.

Exit 0 when exactly the Alerts of expected.json came, 1 when not (the folder is kept then).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from exchanges import EXCHANGE, empty_queues, make_queues, queue_of
from lives import Counted, Lives, Run, hubherald
from main_job import check_books, conclude, first_look, import_inventory, prepare, receiving
from proof import Proof, due, prove
from yardsticks.raw_amqp import rate as raw_rate

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.broker import Broker
from support.proxy import Proxy

QUEUE = "hubherald.facts"
FROZEN_S = 18.0
"""Seconds; three heartbeats of the router and a bit."""
CHANNEL = re.compile(r'\{adapter: webhook, url: "[^"]*/([0-9A-F-]+)", (window: .*)\}')


def to_rabbitmq(estate: Path, url: str) -> list[str]:
    """Facts from a queue, and every second user's Alerts into one; gives these users."""
    users: list[str] = []
    seen = 0

    def channel(found: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        if seen % 2:
            return found[0]
        users.append(found[1])
        words = f"exchange: {EXCHANGE}, routing_key: {found[1]}, {found[2]}"
        return f'{{adapter: rabbitmq, url: "{url}", {words}}}'

    file = estate / "service_users.yaml"
    file.write_text(CHANNEL.sub(channel, file.read_text()))
    config = estate / "hubherald.yaml"
    folder = "inbox: {adapter: folder, path: inbox/}"
    assert folder in config.read_text(), "has the simulation changed?"
    source = f'dsp: {{adapter: rabbitmq, url: "{url}"}}'
    config.write_text(config.read_text().replace(folder, source))
    return users


class BadDay:
    """Restarts, cuts and freezes, each when its share of the Alerts has arrived."""

    def __init__(
        self, broker: Broker, proxy: Proxy, given: argparse.Namespace, alerts: int
    ) -> None:
        self._broker = broker
        self._proxy = proxy
        faults = [self._restart] * given.restart + [self._cut] * given.cut
        faults += [self._freeze] * given.freeze
        # one kind after the other, not one kind at a time: they meet in every phase
        faults = sorted(faults, key=lambda _: hashlib.sha256(os.urandom(8)).digest())
        self._due = [
            (int((number + 0.5) / len(faults) * alerts), fault)
            for number, fault in enumerate(faults)
        ]
        self.said: list[str] = []

    def __call__(self, alerts: int) -> None:
        while self._due and alerts >= self._due[0][0]:
            _, fault = self._due.pop(0)
            fault()

    def _restart(self) -> None:
        self._broker.stop()
        self._broker.start()
        self.said.append("broker stopped and started")

    def _cut(self) -> None:
        self.said.append(f"{self._proxy.cut()} connections cut")

    def _freeze(self) -> None:
        self._broker.freeze()
        time.sleep(FROZEN_S)
        self._broker.thaw()
        self.said.append(f"broker frozen for {FROZEN_S:g} s")

    @property
    def left(self) -> int:
        return len(self._due)


def last_delivery(estate: Path) -> float:
    """When the last Alert was confirmed or accepted, seconds since 1970."""
    with closing(sqlite3.connect(f"file:{estate / 'hubherald.db'}?mode=ro", uri=True)) as ledger:
        question = "SELECT max(at) FROM outcomes WHERE outcome = 'delivered'"
        return float(ledger.execute(question).fetchone()[0]) / 1e6


def report(
    estate: Path,
    proof: Proof,
    lives: Lives,
    expected: dict[str, Any],
    *,
    published: float,
    raw: float,
) -> dict[str, Any]:
    """The figures, in the order in which they are read."""
    lines = expected["counts"]["lines"]
    working = last_delivery(estate) - first_look(estate)
    rate = lines / working
    return {
        "lines published": lines,
        "published with confirms, facts/s": round(lines / published),
        "Alerts expected": proof.expected,
        "Alerts received": proof.received,
        "duplicates (same id and body)": proof.duplicates,
        "kill -9": lives.kills,
        "first fact to last delivery, s": round(working, 2),
        "facts/s": round(rate),
        "Alerts/s": round(proof.received / working),
        "yardstick: raw aio-pika, messages/s": round(raw),
        "facts/s over the yardstick": round(rate / raw, 2),
        "Alerts/s over 3 x the yardstick": round(proof.received / working / (3 * raw), 2),
        "router CPU, s": round(lives.cpu_s, 1),
        "router peak RSS, MB": round(lives.peak_mb),
    }


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hubs", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--activations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill", type=int, default=0, help="how often to kill -9 the router")
    parser.add_argument("--restart", type=int, default=0, help="how often to restart the broker")
    parser.add_argument("--cut", type=int, default=0, help="how often to cut all connections")
    parser.add_argument("--freeze", type=int, default=0, help="how often to SIGSTOP the broker")
    parser.add_argument("--batch", type=int, default=1, help="Alerts in one message or webhook")
    parser.add_argument("--window", type=int, default=16, help="sends under way in one lane")
    parser.add_argument("--folder", type=Path, help="work here, and keep it")
    parser.set_defaults(delay=0.0, failures=0.0)
    return parser.parse_args(words)


def work(folder: Path, given: argparse.Namespace) -> list[str]:
    """All of it; the problems that were found."""
    estate, log = folder / "estate", folder / "received.tsv"
    with Broker() as broker, Proxy(broker.port) as proxy, receiving(log, given) as receiver:
        prepare(estate, given, receiver)
        users = to_rabbitmq(estate, f"amqp://127.0.0.1:{proxy.port}/")
        asyncio.run(make_queues(broker.url, users))
        expected = json.loads((estate / "expected.json").read_text())
        import_inventory(estate)
        facts = estate / "inbox" / "facts.jsonl"
        bodies = facts.read_bytes().splitlines()
        # before and after: the machine is not always the same
        raw = [asyncio.run(raw_rate(broker.url, bodies[:10_000]))]
        started = time.perf_counter()
        hubherald(estate, "publish", facts, "--no-check")
        published = time.perf_counter() - started
        by_webhook = sum(each.service_user_id not in users for each in due(expected).values())
        day = BadDay(broker, proxy, given, by_webhook)
        run = Run(
            estate,
            received=Counted(log),
            kills=given.kill,
            alerts=by_webhook,
            seed=given.seed,
            meanwhile=day,
        )
        lives = run.go()
        raw.append(asyncio.run(raw_rate(broker.url, bodies[:10_000])))
        paths = {queue_of(user): f"/alerts/{user}" for user in users}
        in_queues = asyncio.run(empty_queues(broker.url, paths, log))
        left = left_over(broker)
        if left and given.cut:  # the last acknowledgements can be lost with a connection
            hubherald(estate, "run", "--until-idle")
            left = left_over(broker)
    proof = prove(expected, log)
    figures = report(estate, proof, lives, expected, published=published, raw=median(raw))
    for name, value in [("messages in users' queues", in_queues), *figures.items()]:
        print(f"{name:46} {value:>12,}")
    for said in day.said:
        print(said)
    return verdict(given, estate, proof, lives, expected=expected, day=day) + left


def left_over(broker: Broker) -> list[str]:
    """What is left in the queues of facts; a quorum queue counts some seconds late."""
    give_up = time.monotonic() + 15
    while True:
        listed = broker.control("list_queues", "name", "messages").splitlines()
        left = [line for line in listed if line.startswith(QUEUE) and not line.endswith("\t0")]
        if not left or time.monotonic() > give_up:
            return [f"{line.split()[1]} messages were left in {line.split()[0]}" for line in left]
        time.sleep(0.5)


def verdict(
    given: argparse.Namespace,
    estate: Path,
    proof: Proof,
    lives: Lives,
    *,
    expected: dict[str, Any],
    day: BadDay,
) -> list[str]:
    problems = proof.problems + check_books(estate, expected)
    if lives.ends[-1] != 0:
        problems.append(f"the router ended with {lives.ends[-1]}: see {estate / 'router.log'}")
    if lives.kills < given.kill:
        problems.append(f"only {lives.kills} of {given.kill} kills: it was done before")
    if day.left:
        problems.append(f"{day.left} faults did not come: it was done before")
    faults = given.kill + given.restart + given.cut + given.freeze
    in_flight = faults * given.users * given.window * given.batch
    if proof.duplicates > in_flight:
        problems.append(f"{proof.duplicates} duplicates: more than were in flight at the faults")
    return problems


if __name__ == "__main__":
    conclude(arguments(), work)
