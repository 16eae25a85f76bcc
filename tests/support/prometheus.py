"""A private Prometheus for tests: scrapes what it is given each second, answers queries."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.servers import program

EVERY_S = 1
"""Seconds from one scrape to the next."""


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def values(self, expr: str) -> list[float]:
        """The value of each series now; a query that it does not understand raises."""
        found = self._get("query", query=expr)["result"]
        return [float(each["value"][1]) for each in found]

    def history(self, expr: str, seconds: float) -> list[float]:
        """All values of all series, second by second."""
        now = time.time()
        over = {"start": now - seconds, "end": now, "step": EVERY_S}
        found = self._get("query_range", query=expr, **over)["result"]
        return [float(value) for each in found for _, value in each["values"]]

    def label_values(self, label: str, selector: str) -> list[str]:
        """What a variable of Grafana offers."""
        found = self._get(f"label/{label}/values", **{"match[]": selector})
        return [str(each) for each in found]

    def alarms(self) -> list[str]:
        """The names of all alarms that it knows."""
        groups = self._get("rules", type="alert")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    def _get(self, path: str, **words: Any) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{words}: {error.read().decode()}") from None


def sound(values: Sequence[float]) -> bool:
    """Whether there is something, and nothing of it is no number."""
    return bool(values) and not any(math.isnan(value) for value in values)


@contextmanager
def scraping(
    folder: Path, targets: Mapping[str, tuple[str, int]], rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """`targets` are path and port by job, all on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {
        "global": {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": f"{EVERY_S}s"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [
            {
                "job_name": job,
                "metrics_path": path,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
            for job, (path, port) in targets.items()
        ],
    }
    folder.mkdir()
    (folder / "prometheus.yml").write_text(json.dumps(config))  # which is YAML too
    command = [
        str(program("prometheus")),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _until_ready(f"http://127.0.0.1:{port}", folder / "log")
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _until_ready(url: str, log: Path) -> None:
    limit = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
                return
        except OSError:
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
