"""The relay on a real ledger: order, failures, closed lanes, and no work where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection
from support.ledgers import HOLD
from support.relaying import Recipient, Slow, alert_ids, relaying, takes
from support.samples import NOW, device, user

from router.ledger.queries.lanes import list_lanes
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Refused, Retry

HUBS = [device(number) for number in range(1, 21)]


def fails(times: int, outcome: Outcome | None = None) -> Recipient:
    """Fails so many requests, then takes everything."""
    failed = outcome or Retry(Reason.SERVER, "503")
    return Recipient(lambda request, _: failed if request <= times else Delivered())


# --- when all is well -----------------------------------------------------------------------


async def test_every_alert_is_delivered_once_in_order(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient, window=4) as running:
        await running.record(HUBS)
        await running.idle()
        assert recipient.got == list(range(1, 21))
        assert await running.states() == ["delivered"] * 20
        assert await running.outcomes() == [("delivered", None)] * 20
        # one that claims and settles for each request, at the most, and a last look
        assert running.exchanges <= 20 + 3
        for since in ("activation", "receipt", "decision"):
            labels = {"since": since, "recipient": user(1), "adapter": "test"}
            assert running.metric("alert_delivery_seconds_count", **labels) == 20


async def test_what_comes_later_is_delivered_too(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        for hub in HUBS[:5]:
            await running.record([hub])
            await running.idle()
        for hub in HUBS[5:]:  # while the relay is at work
            await running.record([hub])
        await running.idle()
        assert recipient.got == list(range(1, 21))


async def test_a_relay_with_nothing_to_do_does_nothing(tmp_path: Path) -> None:
    async with relaying(tmp_path, Recipient(), fails(1)) as running:
        await running.idle()
        assert running.exchanges == 1
        await running.record(HUBS[:1])
        await running.quiet()  # the second user's Alert waits for its next try
        assert not running.relay.idle()
        before = running.exchanges
        await running.quiet()
        assert running.exchanges == before


async def test_first_sends_start_in_order_within_the_window(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient, window=3) as running:
        await running.record(HUBS)
        await running.quiet()
        assert recipient.got == [1, 2, 3]
        assert running.metric("lane_in_flight", recipient=user(1), channel="main") == 3
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == list(range(1, 21))


async def test_never_two_for_one_hub_and_no_spinning_while_one_waits(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient) as running:
        await running.record([device(1), device(2), device(1), device(3)])
        await running.quiet()
        assert recipient.got == [1, 2]
        before = running.exchanges
        await running.quiet()
        assert running.exchanges == before
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == [1, 2, 3, 4]


class Picky(Slow):
    """Refuses the first and the third Alert once; takes the rest when it is let."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        number = deliveries[0].alert.sequence
        if number in {1, 3} and number not in self.got:
            self.requests.append([number])
            return [Refused(Reason.REJECTED, "422")]
        return await super().deliver(deliveries)


async def test_no_spinning_while_refused_alerts_wait_for_a_busy_hub(tmp_path: Path) -> None:
    recipient = Picky()
    async with relaying(tmp_path, recipient) as running:
        await running.record([device(1)])
        await running.quiet()
        await running.record([device(1), device(2)])
        await running.quiet()
        assert recipient.got == [1, 2, 3]  # the second is under way, and has passed the first
        running.passes(timedelta(minutes=1))  # so both refused ones are due, and one must wait
        await running.quiet()
        before = running.exchanges
        await running.quiet()
        assert running.exchanges == before
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == [1, 2, 3, 3, 1]  # for its hub, which holds up no other
        assert await running.states() == ["delivered"] * 3


async def test_batches_go_as_one_request(tmp_path: Path) -> None:
    recipient = Recipient(batch=8)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS)
        await running.idle()
        assert [len(request) for request in recipient.requests] == [8, 8, 4]
        assert recipient.got == list(range(1, 21))


async def test_the_rate_is_honoured(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient, rate=200.0) as running:
        await running.record(HUBS)
        await running.until(lambda: bool(recipient.got))
        assert len(recipient.got) < 20
        await running.idle()
        assert recipient.got == list(range(1, 21))
        assert running.exchanges <= 2 * 20 + 3


