"""What is recorded for a lane on which nothing waits goes out with the same commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support import ledgers
from support.beside import Beside
from support.ledgers import fill
from support.relaying import Recipient, Running, Slow, relaying
from support.samples import NOW, device, user

from router.lanes.values import ClosedReason, Offer, Recorded
from router.ledger.deliveries import lost_attempts
from router.ports import Alert, Delivered, Delivery, Outcome, Reason, Retry

HUBS = [device(number) for number in range(1, 21)]


async def at_rest(running: Running) -> float:
    """The relay has seen that nothing waits; how often it has asked the ledger by then."""
    await running.idle()
    await running.quiet()
    return running.exchanges


async def test_a_lone_alert_costs_one_transaction_more(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        before = await at_rest(running)
        await running.record(HUBS[:1])
        assert await running.states() == ["sending"]
        await running.idle()
        await running.quiet()
        assert recipient.got == [1]
        assert await running.states() == ["delivered"]
        assert running.exchanges - before == 1  # its answer
        assert await running.ask("SELECT number, batch FROM attempts") == [(1, None)]


async def test_what_finds_no_room_follows_in_order(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient, window=3) as running:
        await at_rest(running)
        await running.record(HUBS[:5])
        await running.record(HUBS[5:7])  # not before those that wait
        assert await running.states() == ["sending"] * 3 + ["waiting"] * 4
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == list(range(1, 8))


async def test_never_two_for_one_hub(tmp_path: Path) -> None:
    recipient = Slow()
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        await running.record(HUBS[:1])
        await running.record([HUBS[1], HUBS[0], HUBS[2]])
        assert await running.states() == ["sending", "sending", "waiting", "waiting"]
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == [1, 2, 3, 4]


async def test_batches_go_as_one_request_and_have_its_name(tmp_path: Path) -> None:
    recipient = Recipient(batch=4)
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        await running.record(HUBS[:6])
        await running.idle()
        assert recipient.requests == [[1, 2, 3, 4], [5, 6]]
        names = await running.ask("SELECT batch, count(*) FROM attempts GROUP BY batch ORDER BY 1")
        ids = await running.ask("SELECT min(id), min(id) + 4 FROM deliveries")
        assert [(int(name), count) for name, count in names] == [(ids[0][0], 4), (ids[0][1], 2)]


class Sealing(Recipient):
    """Makes its own bytes, other ones each time, and can't for one hub."""

    made = 0

    def render(self, alert: Alert) -> bytes | Outcome:
        """As a signature does."""
        if alert.device_id == HUBS[1]:
            return Retry(Reason.CONFIGURATION, "no key")
        self.made += 1
        return b"sealed %d" % self.made


async def test_bytes_are_stored_before_the_first_send(tmp_path: Path) -> None:
    recipient = Sealing()
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        await running.record(HUBS[:2])
        await running.quiet()
        assert recipient.bodies == [b"sealed 1"]
        stored = await running.ask("SELECT rendered, sent_by, attempts FROM deliveries ORDER BY id")
        assert stored == [(b"sealed 1", "test", 1), (None, "test", 1)]
        assert await running.states() == ["delivered", "waiting"]


@pytest.mark.parametrize("state", ["closed", "failing", "resting", "due", "full", "unread"])
async def test_a_lane_that_has_something_else_to_do_offers_nothing(
    tmp_path: Path, state: str
) -> None:
    async with relaying(tmp_path, Recipient(), Recipient(), window=1) as running:
        await at_rest(running)
        lane = running.lane()
        if state == "closed":
            lane.close(ClosedReason.OPERATOR, NOW)
        elif state == "failing":
            lane.failing = True
        elif state == "resting":
            lane.rest_until = NOW + timedelta(seconds=5)
        elif state == "due":
            lane.next_due = NOW + timedelta(seconds=5)
        elif state == "full":
            lane.in_flight = {7: []}
        else:
            lane.look()
        offer = running.relay.offer()
        assert list(offer.wishes) == running.lanes[1:]
        assert not running.relay.offer().wishes  # what is offered is not offered again


