"""A webhook receiver that remembers everything it was sent, whatever happens to the sender.

It runs in a process of its own and appends one line to its log, at once and unbuffered, for each
request: received at (seconds since 1970), path, webhook-id, status answered, SHA-256 of the body,
body. The line is written before the answer, so what the sender knows as delivered is in the log.

    python benchmarks/receiver.py --log received.tsv --port 8900
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import signal
import time
from pathlib import Path
from random import Random

from aiohttp import web


class Receiver:
    """Answers 204, after `delay` seconds; or, for a share `failures` of the requests, 503."""

    def __init__(self, log: Path, *, delay: float, failures: float, seed: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._delay = delay
        self._failures = failures
        self._draw = Random(seed)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if self._delay:
            await asyncio.sleep(self._delay)
        status = 503 if self._failures and self._draw.random() < self._failures else 204
        fields = (
            f"{time.time():.6f}",
            request.path,
            request.headers.get("webhook-id", ""),
            str(status),
            hashlib.sha256(body).hexdigest(),
        )
        # A tab or a newline can only stand between JSON's own marks: its strings escape them.
        flat = body.replace(b"\n", b" ").replace(b"\t", b" ")
        os.write(self._log, "\t".join(fields).encode() + b"\t" + flat + b"\n")
        return web.Response(status=status)


async def serve(receiver: Receiver, port: int) -> None:
    """Receive until SIGTERM; the first line on standard output is the port."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.ServerRunner(web.Server(receiver.answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--failures", type=float, default=0.0, help="share answered with 503")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    receiver = Receiver(given.log, delay=given.delay, failures=given.failures, seed=given.seed)
    with asyncio.Runner() as runner:
        runner.run(serve(receiver, given.port))


if __name__ == "__main__":
    main()