# --- failures -------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3, 7, 10])
async def test_a_recipient_that_fails_gets_the_oldest_alone_and_then_a_few_others(
    tmp_path: Path, times: int
) -> None:
    # when the oldest has failed again, others show whether it is the recipient's fault
    tried = [1, 1, 2, 3, 4, 5, 1, 6, 7, 8, 9, 10, 11][:times]
    recipient = fails(times)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS)
        await running.hurry_until_idle()
        through = max(tried) + 1 if times > 1 else 1
        assert recipient.got[: times + 1] == [*tried, through]
        assert recipient.got[times + 1 :] == [each for each in range(1, 21) if each != through]
        assert len(alert_ids(recipient.bodies)) == 20
        assert len(set(recipient.bodies)) == 20
        labels = {"recipient": user(1), "channel": "main", "adapter": "test"}
        failed = running.metric(
            "delivery_attempts_total", **labels, outcome="retry", reason="server"
        )
        assert failed == times


async def test_after_a_failure_nothing_new_starts(tmp_path: Path) -> None:
    recipient = Recipient(
        lambda request, each: (
            Retry(Reason.SERVER) if request <= 4 and each.alert.sequence == 2 else Delivered()
        )
    )
    async with relaying(tmp_path, recipient, window=4) as running:
        await running.record(HUBS)
        await running.quiet()
        assert recipient.got == [1, 2, 3, 4]
        await running.hurry_until_idle()
        assert recipient.got == [1, 2, 3, 4, 2, *range(5, 21)]


async def test_nobody_slows_another(tmp_path: Path) -> None:
    stuck, down, well = Slow(), fails(10**6), Recipient()
    async with relaying(tmp_path, stuck, down, well, window=2) as running:
        await running.record(HUBS)
        await running.until(lambda: len(well.got) == 20)
        assert stuck.got == [1, 2]
        assert down.got == [1, 2]
        await running.quiet()
        assert await running.states(3) == ["delivered"] * 20
        stuck.may_answer.set()
        await running.until(lambda: len(stuck.got) == 20)


async def test_after_48_hours_it_is_parked_and_the_next_had_its_turn_before(tmp_path: Path) -> None:
    recipient = Recipient(
        lambda _, each: Retry(Reason.SERVER) if each.alert.sequence == 1 else Delivered()
    )
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:1])
        await running.until(lambda: running.lane().rest_until is not None)
        running.passes(HOLD - timedelta(hours=1))
        await running.record(HUBS[1:2])
        await running.quiet()
        assert recipient.got == [1, 1, 2, 1]  # the second shows that the first's fault is its own
        await running.hurry_until_idle()
        assert await running.states() == ["parked", "delivered"]
        assert ("parked", "expired") in await running.outcomes()
        assert running.metric("alerts_parked_total", recipient=user(1), channel="main") == 1
        assert running.now - NOW == HOLD


async def test_one_that_always_fails_is_set_aside_and_the_ledger_says_so(tmp_path: Path) -> None:
    recipient = Recipient(
        lambda _, each: Retry(Reason.SERVER) if each.alert.sequence == 3 else Delivered()
    )
    async with relaying(tmp_path, recipient, window=4) as running:
        await running.record(HUBS)
        await running.until(lambda: running.lane().rest_until is not None)
        await running.quiet()
        assert sorted(recipient.got) == [1, 2, 3, 4]  # nothing new starts behind a failure
        running.passes(timedelta(seconds=6))
        await running.until(lambda: len(set(recipient.got)) == 20)
        await running.quiet()
        assert recipient.got.count(3) == 2
        (lane,) = await running.ledger.call(list_lanes)
        assert (lane.waiting, lane.set_aside, lane.rests_until) == (1, 1, None)
        await running.record(HUBS[:2])
        await running.quiet()
        assert len(set(recipient.got)) == 22


class Broken(Recipient):
    """An adapter with a bug: raises for its first requests."""

    def __init__(self, error: BaseException, times: int = 1) -> None:
        super().__init__()
        self.error = error
        self.times = times

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = await super().deliver(deliveries)
        if len(self.requests) <= self.times:
            raise self.error
        return outcomes


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("bug"), "bug"),
        (KeyError("bug"), "bug"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "network"),  # as aio-pika does on a lost connection
    ],
    ids=repr,
)
async def test_whatever_an_adapter_raises_is_tried_again(
    tmp_path: Path, error: BaseException, reason: str
) -> None:
    broken, well = Broken(error), Recipient()
    async with relaying(tmp_path, broken, well) as running:
        await running.record(HUBS[:1])
        await running.hurry_until_idle()
        assert broken.got == [1, 1]
        assert well.got == [1]
        assert ("retry", reason) in await running.outcomes()
        assert await running.states() == ["delivered"]


