"""The lag of the event loop: small when it is idle, and as long as what blocks it."""

from __future__ import annotations

import asyncio
import time

from router.metrics.metrics import Metrics
from router.service.loop_lag import BEAT, watch_lag


async def test_what_blocks_the_loop_is_seen() -> None:
    metrics = Metrics()

    def value(name: str) -> float:
        return metrics.registry.get_sample_value(f"hubherald_event_loop_lag_seconds_{name}") or 0.0

    task = asyncio.create_task(watch_lag(metrics.loop_lag))
    while not value("count"):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    before = value("sum")
    time.sleep(2 * BEAT)  # noqa: ASYNC251 - that is what is looked for
    while value("count") < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    assert value("sum") - before >= BEAT / 2
