"""Whose fault it is: Alerts that always fail beside others, at every pace; recipients that are down
or ask to be left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support.relaying import Recipient, relaying
from support.samples import device

from router.ledger.queries.lanes import list_lanes
from router.ports import Delivered, Delivery, Outcome, Reason, Retry

HUBS = [device(number) for number in range(1, 101)]
FAILED = Retry(Reason.SERVER, "500")


class Picky(Recipient):
    """Answers some Alerts only when it is let, with a failure; all others at once."""

    def __init__(self, bad: Collection[int], *, slow: bool = False) -> None:
        super().__init__(self.judged)
        self.bad = bad
        self.may_fail = asyncio.Event()
        if not slow:
            self.may_fail.set()

    def judged(self, _request: int, each: Delivery) -> Outcome:
        return FAILED if each.alert.sequence in self.bad else Delivered("204")

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = await super().deliver(deliveries)
        if FAILED in outcomes:
            await self.may_fail.wait()
        return outcomes


@pytest.mark.parametrize("window", [16, 2])
async def test_one_that_fails_slowly_holds_nobody_up(tmp_path: Path, window: int) -> None:
    """When it fails, all that was beside it is through: only what comes later can show it."""
    recipient = Picky({1}, slow=True)
    async with relaying(tmp_path, recipient, window=window) as running:
        await running.record(HUBS[:window])
        await running.until(lambda: len(recipient.got) == window)
        await running.quiet()
        recipient.may_fail.set()
        await running.until(lambda: running.lane().failing)
        running.passes(timedelta(seconds=6))
        await running.until(lambda: recipient.got.count(1) == 2)
        await running.quiet()
        await running.record(HUBS[40:60])
        await running.until(lambda: len(set(recipient.got)) == window + 20)
        await running.quiet()
        assert recipient.got.count(1) == 3
        assert recipient.got.index(window + 1) < len(recipient.got) - 1 - recipient.got[::-1].index(
            1
        )
        (lane,) = await running.ledger.call(list_lanes)
        assert (lane.waiting, lane.set_aside, lane.rests_until) == (1, 1, None)
        assert (lane.oldest_alert, lane.failures, lane.next_try) == (None, 0, None)


@pytest.mark.parametrize(
    ("bad", "window"), [(1, 1), (5, 1), (20, 16), (3, 2), (12, 4)], ids=lambda each: f"{each}"
)
async def test_a_bad_head_holds_nobody_up_for_long(tmp_path: Path, bad: int, window: int) -> None:
    recipient = Picky(range(1, bad + 1))
    async with relaying(tmp_path, recipient, window=window) as running:
        await running.record(HUBS)
        began = running.now
        while len(set(recipient.got)) < len(HUBS):
            await running.quiet()
            assert running.now - began < timedelta(minutes=1)
            running.passes(timedelta(seconds=6))
        await running.quiet()
        assert (await running.states()).count("delivered") == len(HUBS) - bad
        firsts = list(dict.fromkeys(recipient.got))
        assert firsts == sorted(firsts)
        (lane,) = await running.ledger.call(list_lanes)
        assert (lane.waiting, lane.set_aside) == (bad, bad)


async def test_after_a_restart_one_that_always_fails_holds_nobody_up(tmp_path: Path) -> None:
    recipient = Picky({1})
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:1])
        await running.until(lambda: running.lane().failing)
    async with relaying(tmp_path, recipient) as running:
        running.lane().failing = True  # as the ledger says it
        running.recorded = {1: 1}
        await running.record(HUBS[1:20])
        while len(set(recipient.got)) < 20:
            await running.quiet()
            running.passes(timedelta(seconds=10))
        await running.quiet()
        assert (await running.states()).count("delivered") == 19


async def test_who_takes_nothing_is_asked_seldom(tmp_path: Path) -> None:
    recipient = Picky(range(1, 101))
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS)
        for _ in range(12):
            await running.quiet()
            running.passes(timedelta(seconds=6))
        # the window, and twice the oldest with a few others
        assert len(recipient.got) <= 16 + (1 + 4) + (1 + 8)
        firsts = list(dict.fromkeys(recipient.got))
        assert firsts == sorted(firsts)


async def test_a_bad_one_keeps_nobody_of_its_batch(tmp_path: Path) -> None:
    """It goes whole until it is proved that the other side never takes it."""
    recipient = Recipient(batch=10)
    recipient.answers = lambda request, _: (
        FAILED if 4 in recipient.requests[request - 1] else Delivered("204")
    )
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS)
        for _ in range(30):
            await running.quiet()
            running.passes(timedelta(seconds=6))
        with_it = [each for each in recipient.requests if 4 in each]
        assert with_it[:3] == [list(range(1, 11))] * 3
        assert list(dict.fromkeys(len(each) for each in with_it)) == [10, 5, 2, 1]
        assert (await running.states()).count("delivered") == 99
        (lane,) = await running.ledger.call(list_lanes)
        assert (lane.waiting, lane.set_aside) == (1, 1)
        assert await running.ask("SELECT batch FROM deliveries WHERE sequence = 4") != [(None,)]


# --- Retry-After ----------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
BUSY = Retry(Reason.BUSY, "429", after=MINUTE)


class Told(Recipient):
    """Gives each Alert the answer that it is told, when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[int, asyncio.Future[Outcome]] = {}

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await super().deliver(deliveries)
        (each,) = deliveries
        self.said[each.alert.sequence] = asyncio.get_running_loop().create_future()
        return [await self.said[each.alert.sequence]]

    def say(self, number: int, outcome: Outcome) -> None:
        self.said[number].set_result(outcome)


