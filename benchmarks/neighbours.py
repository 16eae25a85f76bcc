"""Ten users that misbehave in every way at once, and what their ten neighbours notice of it.

    .venv/bin/python benchmarks/neighbours.py

The same facts at the same pace, first with twenty good users, then with ten of them rude. Exit 0
when the ten others get all their Alerts, with a median from decision to receipt of at most twice
that of the quiet run, and the router stays under 250 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from aiohttp import web
from lives import router
from market import activations, found, users
from processes import peak_mb

COUNT = 20
GOOD = 10
LIMIT_MB = 250
SLOWER = 2.0


class Receipts:
    """What good users got, and how long after it was decided."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        """By user, seconds from decision to receipt."""

    def of(self, ids: Sequence[str]) -> list[float]:
        """Of these users."""
        return [each for user in ids for each in self.took[user]]

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Take everything."""
        event = json.loads(await request.read())
        decided = datetime.fromisoformat(event["time"]).timestamp()
        self.took[event["data"]["service_user_id"]].append(time.time() - decided)
        return web.Response(status=204)


@contextmanager
def rude_channels(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """One way of misbehaving each: over HTTP, as a broker, and in a folder that is a pipe."""
    command = [sys.executable, str(Path(__file__).with_name("rude.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        *http, broker = process.stdout.readline().split()
        os.mkfifo(folder / "pipe")
        try:
            yield [
                *({"adapter": "webhook", "url": f"http://127.0.0.1:{port}/"} for port in http),
                {"adapter": "rabbitmq", "url": f"amqp://127.0.0.1:{broker}/", "exchange": "x"},
                {"adapter": "folder", "path": "pipe"},
            ]
        finally:
            process.kill()


async def run(
    folder: Path, others: Sequence[dict[str, Any]] | None, *, facts: int, pace: float
) -> tuple[Receipts, float]:
    """One run; what the good users got, and the router's peak of memory in MB."""
    receipts = Receipts()
    runner = web.ServerRunner(web.Server(receipts.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    good = {"adapter": "webhook", "url": f"http://127.0.0.1:{runner.addresses[0][1]}/"}
    all_of_them = [*[good] * GOOD, *(others or [good] * (COUNT - GOOD))]
    channels = dict(zip(users(COUNT), all_of_them, strict=True))
    found(folder, channels, {"adapter": "folder", "path": "inbox/"})
    with router(folder) as process:
        await feed(folder / "inbox" / "facts.jsonl", facts, pace)
        await settle(receipts)
        peak = peak_mb(process.pid)
    await runner.cleanup()
    return receipts, peak


async def feed(file: Path, facts: int, pace: float) -> None:
    """Append the facts, so many a second."""
    with file.open("ab", buffering=0) as out:
        for number, fact in enumerate(activations(facts)):
            out.write(fact + b"\n")
            if number % 5 == 4:
                await asyncio.sleep(5 / pace)


async def settle(receipts: Receipts, quiet: float = 10.0) -> None:
    """Until nothing has come for a while."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < quiet:
        count = sum(map(len, receipts.took.values()))
        if count != seen:
            seen, since = count, time.monotonic()
        await asyncio.sleep(0.1)


async def compare(facts: int, pace: float) -> list[str]:
    """Both runs; what is wrong."""
    told: dict[bool, tuple[Receipts, float]] = {}
    for rude in (False, True):
        with (
            tempfile.TemporaryDirectory(prefix="neighbours-") as name,
            rude_channels(Path(name)) as channels,
        ):
            others = channels if rude else None
            told[rude] = await run(Path(name), others, facts=facts, pace=pace)
        receipts, peak = told[rude]
        took = receipts.of(users(GOOD))
        print(
            f"{'ten are rude' if rude else 'quiet':14}Alerts to the ten {len(took):6}   "
            f"median {median(took) * 1000:7.1f} ms   peak {peak:5.0f} MB"
        )
    (quiet, _), (noisy, peak) = told[False], told[True]
    problems = []
    for user in users(GOOD):
        if len(quiet.took[user]) != len(noisy.took[user]):
            problems.append(f"{user} got {len(noisy.took[user])} of {len(quiet.took[user])}")
    slower = median(noisy.of(users(GOOD))) / median(quiet.of(users(GOOD)))
    print(f"slower by {slower:.2f}")
    if slower > SLOWER:
        problems.append(f"the median is {slower:.2f} times that of the quiet run")
    if peak > LIMIT_MB:
        problems.append(f"the router took {peak:.0f} MB")
    return problems


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=2_000)
    parser.add_argument("--pace", type=float, default=50.0, help="facts a second")
    given = parser.parse_args(words)
    problems = asyncio.run(compare(given.facts, given.pace))
    print("\n".join(problems) or "all is well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
