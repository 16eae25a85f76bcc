"""Adapters that take several requests at once: each has its own answer, whatever they do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support.relaying import Answers, Recipient, Running, relaying, takes
from support.samples import device

from router.ports import Answering, ChannelFault, Closed, Delivery, Outcome, Reason, Retry

HUBS = [device(number) for number in range(1, 41)]


class Several(Recipient):
    """Takes blocks; `first` may answer some of the first, and then says whether that was all."""

    def __init__(
        self,
        first: Callable[[Answering], object] = lambda _: None,
        answers: Answers = takes,
        *,
        batch: int = 1,
    ) -> None:
        super().__init__(answers, batch=batch)
        self.first = first
        self.blocks: list[int] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        raise AssertionError("deliver_each is called instead")

    async def deliver_each(self, requests: Sequence[Sequence[Delivery]], answer: Answering) -> None:
        self.blocks.append(len(requests))
        outcomes = [await Recipient.deliver(self, each) for each in requests]
        only = self.first(answer) if len(self.blocks) == 1 else None
        await self.may_answer.wait()
        if only is None:
            for place, each in enumerate(outcomes):
                answer(place, each)


async def test_what_a_lane_may_send_goes_as_one_block(tmp_path: Path) -> None:
    recipient = Several()
    async with relaying(tmp_path, recipient, window=16) as running:
        await running.record(HUBS)
        await running.idle()
        assert recipient.got == list(range(1, 41))
        assert recipient.blocks == [16, 16, 8]
        assert await running.states() == ["delivered"] * 40
        assert running.metric("delivery_send_seconds_count", adapter="test") == 40


async def test_batches_go_as_one_block_too(tmp_path: Path) -> None:
    recipient = Several(batch=5)
    async with relaying(tmp_path, recipient, window=3) as running:
        await running.record(HUBS[:14])
        await running.idle()
        assert [len(each) for each in recipient.requests] == [5, 5, 4]
        assert recipient.blocks == [3]


async def test_an_answer_makes_room_though_others_of_its_block_wait(tmp_path: Path) -> None:
    recipient = Several(lambda answer: [answer(place, [DELIVERED]) for place in (0, 1)])
    recipient.may_answer.clear()
    async with relaying(tmp_path, recipient, window=4) as running:
        await running.record(HUBS[:8])
        await running.until(lambda: len(recipient.got) == 6)
        await running.quiet()
        assert recipient.blocks == [4, 2]  # 7 is four ahead of 3, which has no answer
        assert (await running.states()).count("delivered") == 2
        await _end(running, recipient)


DELIVERED = takes(1, None)  # type: ignore[arg-type]


def _raises(error: BaseException) -> Callable[[Answering], object]:
    """Answers the second of its requests, and raises."""

    def first(answer: Answering) -> object:
        answer(1, [DELIVERED])
        raise error

    return first


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("bug"), "bug"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "network"),
    ],
    ids=repr,
)
async def test_what_was_answered_stands_when_the_rest_fails(
    tmp_path: Path, error: BaseException, reason: str
) -> None:
    recipient, well = Several(_raises(error)), Recipient()
    async with relaying(tmp_path, recipient, well) as running:
        await running.record(HUBS[:3])
        await running.hurry_until_idle()
        assert sorted(recipient.got) == [1, 1, 2, 3, 3]
        assert well.got == [1, 2, 3]
        assert (await running.outcomes()).count(("retry", reason)) == 2
        assert await running.states() == ["delivered"] * 3


@pytest.mark.parametrize(
    "first",
    [
        lambda answer: answer(1, [DELIVERED]) or True,  # and no other
        lambda answer: [answer(1, [DELIVERED]), answer(1, [DELIVERED])],  # twice
        lambda answer: [answer(1, [DELIVERED]), answer(3, [DELIVERED])],  # nobody asked for that
        lambda answer: [answer(1, [DELIVERED]), answer(0, [])],  # too few
    ],
    ids=["no others", "twice", "of none", "too few"],
)
async def test_answers_that_do_not_fit_are_a_bug(
    tmp_path: Path, first: Callable[[Answering], object]
) -> None:
    recipient = Several(first)
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:3])
        await running.hurry_until_idle()
        assert sorted(recipient.got) == [1, 1, 2, 3, 3]
        assert (await running.outcomes()).count(("retry", "bug")) == 2
        assert await running.states() == ["delivered"] * 3


async def test_a_block_has_the_deadline_of_its_requests(tmp_path: Path) -> None:
    recipient = Several(lambda answer: answer(1, [DELIVERED]))
    recipient.may_answer.clear()
    async with relaying(tmp_path, recipient, timeout=0.05) as running:
        await running.record(HUBS[:3])
        await running.until(lambda: running.lane().failing)
        recipient.may_answer.set()
        await running.hurry_until_idle()
        assert sorted(recipient.got) == [1, 1, 2, 3, 3]
        assert (await running.outcomes()).count(("retry", "timeout")) == 2


async def test_one_of_a_block_that_fails_is_one_failure_of_its_lane(tmp_path: Path) -> None:
    failed = Retry(Reason.SERVER, "500")
    recipient = Several(answers=lambda number, each: failed if number == 3 else takes(number, each))
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:5])
        await running.quiet()
        assert recipient.got == [1, 2, 3, 4, 5]
        assert running.lane().failing
        running.passes(timedelta(seconds=6))
        await running.idle()
        assert recipient.got == [1, 2, 3, 4, 5, 3]


async def test_a_block_that_is_shut_out_closes_its_lane_once(tmp_path: Path) -> None:
    shut = Closed(ChannelFault.CREDENTIALS, "401")
    recipient = Several(answers=lambda _number, _each: shut)
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:5])
        await running.quiet()
        assert recipient.blocks == [5]
        assert await running.outcomes() == [("closed", "credentials")] * 5
        assert running.lane().closed is not None


async def test_what_a_stopping_relay_has_no_answer_for_is_unknown(tmp_path: Path) -> None:
    recipient = Several(lambda answer: answer(1, [DELIVERED]))
    recipient.may_answer.clear()
    async with relaying(tmp_path, recipient, drain=0.05) as running:
        await running.record(HUBS[:3])
        await running.until(lambda: len(recipient.got) == 3)
        await running.stop()
        assert await running.states() == ["unknown", "delivered", "unknown"]


async def _end(running: Running, recipient: Several) -> None:
    """Let the first block end as it may: two of its requests have no answer."""
    recipient.may_answer.set()
    await running.hurry_until_idle()
    assert await running.states() == ["delivered"] * 8