async def test_while_an_exchange_claims_for_a_lane_it_offers_nothing(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        with Beside(ledgers.url(tmp_path)) as other:
            await running.record(HUBS[:1], at_once=False)  # the relay wakes up for it
            other.execute("BEGIN IMMEDIATE")
            await running.until(lambda: running.lane().claiming)
            offer = running.relay.offer()
            assert not offer.wishes
            running.relay.take(offer, None)
            other.execute("ROLLBACK")
        await running.idle()
        assert recipient.got == [1]


async def test_what_is_claimed_to_the_last_is_not_looked_for_again(tmp_path: Path) -> None:
    slow = Slow()
    async with relaying(tmp_path, slow) as running:
        await at_rest(running)
        before = running.exchanges
        await running.record(HUBS[:2], at_once=False)
        await running.until(lambda: len(running.lane().in_flight) == 2)
        await running.quiet()
        assert running.exchanges == before + 1
        offer = running.relay.offer()
        assert list(offer.wishes) == running.lanes
        running.relay.take(offer, None)
        slow.may_answer.set()
        await running.idle()


async def test_who_records_waits_for_a_look_that_is_under_way(tmp_path: Path) -> None:
    """While facts flow, lanes would else be looked at in the wrong moment each time."""
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        with Beside(ledgers.url(tmp_path)) as other:
            await running.record(HUBS[:1], at_once=False)
            other.execute("BEGIN IMMEDIATE")
            await running.until(lambda: running.lane().claiming)
            looked = asyncio.create_task(running.relay.looked())
            await asyncio.sleep(0)
            assert not looked.done()
            other.execute("ROLLBACK")
        await looked
        offer = running.relay.offer()
        assert list(offer.wishes) == running.lanes
        running.relay.take(offer, None)
        await running.idle()


async def test_what_another_process_changed_is_looked_at_first(tmp_path: Path) -> None:
    """It may have put something there that goes before, such as `lanes move`."""
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        await at_rest(running)
        with Beside(ledgers.url(tmp_path)) as other:
            other.execute("UPDATE lanes SET last_answer = 'seen'")
        offer = running.relay.offer()
        assert list(offer.wishes) == running.lanes
        running.relay.take(offer, (await recorded(running, offer)))
        assert await running.states() == ["waiting"]
        await running.idle()
        assert recipient.got == [1]


async def recorded(running: Running, offer: Offer) -> Recorded:
    """One Alert, recorded on this offer."""
    lanes = {user(1): [running.lanes[0]]}
    return await running.ledger.call(fill, HUBS[:1], lanes, at=NOW, offer=offer)


async def test_a_failure_meanwhile_is_the_lanes_own(tmp_path: Path) -> None:
    failing = Recipient(
        lambda request, _: Retry(Reason.SERVER, "503") if request == 1 else Delivered()
    )
    async with relaying(tmp_path, failing) as running:
        await at_rest(running)
        await running.record(HUBS[:1])
        await running.until(lambda: running.lane().failing)
        await running.record(HUBS[1:3])
        assert (await running.states())[1:] == ["waiting", "waiting"]
        await running.hurry_until_idle()
        assert failing.got == [1, 1, 2, 3]


async def test_what_a_crash_cut_off_is_unknown_and_goes_again(tmp_path: Path) -> None:
    slow = Slow()
    async with relaying(tmp_path, slow, drain=0.01) as running:
        await at_rest(running)
        await running.record(HUBS[:2])
        lost = await running.ledger.call(lost_attempts, NOW)  # as the next start does
        assert lost == 2
        assert await running.states() == ["unknown", "unknown"]


class Stuck(Slow):
    """A recipient whose first answer is late."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if deliveries[0].alert.sequence == 1:
            return await super().deliver(deliveries)
        return await Recipient.deliver(self, deliveries)


@pytest.mark.parametrize("at_once", [True, False])
async def test_nothing_starts_a_window_ahead_of_what_is_unanswered(
    tmp_path: Path, at_once: bool
) -> None:
    recipient = Stuck()
    async with relaying(tmp_path, recipient, window=3) as running:
        await running.quiet()
        for place in range(0, 8, 2):
            await running.record(HUBS[place : place + 2], at_once=at_once)
            await running.quiet()
        assert recipient.got == [1, 2, 3]
        recipient.may_answer.set()
        await running.idle()
        assert recipient.got == list(range(1, 9))
