"""Prometheus's Alertmanager with three receivers, each alert a group of its own.

It keeps alerts in memory only: those that it has taken and not sent are lost with it.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from yardsticks.having import CannotHaveError

PATHS = ("/0", "/1", "/2")
BLOCK = 100
"""Alerts in one request to it."""


@contextmanager
def running(
    program: Path, folder: Path, receiver: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process and its port."""
    config = {
        "route": {
            "receiver": "0",
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1h",
            "repeat_interval": "24h",
            "routes": [{"receiver": path[1:], "continue": True} for path in PATHS],
        },
        "receivers": [
            {
                "name": path[1:],
                "webhook_configs": [{"url": receiver + path, "send_resolved": False}],
            }
            for path in PATHS
        ],
    }
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    command = [
        str(program),
        *("--config.file", str(folder / "alertmanager.yml"), "--storage.path", str(folder)),
        *("--web.listen-address", f"127.0.0.1:{port}", "--cluster.listen-address="),
        *("--log.level", "error"),
    ]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=program.parent, stdout=log, stderr=log) as process,
    ):
        try:
            _wait(process, port, folder / "log")
            yield process, port
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while True:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        if process.poll() is not None:
            raise CannotHaveError(f"did not start: {log.read_text().strip()}")
        time.sleep(0.05)


def feed(port: int, count: int) -> None:
    """POST so many alerts to its API, one block after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for first in range(0, count, BLOCK):
        block = [
            {
                "labels": {"alertname": "N64", "fact": f"bench-{number}"},
                "annotations": {"firmware_version": "01020400", "roles": "import_supplier"},
            }
            for number in range(first, min(first + BLOCK, count))
        ]
        head = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v2/alerts", json.dumps(block), head)
        with connection.getresponse() as answer:
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"Alertmanager answered {answer.status}")
    connection.close()
