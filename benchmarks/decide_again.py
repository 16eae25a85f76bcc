"""How many activations of the past `hubherald diff` decides again in a second.

    .venv/bin/python benchmarks/decide_again.py [--activations 20000] [--runs 5]

Reading the ledger, the engine with the second opinion, and the comparison with what was decided
are in it; starting the program and the trial of the rules, which is the same without a fact, is
not. The goal is 6,000.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lives import hubherald

GOAL = 6_000


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--activations", type=int, default=20_000)
    words.add_argument("--runs", type=int, default=5)
    options = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        estate = Path(folder) / "estate"
        decided(estate, options.activations)
        rates = [rate(estate) for _ in range(options.runs)]
    median = statistics.median(rates)
    print(f"{', '.join(f'{each:,.0f}' for each in rates)}; median {median:,.0f} activations/s")
    return 0 if median >= GOAL else 1


def decided(estate: Path, activations: int) -> None:
    """A made-up market that has decided; its users are suspended, so that nothing is sent."""
    size = ["--hubs", str(activations // 4), "--users", "20", "--seed", "3"]
    hubherald(Path(), "simulate", *size, "--activations", str(activations), "--out", estate)
    users = estate / "service_users.yaml"
    text = re.sub(r"\n    status: \w+", "", users.read_text())
    users.write_text(text.replace("\n    channels:", "\n    status: suspended\n    channels:"))
    files = ["--hubs", "hubs.csv", "--registrations", "registrations.csv"]
    hubherald(estate, "inventory", "import", *files)
    hubherald(estate, "run", "--until-idle")


def rate(estate: Path) -> float:
    nothing, _ = timed(estate, "2100-01-01")
    everything, activations = timed(estate, "30d")
    return activations / (everything - nothing)


def timed(estate: Path, since: str) -> tuple[float, int]:
    """Seconds, and how many activations were decided again."""
    began = time.perf_counter()
    said = hubherald(estate, "diff", "rules", "--since", since)
    seconds = time.perf_counter() - began
    last = said.splitlines()[-1]
    assert "0 Alerts more, 0 fewer" in last, last
    return seconds, int(last.split()[0].replace(",", ""))


if __name__ == "__main__":
    sys.exit(main())
