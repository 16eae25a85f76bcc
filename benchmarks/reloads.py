"""What a thousand reloads of a hundred rules cost a running router: memory and time.

    .venv/bin/python benchmarks/reloads.py [--reloads 1000] [--rules 100]

Every reload brings other rules than the last, ten versions in turn: the ledger keeps each text
once, and what it keeps fills SQLite's cache of pages, which is no matter of reloads. Memory is the
router's resident set, read from /proc; it may grow by 20 MB from its start. Exit 1 when it grows by
more.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from lives import hubherald, router, stop
from processes import resident_mb

LIMIT_MB = 20.0
VERSIONS = 10


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--reloads", type=int, default=1_000)
    words.add_argument("--rules", type=int, default=100)
    options = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder) / "estate", reloads=options.reloads, rules=options.rules)


def measure(folder: Path, *, reloads: int, rules: int) -> int:
    hubherald(folder.parent, "init", folder)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    config = folder / "hubherald.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:9464", address))
    for file in (folder / "rules").glob("*.yaml"):
        file.unlink()
    write(folder, rules, 0)
    with router(folder) as process:
        done = run(folder, f"http://{address}/-/reload", process.pid, reloads=reloads, rules=rules)
        stop(process)
    return done


def run(folder: Path, url: str, pid: int, *, reloads: int, rules: int) -> int:
    start = resident_mb(pid)
    print(f"start: {start:.1f} MB", flush=True)
    took: list[float] = []
    for number in range(1, reloads + 1):
        write(folder, rules, number % VERSIONS)
        before = time.perf_counter()
        request = urllib.request.Request(url, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 200
        took.append(time.perf_counter() - before)
        if number % max(reloads // 10, 1) == 0:
            print(f"after {number}: {resident_mb(pid) - start:+.1f} MB", flush=True)
    grown = resident_mb(pid) - start
    print(f"{reloads} reloads of {rules} rules: {grown:+.1f} MB; median {median_ms(took)} ms each")
    return 0 if grown <= LIMIT_MB else 1


def write(folder: Path, rules: int, number: int) -> None:
    """Rules of the usual size; one text in each changes with the number of the reload."""
    listed = [
        {
            "name": f"rule-{each}",
            "when": [
                'activation.outcome == "success"',
                f'activation.firmware_version startswith "{each:04}"',
                'recipient.role in ["import_supplier", "gas_supplier"]',
                f'hub.model != "model {number}"',
            ],
            "alert": "N64",
        }
        for each in range(rules)
    ]
    draft = folder / "rules" / ".draft"
    draft.write_text(json.dumps({"rules": listed}, indent=1))
    draft.replace(folder / "rules" / "rules.yaml")


def median_ms(seconds: list[float]) -> int:
    return round(statistics.median(seconds) * 1000)


if __name__ == "__main__":
    sys.exit(main())