@pytest.mark.parametrize("then", [FAILED, Delivered("204")], ids=["fails", "taken"])
@pytest.mark.parametrize("first", [1, 2])
async def test_retry_after_speaks_for_the_lane_whatever_is_answered_then(
    tmp_path: Path, first: int, then: Outcome
) -> None:
    recipient = Told()
    async with relaying(tmp_path, recipient, window=2, drain=0.01) as running:
        await running.record(HUBS[:4])
        await running.until(lambda: len(recipient.said) == 2)
        recipient.say(first, BUSY)
        await running.quiet()
        recipient.say(3 - first, then)
        await running.quiet()
        running.passes(MINUTE - timedelta(seconds=1))
        await running.quiet()
        assert recipient.got == [1, 2]
        running.passes(timedelta(seconds=1))
        await running.until(lambda: len(recipient.got) == 3)


async def test_retry_after_of_one_that_is_set_aside_speaks_for_the_lane(tmp_path: Path) -> None:
    recipient = Told()
    async with relaying(tmp_path, recipient, window=2) as running:
        await running.record(HUBS[:2])
        await running.until(lambda: len(recipient.said) == 2)
        recipient.say(1, FAILED)
        await running.quiet()
        recipient.say(2, Delivered("204"))
        running.passes(timedelta(seconds=6))
        await running.until(lambda: recipient.got.count(1) == 2)
        recipient.say(1, FAILED)
        await running.quiet()
        running.passes(MINUTE)
        await running.until(lambda: recipient.got.count(1) == 3)
        await running.record(HUBS[2:5])
        await running.until(lambda: 3 in recipient.got)
        recipient.say(1, BUSY)
        await running.quiet()
        recipient.say(3, Delivered("204"))
        await running.quiet()
        await running.record(HUBS[5:6])
        running.passes(MINUTE - timedelta(seconds=1))
        await running.quiet()
        assert 4 not in recipient.got
        running.passes(timedelta(seconds=1))
        await running.until(lambda: 4 in recipient.got)
        for number in (4, 5, 6):
            await running.until(lambda number=number: number in recipient.said)  # type: ignore[misc]
            recipient.say(number, Delivered("204"))
