"""One process at full load, watched from outside: what it has done and what it has cost so far."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from exchanges import Watched
from lives import Counted
from processes import cpu_s, peak_mb

PAUSE_S = 0.05
QUIET_S = 3.0
"""When nothing has come for so long, nothing more will."""
LATE_S = 60.0
MARK = b'"sequence":'
"""Stands once in each Alert."""

Place = tuple[int, ...]
"""How far the recipients are, in what each of them counts."""


class RefusedError(Exception):
    """A run whose figures do not count, and why: something was lost, or it ended early."""


class Sink(Protocol):
    """Where Alerts arrive."""

    log: Path
    """Everything that came, as receiver.py writes it, once all has come."""

    def place(self) -> Place:
        """How far it is now; cheap."""

    def alerts(self, place: Place) -> int:
        """How many Alerts that was."""


class Receipts:
    """Alerts in a log that grows."""

    def __init__(self, log: Path, mark: bytes = MARK) -> None:
        self.log = log
        self._counted = Counted(log, mark)

    def place(self) -> Place:
        return (self._counted(),)

    def alerts(self, place: Place) -> int:
        return place[0]


class Queued:
    """Alerts in queues; how many are in each message is known when the queues have been read."""

    def __init__(self, watched: Watched, paths: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.paths = paths
        """What stands in the log for each queue, in the order of the watched ones."""
        self._watched = watched
        self._until: list[list[int]] = []

    def place(self) -> Place:
        return self._watched.counts()

    def read(self) -> None:
        """After they were emptied into the log."""
        sizes: dict[str, list[int]] = {path: [] for path in self.paths.values()}
        for line in self.log.read_bytes().splitlines():
            sizes[line.split(b"\t", 2)[1].decode()].append(max(line.count(MARK), 1))
        self._until = [[0, *accumulate(each)] for each in sizes.values()]

    def alerts(self, place: Place) -> int:
        return sum(until[count] for until, count in zip(self._until, place, strict=True))


@dataclass(frozen=True)
class Sample:
    """A process at one moment."""

    at: float
    cpu_s: float
    place: Place


@dataclass(frozen=True)
class FullLoad:
    """What a process did at full load."""

    rate: float
    """Activations a second."""
    cpu_us: float
    """Processor time for one activation with its three Alerts."""
    peak_mb: float


def watch(process: subprocess.Popen[bytes], sink: Sink, due: int) -> tuple[list[Sample], float]:
    """Until all has come, or nothing more does; the samples, and the peak of memory in MB."""
    samples: list[Sample] = []
    changed = started = time.perf_counter()
    while True:
        if process.poll() is not None:
            raise RefusedError(f"it ended with {process.returncode}")
        now, place = time.perf_counter(), sink.place()
        came = sum(place)
        if not samples or samples[-1].place != place:
            changed = now
        samples.append(Sample(now, cpu_s(process.pid), place))
        if came >= due or (came and now - changed > QUIET_S):
            return samples, peak_mb(process.pid)
        if now - changed > LATE_S:
            raise RefusedError(f"nothing came within {now - started:.0f} s")
        time.sleep(PAUSE_S)


def full_load(samples: list[Sample], sink: Sink, peak: float) -> FullLoad:
    """From the first look at which something had come to the first at which all had."""
    end = next(at for at, each in enumerate(samples) if each.place == samples[-1].place)
    start = next(at for at, each in enumerate(samples) if any(each.place))
    first, last = samples[min(start, end - 1)], samples[end]
    activations = (sink.alerts(last.place) - sink.alerts(first.place)) / 3
    if not activations:
        raise RefusedError("nothing came")
    return FullLoad(
        rate=activations / (last.at - first.at),
        cpu_us=(last.cpu_s - first.cpu_s) / activations * 1e6,
        peak_mb=peak,
    )
