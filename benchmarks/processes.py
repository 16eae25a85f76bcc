"""What a process has cost so far, with all that it has started: read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor time of the process, its children that have ended, and those that run, seconds."""
    return sum(_ticks(each, ended=each == pid) for each in family(pid)) / TICKS


def peak_mb(pid: int) -> float:
    """The most memory that a process has had, in MB.

    Not ru_maxrss: that of a new process begins with the memory of the one that made it.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def resident_mb(pid: int) -> float:
    """What it has now, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def family(pid: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def _ticks(pid: int, *, ended: bool) -> int:
    # the name of the program, which may hold anything, ends with the last bracket
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if ended else 13]))
