"""What a bench ran on: the machine, how quiet it was, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from yardsticks.having import CannotHaveError, alertmanager, faststream

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.broker import Broker

PACKAGES = ("aio-pika", "aiohttp", "uvloop", "sqlalchemy", "orjson", "pydantic", "durable-rules")
QUIET = 0.5
"""The most load of others that is called quiet."""


@dataclass
class Machine:
    """As it was when the bench began."""

    began: datetime
    load: float
    """Of the minute before."""
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Machine:
        found = cls(datetime.now(UTC), os.getloadavg()[0])
        found.versions = {name: version(name) for name in PACKAGES}
        found.versions |= {"SQLite": sqlite3.sqlite_version, "Python": platform.python_version()}
        return found

    def note_broker(self, broker: Broker) -> None:
        """Which RabbitMQ it is."""
        self.versions["RabbitMQ"] = broker.control("version").strip()

    def describe(self) -> list[str]:
        """In lines of Markdown."""
        memory = Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]
        took = (datetime.now(UTC) - self.began).total_seconds() / 60
        versions = ", ".join(f"{name} {each}" for name, each in sorted(self.versions.items()))
        return [
            f"- {self.began:%d %B %Y, %H:%M} UTC, took {took:.0f} minutes; commit {commit()}",
            f"- {os.cpu_count()} cores ({processor()}), {int(memory) / 2**20:.0f} GB, "
            f"Linux {platform.release()}",
            f"- {self.quietness()}",
            f"- {versions}",
        ]

    def quietness(self) -> str:
        """Whether others used the machine when it began."""
        said = "quiet" if self.load <= QUIET else "NOT QUIET: take processor time, not rates"
        return f"load before it began: {self.load:.2f} ({said})"

    def note_yardsticks(self) -> None:
        """Which of them there are."""
        try:
            said = _said([alertmanager(fetch=False), "--version"])
            self.versions["Alertmanager"] = said.split()[2].rstrip(",")
        except CannotHaveError:
            pass
        try:
            ask = "import importlib.metadata as m; print(m.version('faststream'))"
            self.versions["FastStream"] = _said([faststream(fetch=False), "-c", ask]).strip()
        except CannotHaveError:
            pass


def processor() -> str:
    """Its name, as it tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    """What was measured; with a word when it is not all in there."""
    here = Path(__file__).parent
    number = _said(["git", "-C", here, "rev-parse", "--short", "HEAD"]).strip()
    changed = _said(["git", "-C", here, "status", "--porcelain", "--", "../router", "../adapters"])
    return f"{number or 'unknown'}{' with changes' if changed else ''}"


def _said(words: list[str | Path]) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.stdout or done.stderr
