"""What all runs of a bench share: a broker, an estate with its inventory, and receivers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aio_pika
from bench_watch import RefusedError
from exchanges import Watched, make_queues, queue_of
from market import activations, describe, found, users
from yardsticks.raw_amqp import SOURCE, TARGETS, declare, preload

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.broker import Broker

HERE = Path(__file__).parent
QUEUE = "hubherald.facts"
USERS = 12
NUMBER = re.compile(rb"bench-(\d+)")


class Ground:
    """A folder in which runs leave nothing to each other."""

    def __init__(self, broker: Broker, folder: Path, most: int) -> None:
        """`most` is how many facts a run has at most."""
        self.broker = broker
        self.folder = folder
        self.users = users(USERS)
        self.bodies = list(activations(most))
        self._runs = 0
        self._base = folder / "base"
        self._base.mkdir()
        found(self._base, {user: {"adapter": "log"} for user in self.users}, self._source())
        asyncio.run(self._make_queues())
        asyncio.run(make_queues(broker.url, self.users))

    def _source(self) -> dict[str, Any]:
        return {"adapter": "rabbitmq", "url": self.broker.url}

    async def _make_queues(self) -> None:
        async with await aio_pika.connect(self.broker.url) as connection:
            await declare(await connection.channel())

    def folder_of_run(self) -> Path:
        """An empty one."""
        self._runs += 1
        folder = self.folder / f"run-{self._runs}"
        folder.mkdir()
        return folder

    def estate(self, channels: Mapping[str, dict[str, Any]]) -> Path:
        """A copy whose users have these channels."""
        self._runs += 1
        estate = self.folder / f"run-{self._runs}"
        shutil.copytree(self._base, estate)
        describe(estate, channels, self._source())
        return estate

    def same_channel(self, **channel: Any) -> dict[str, dict[str, Any]]:
        """The same for each user, but for `{user}` in its values."""
        return {
            user: {
                key: value.format(user=user) if isinstance(value, str) else value
                for key, value in channel.items()
            }
            for user in self.users
        }

    def facts(self, estate: Path, count: int) -> Path:
        """A file with so many facts."""
        file = estate / "facts.jsonl"
        file.write_bytes(b"\n".join(self.bodies[:count]) + b"\n")
        return file

    def preload_yardstick(self, count: int) -> None:
        """Fill the queue that yardsticks take from."""
        self.purge(SOURCE, *TARGETS)

        async def publish() -> None:
            async with await aio_pika.connect(self.broker.url) as connection:
                await preload(await connection.channel(), SOURCE, self.bodies[:count])

        asyncio.run(publish())

    def purge(self, *names: str) -> None:
        """What a run that was refused has left is not the next one's."""
        with Watched(self.broker.url, names) as watched:
            watched.purge()

    def alert_queues(self) -> dict[str, str]:
        """Of the users: the name of the queue, and what the log has for it."""
        return {queue_of(user): f"/alerts/{user}" for user in self.users}


@contextmanager
def receiving(log: Path) -> Iterator[str]:
    """A receiver in its own process; gives its URL."""
    command = [sys.executable, str(HERE / "receiver.py"), "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextmanager
def program(python: Path, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A yardstick that runs; killed at the end."""
    command = [str(python), "-m", f"yardsticks.{name}", *words]
    with subprocess.Popen(command, cwd=HERE) as process:
        try:
            yield process
        finally:
            process.kill()


def check_yardstick(log: Path, facts: int, paths: list[str]) -> None:
    """Refuse what has not sent each fact once to each of the paths."""
    came: Counter[tuple[str, int]] = Counter()
    for line in log.read_bytes().splitlines():
        _, path, _, _, _, body = line.split(b"\t", 5)
        number = NUMBER.search(body)
        came[(path.decode(), int(number[1]) if number else -1)] += 1
    due = {(path, number) for path in paths for number in range(facts)}
    if missing := len(due - came.keys()):
        raise RefusedError(f"{missing} of {len(due)} were lost")
    if more := came.total() - len(due):
        raise RefusedError(f"{more} came that were not due")


def check_log(log: Path, due: Mapping[str, object]) -> None:
    """Refuse a run of the `log` adapter that has not told exactly these Alerts."""
    came: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        said = json.loads(line)
        if said["event"] == "alert":
            came[said["id"]] += 1
    if came != Counter(due.keys()):
        raise RefusedError(f"{came.total()} Alerts in the log, {len(due)} expected")
