"""How late the event loop wakes up: everything in the router waits as long at such moments."""

from __future__ import annotations

import asyncio

from prometheus_client import Histogram

BEAT = 0.25
"""Seconds from one look to the next."""


async def watch_lag(lag: Histogram) -> None:
    """Observe the lag, in seconds, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT
        await asyncio.sleep(BEAT)
        lag.observe(max(loop.time() - due, 0.0))
