"""At a pace far below full load: how long an Alert takes, and what an activation costs then."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_full_load import PATHS, check_alerts
from bench_ground import (
    HERE,
    NUMBER,
    QUEUE,
    Ground,
    check_yardstick,
    program,
    receiving,
)
from bench_watch import LATE_S, Receipts, RefusedError, Sink
from lives import hubherald, router, stop
from market import activation, expected
from processes import cpu_s
from proof import due
from yardsticks.raw_amqp import SOURCE, TARGETS

WARM = 50.0
"""Facts, at as many a second, before anything is measured."""
SETTLE_S = 0.3
"""For what is done after the last answer."""


@dataclass(frozen=True)
class Paced:
    """What a process did at one pace."""

    cpu_ms: float
    """Processor time for one activation with its three Alerts."""
    core: float
    """Share of one core that it takes to keep that pace."""
    p50_ms: float
    """From the publishing of a fact to the receipt of an Alert of it."""
    p99_ms: float


def by_hubherald(ground: Ground, paces: Sequence[float], seconds: float) -> list[Paced]:
    """Hubherald with webhooks; one figure for each pace."""
    log = ground.folder_of_run() / "received.tsv"
    with receiving(log) as url:
        channels = ground.same_channel(adapter="webhook", url=url + "/{user}")
        estate = ground.estate(channels)
        hubherald(estate, "publish", ground.facts(estate, 1), "--no-check")  # declares the queue
        ground.purge(QUEUE)
        with router(estate) as process:
            feeding = Feeding(ground, process, QUEUE, Receipts(log))
            spans = feeding.at_paces(paces, seconds)
            code = stop(process)
    if code != 0:
        raise RefusedError(f"the router ended with {code}")
    wanted = expected(range(feeding.fed), ground.users)
    check_alerts(wanted, log)
    events = due(wanted)
    facts = {
        (data["device_id"], data["firmware_version"]): number
        for number in range(feeding.fed)
        for data in [activation(number)["data"]]
    }
    numbers = {
        key.encode(): facts[(each.device_id, each.firmware_version)] for key, each in events.items()
    }
    receipts = [line.split(b"\t", 3) for line in log.read_bytes().splitlines()]
    came = [(numbers[message], float(at)) for at, _, message, _ in receipts]
    return [span.figures(came, feeding.sent()) for span in spans]


def by_faststream(
    ground: Ground, paces: Sequence[float], seconds: float, python: Path
) -> list[Paced]:
    """FastStream with the same receiver."""
    ground.purge(SOURCE, *TARGETS)
    sink = Receipts(ground.folder_of_run() / "received.tsv", b"\n")
    with (
        receiving(sink.log) as url,
        program(python, "on_faststream", "--amqp", ground.broker.url, "--to", url) as process,
    ):
        feeding = Feeding(ground, process, SOURCE, sink)
        spans = feeding.at_paces(paces, seconds)
    check_yardstick(sink.log, feeding.fed, PATHS)
    came: list[tuple[int, float]] = []
    for line in sink.log.read_bytes().splitlines():
        number = NUMBER.search(line)
        assert number is not None
        came.append((int(number[1]), float(line.split(b"\t", 1)[0])))
    return [span.figures(came, feeding.sent()) for span in spans]


@dataclass(frozen=True)
class Span:
    """Facts that were fed at one pace."""

    numbers: range
    pace: float
    cpu_s: float

    def figures(self, came: Sequence[tuple[int, float]], sent: Mapping[int, float]) -> Paced:
        """`came` has the number of its fact and the moment for each receipt."""
        took = sorted(at - sent[number] for number, at in came if number in self.numbers)
        return Paced(
            cpu_ms=self.cpu_s / len(self.numbers) * 1e3,
            core=self.cpu_s / len(self.numbers) * self.pace,
            p50_ms=took[len(took) // 2] * 1e3,
            p99_ms=took[len(took) * 99 // 100] * 1e3,
        )


class Feeding:
    """Facts for a process that runs, at one pace after the other."""

    def __init__(
        self, ground: Ground, process: subprocess.Popen[bytes], queue: str, sink: Sink
    ) -> None:
        self._ground = ground
        self._process = process
        self._queue = queue
        self._sink = sink
        self._log = sink.log.with_name("sent.tsv")
        self.fed = 0
        """Facts so far."""

    def at_paces(self, paces: Sequence[float], seconds: float) -> list[Span]:
        """For so long each, after a short while that warms up."""
        self._feed(WARM, int(WARM))
        return [self._feed(pace, int(pace * seconds)) for pace in paces]

    def sent(self) -> dict[int, float]:
        """When each fact was given to the broker."""
        lines = [line.split() for line in self._log.read_text().splitlines()]
        return {int(number): float(at) for number, at in lines}

    def _feed(self, pace: float, count: int) -> Span:
        options = {"--amqp": self._ground.broker.url, "--queue": self._queue, "--log": self._log}
        options |= {"--first": self.fed, "--count": count, "--pace": pace}
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, str(HERE / "feeder.py"), *words]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as feeder:
            assert feeder.stdout is not None and feeder.stdin is not None
            feeder.stdout.readline()
            cost = cpu_s(self._process.pid)
            feeder.stdin.write(b"\n")
            feeder.stdin.close()
        numbers = range(self.fed, self.fed + count)
        self.fed += count
        self._wait()
        time.sleep(SETTLE_S)
        return Span(numbers, pace, cpu_s(self._process.pid) - cost)

    def _wait(self) -> None:
        late = time.monotonic() + LATE_S
        while sum(self._sink.place()) < 3 * self.fed:
            if self._process.poll() is not None:
                raise RefusedError(f"it ended with {self._process.returncode}")
            if time.monotonic() > late:
                raise RefusedError(f"{sum(self._sink.place())} of {3 * self.fed} Alerts came")
            time.sleep(0.01)