class Miscounting(Recipient):
    """An adapter that forgets an outcome, once."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = await super().deliver(deliveries)
        return outcomes[:-1] if len(self.requests) == 1 else outcomes


async def test_too_few_outcomes_are_a_bug(tmp_path: Path) -> None:
    recipient = Miscounting(batch=5)
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:5])
        await running.hurry_until_idle()
        assert recipient.requests == [[1, 2, 3, 4, 5]] * 2
        assert (await running.outcomes())[:5] == [("retry", "bug")] * 5


class Hanging(Recipient):
    """A channel that never answers its first request."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = await super().deliver(deliveries)
        if len(self.requests) == 1:
            await asyncio.Event().wait()
        return outcomes


async def test_a_send_ends_at_its_deadline(tmp_path: Path) -> None:
    recipient = Hanging()
    async with relaying(tmp_path, recipient, timeout=0.01) as running:
        await running.record(HUBS[:1])
        await running.hurry_until_idle()
        assert recipient.got == [1, 1]
        assert await running.outcomes() == [("retry", "timeout"), ("delivered", None)]


async def test_a_refused_alert_is_parked_and_the_others_pass(tmp_path: Path) -> None:
    recipient = Recipient(
        lambda _, each: Refused(Reason.REJECTED, "422") if each.alert.sequence == 2 else Delivered()
    )
    async with relaying(tmp_path, recipient, window=2) as running:
        await running.record(HUBS)
        await running.hurry_until_idle()
        assert await running.states() == ["delivered", "parked"] + ["delivered"] * 18
        assert recipient.got.count(2) == 3
        assert running.metric("alerts_parked_total", recipient=user(1), channel="main") == 1


async def test_only_the_guilty_one_of_a_batch_is_parked(tmp_path: Path) -> None:
    class Batching(Recipient):
        async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
            outcomes = await super().deliver(deliveries)
            guilty = 5 in self.requests[-1]
            return [Refused(Reason.REJECTED, "422")] * len(deliveries) if guilty else outcomes

    recipient = Batching(batch=8)
    async with relaying(tmp_path, recipient, window=2) as running:
        await running.record(HUBS)
        await running.hurry_until_idle()
        expected = ["delivered"] * 20
        expected[4] = "parked"
        assert await running.states() == expected
        assert recipient.requests.count([5]) == 3
        assert sorted(set(recipient.got)) == list(range(1, 21))


# --- the end --------------------------------------------------------------------------------


async def test_a_stopping_relay_waits_for_the_answers_under_way(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient, window=2) as running:
        await running.record(HUBS)
        await running.quiet()
        running.relay.stop()
        await asyncio.sleep(0)
        recipient.may_answer.set()
        await running.stop()
        assert recipient.got == [1, 2]
        assert await running.states() == ["delivered"] * 2 + ["waiting"] * 18


async def test_what_has_no_answer_when_the_relay_stops_is_unknown(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient, window=2, drain=0.01) as running:
        await running.record(HUBS)
        await running.quiet()
        await running.stop()
        assert await running.states() == ["unknown"] * 2 + ["waiting"] * 18
        assert await running.outcomes() == [("unknown", "stopped")] * 2


async def test_after_a_restart_the_same_bytes_go_again(tmp_path: Path) -> None:
    first, second = Slow(), Recipient()
    async with relaying(tmp_path, first, window=2, drain=0.01) as running:
        await running.record(HUBS)
        await running.quiet()
    async with relaying(tmp_path, second, window=2) as running:
        await running.idle()
        assert second.got == list(range(1, 21))
        assert second.bodies[:2] == first.bodies


async def test_held_alerts_of_a_user_who_left_are_withdrawn(tmp_path: Path) -> None:
    def left(_connection: Connection, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return {pair for pair in pairs if pair[0] == device(1)}

    recipient = Recipient(
        lambda request, each: (
            Closed(ChannelFault.CREDENTIALS, "401") if request == 1 else takes(request, each)
        )
    )
    async with relaying(tmp_path, recipient, withdrawn=left, window=1) as running:
        await running.record(HUBS[:3])
        await running.idle()
        running.passes(timedelta(minutes=1))
        await running.until(lambda: recipient.got == [1, 2, 3])
        await running.idle()
        assert await running.states() == ["withdrawn", "delivered", "delivered"]
        assert running.metric("alerts_withdrawn_total", recipient=user(1), channel="main") == 1
