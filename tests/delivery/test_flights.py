"""Sends that outlast their deadline: who goes on is given up, who had no time to end is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from router.delivery import flights
from router.delivery.flights import Flights

DEADLINE = 0.05


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "GRACE", 0.05)
    monkeypatch.setattr(flights, "LOOK", 0.01)


async def send(work: Callable[[], Awaitable[object]], ended: asyncio.Event) -> None:
    """Under its deadline, as those of lanes are."""
    try:
        async with asyncio.timeout(DEADLINE):
            await work()
    except TimeoutError:
        ended.set()


async def obeys() -> None:
    await asyncio.sleep(3600)


async def cleans_up() -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("work", [obeys, cleans_up])
@pytest.mark.parametrize("cancelled", [False, True], ids=["before", "at the deadline"])
async def test_who_obeys_is_not_given_up_when_the_process_stood_still(
    work: Callable[[], Awaitable[object]], cancelled: bool
) -> None:
    """As after SIGSTOP: all timers are late at once, and the looks' is the oldest."""
    given_up = asyncio.Event()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Flights() as sends:
        sends.start(send(work, ended), DEADLINE, given_up.set)
        await asyncio.sleep(0)
        if cancelled:
            loop.call_at(loop.time() + DEADLINE, time.sleep, 0.3)
        else:
            loop.call_soon(time.sleep, 0.3)
        async with asyncio.timeout(60):
            await ended.wait()
        assert not given_up.is_set()


async def test_who_goes_on_is_given_up_all_the_same() -> None:
    given_up, may_end = asyncio.Event(), asyncio.Event()

    async def deaf() -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()  # as if nobody had asked

    async with Flights() as sends:
        sends.start(send(deaf, asyncio.Event()), DEADLINE, given_up.set)
        async with asyncio.timeout(60):
            await given_up.wait()
        assert not len(sends)
        may_end.set()
