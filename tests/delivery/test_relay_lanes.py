"""Lanes that close: by what the other side says, by an operator; and a ledger out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from support import ledgers
from support.beside import Beside
from support.ledgers import HOLD, ask, lane_of, made
from support.relaying import Recipient, Running, Slow, relaying
from support.samples import device, user

from router.delivery import relay
from router.lanes.values import ClosedReason, DeliveryState, Offer, Recorded
from router.ledger.actions import Operator
from router.ledger.alerts import retry
from router.ledger.database import Use, open_database
from router.ledger.lanes import why_closed
from router.ledger.pauses import pause_lanes, resume_lanes
from router.ledger.queries.wanted import Filter
from router.ports import ChannelFault, Closed, Delivered, Outcome, Reason, Refused, Retry

HUBS = [device(number) for number in range(1, 21)]
DENIED = Closed(ChannelFault.CREDENTIALS, "401")
PROBED = timedelta(minutes=1)


def denies(times: int, outcome: Outcome = DENIED) -> Recipient:
    """Lets nobody in for so many requests, then takes everything."""
    return Recipient(lambda request, _: outcome if request <= times else Delivered())


class Operating:
    """An operator's commands, in a connection of their own beside the router's."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.database = open_database(ledgers.url(folder), Use.CHANGE)

    def pause(self) -> None:
        pause_lanes(self.database, user(1), None, self._operator())
        self.running.relay.refresh()

    def resume(self) -> None:
        resume_lanes(self.database, user(1), None, self._operator())
        self.running.relay.refresh()

    def retry(self, state: DeliveryState | None = None) -> int:
        changed = retry(self.database, Filter(state=state), self._operator(), hold={})
        self.running.relay.refresh()
        return changed

    def _operator(self) -> Operator:
        return Operator("someone", self.running.now)


@contextmanager
def operating(running: Running, folder: Path) -> Iterator[Operating]:
    operator = Operating(running, folder)
    with closing(operator.database):
        yield operator


# --- by what the other side says ------------------------------------------------------------


async def test_a_closed_lane_holds_its_alerts_and_is_tried_again(tmp_path: Path) -> None:
    recipient = denies(1)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS)
        await running.idle()
        assert recipient.got == [1]
        assert await running.states() == ["waiting"] * 20
        assert await running.outcomes() == [("closed", "credentials")]
        assert running.metric("lane_open", recipient=user(1), channel="main") == 0
        await running.record([device(21)])
        await running.quiet()
        assert running.relay.idle()
        running.passes(PROBED)
        await running.until(lambda: len(recipient.got) == 22)
        await running.idle()
        assert recipient.got == [1, *range(1, 22)]
        assert running.metric("lane_open", recipient=user(1), channel="main") == 1
        assert await running.ask("SELECT closed, last_answer FROM lanes") == [(None, "delivered")]


async def test_a_closed_lane_uses_up_neither_tries_nor_time(tmp_path: Path) -> None:
    recipient = denies(1, Closed(ChannelFault.ENDPOINT, "404"))
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS[:2])
        await running.idle()
        running.passes(2 * HOLD)
        await running.until(lambda: recipient.got == [1, 1, 2])
        await running.idle()
        assert await running.states() == ["delivered"] * 2


async def test_a_whole_window_of_denials_closes_a_lane_once(tmp_path: Path) -> None:
    recipient = Slow(lambda request, _: DENIED if request <= 16 else Delivered())
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS)
        await running.until(lambda: len(recipient.got) == 16)
        recipient.may_answer.set()
        await running.idle()
        # else it would be probed as late as one that was denied sixteen times
        assert running.lane().probe_at == running.now + PROBED
        running.passes(PROBED)
        await running.until(lambda: len(recipient.got) == 16 + 20)
        await running.idle()
        assert await running.states() == ["delivered"] * 20


async def test_a_lane_that_stays_closed_is_tried_with_the_oldest_alone(tmp_path: Path) -> None:
    recipient = denies(3)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS)
        await running.idle()
        for tried in (2, 3):
            running.passes(timedelta(hours=1))
            await running.until(lambda tried=tried: len(recipient.got) == tried)  # type: ignore[misc]
            await running.idle()
        assert recipient.got == [1, 1, 1]


# --- by an operator -------------------------------------------------------------------------


async def test_a_pause_holds_and_a_resume_lets_go(tmp_path: Path) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        with operating(running, tmp_path) as operator:
            operator.pause()
            await running.until(lambda: running.lane().closed is ClosedReason.OPERATOR)
            await running.record(HUBS)
            await running.quiet()
            assert recipient.got == []
            assert running.relay.idle()
            operator.resume()
            await running.until(lambda: len(recipient.got) == 20)


async def test_no_command_is_lost_while_the_relay_is_at_work(tmp_path: Path) -> None:
    async with relaying(tmp_path, Recipient(), Recipient()) as running:
        with operating(running, tmp_path) as operator:
            for _ in range(10):
                # the second lane has an exchange under way when the command comes for the first
                running.relay.take(Offer(), Recorded(frozenset(running.lanes), {}, 0))
                await asyncio.sleep(0)
                operator.pause()
                await running.until(lambda: running.lane().closed is ClosedReason.OPERATOR)
                running.relay.take(Offer(), Recorded(frozenset(running.lanes), {}, 0))
                await asyncio.sleep(0)
                operator.resume()
                await running.until(lambda: running.lane().closed is None)


async def test_a_pause_outlasts_what_was_under_way(tmp_path: Path) -> None:
    recipient = Slow(lambda request, _: DENIED if request == 1 else Delivered())
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS[:2])
        await running.until(lambda: bool(recipient.got))
        with operating(running, tmp_path) as operator:
            operator.pause()
            await running.until(lambda: running.lane().closed is ClosedReason.OPERATOR)
            recipient.may_answer.set()
            await running.idle()
            running.passes(timedelta(hours=9))  # nobody tries a lane that was paused
            await running.quiet()
            assert recipient.got == [1]
            assert running.lane().closed is ClosedReason.OPERATOR
            closed = await running.ledger.call(why_closed)
            assert closed == {running.lanes[0]: ClosedReason.OPERATOR}
            operator.resume()
            await running.until(lambda: recipient.got == [1, 1, 2])


async def test_a_pause_stops_the_trying_of_a_closed_lane(tmp_path: Path) -> None:
    recipient = denies(1)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS[:1])
        await running.idle()
        with operating(running, tmp_path) as operator:
            operator.pause()
            await running.until(lambda: running.lane().closed is ClosedReason.OPERATOR)
            running.passes(timedelta(hours=9))
            await running.quiet()
            assert recipient.got == [1]


async def test_a_resume_opens_what_closed_by_itself_at_once(tmp_path: Path) -> None:
    recipient = denies(1)
    async with relaying(tmp_path, recipient, window=1) as running:
        await running.record(HUBS[:2])
        await running.idle()
        with operating(running, tmp_path) as operator:
            operator.resume()
            await running.until(lambda: recipient.got == [1, 1, 2])


async def test_a_resume_does_not_reach_a_user_whom_the_file_suspends(tmp_path: Path) -> None:
    recipient = Recipient()
    database = made(tmp_path)
    lane_of(database)
    with closing(open_database(database.url, Use.CHANGE)) as beside:
        operator = Operator("someone", Running.now)
        pause_lanes(beside, user(1), None, operator)
        async with relaying(tmp_path, recipient, database=database) as running:
            running.relay.close_lane(running.lane(), ClosedReason.SUSPENDED, "in the file")
            await running.record(HUBS[:1])
            await running.idle()
            resume_lanes(beside, user(1), None, operator)
            running.relay.refresh()
            await running.quiet()
            assert recipient.got == []
            assert running.lane().closed is ClosedReason.SUSPENDED
            closed = await running.ledger.call(why_closed)
            assert closed == {running.lanes[0]: ClosedReason.SUSPENDED}


async def test_a_retry_reaches_a_relay_that_sleeps(tmp_path: Path) -> None:
    recipient = Recipient(
        lambda request, _: Refused(Reason.REJECTED) if request <= 3 else Delivered()
    )
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:1])
        await running.hurry_until_idle()
        assert await running.states() == ["parked"]
        with operating(running, tmp_path) as operator:
            assert operator.retry(DeliveryState.PARKED) == 1
            await running.until(lambda: recipient.got == [1] * 4)
            await running.idle()
        assert await running.states() == ["delivered"]
        assert await running.ask("SELECT action FROM actions") == [("alerts retry",)]


async def test_a_retry_does_not_wait_for_the_schedule(tmp_path: Path) -> None:
    recipient = Recipient(lambda request, _: Retry(Reason.SERVER) if request == 1 else Delivered())
    async with relaying(tmp_path, recipient) as running:
        await running.record(HUBS[:1])
        await running.quiet()
        assert recipient.got == [1]
        with operating(running, tmp_path) as operator:
            assert operator.retry() == 1
            await running.until(lambda: recipient.got == [1, 1])


# --- with the ledger out of reach -----------------------------------------------------------


async def test_a_ledger_that_is_locked_stops_nothing_for_ever(tmp_path: Path) -> None:
    recipient = Slow()
    made(tmp_path).close()
    impatient = open_database(ledgers.url(tmp_path), Use.ROUTE, busy_seconds=0.01)
    async with relaying(tmp_path, recipient, database=impatient, window=2) as running:
        await running.record(HUBS)
        await running.until(lambda: recipient.got == [1, 2])
        await running.quiet()
        with Beside(ledgers.url(tmp_path)) as other:
            other.execute("BEGIN IMMEDIATE")
            recipient.may_answer.set()
            await running.until(lambda: running.metric("ledger_up") == 0.0)
            assert recipient.got == [1, 2]  # nothing is sent without its attempt on disk
            assert not running.relay.idle()
            other.execute("ROLLBACK")
        await running.idle()
        assert recipient.got == list(range(1, 21))
        assert running.metric("ledger_up") == 1.0
        assert await running.outcomes() == [("delivered", None)] * 20


async def test_a_router_stops_though_its_ledger_is_locked(tmp_path: Path) -> None:
    recipient = Slow()
    made(tmp_path).close()
    impatient = open_database(ledgers.url(tmp_path), Use.ROUTE, busy_seconds=0.01)
    with Beside(ledgers.url(tmp_path)) as other:
        async with relaying(tmp_path, recipient, database=impatient, window=1) as running:
            await running.record(HUBS[:1])
            await running.quiet()
            other.execute("BEGIN IMMEDIATE")
            recipient.may_answer.set()
            await running.stop()
        other.execute("ROLLBACK")
    with closing(open_database(ledgers.url(tmp_path), Use.READ)) as reader:
        # its answer is lost: the next start makes it unknown, and sends it again
        assert ask(reader, "SELECT state FROM deliveries") == [("sending",)]


@pytest.mark.sqlite
@pytest.mark.parametrize("looks", [True, False])
async def test_a_relay_whose_ledger_is_gone_sends_no_more_and_hears_out_what_it_sent(
    tmp_path: Path, looks: bool
) -> None:
    slow, quick = Slow(), Recipient()
    folder = tmp_path / "ledger"
    folder.mkdir()
    async with relaying(folder, slow, quick, window=2) as running:
        assert running.task is not None
        await running.record(HUBS, 1)
        await running.until(lambda: slow.got == [1, 2])
        await running.record(HUBS[:2], 2)
        await running.until(lambda: quick.got == [1, 2])
        await running.quiet()
        folder.rename(tmp_path / "elsewhere")
        if looks:
            running.relay.refresh()
        else:
            running.relay.take(Offer(), Recorded(frozenset(running.lanes), {}, 0))
        await running.until(lambda: running.ledger.gone is not None)
        assert not running.task.done()
        slow.may_answer.set()
        await running.task
        assert running.metric("delivery_send_seconds_count", adapter="test") == 4
        assert (slow.got, quick.got) == ([1, 2], [1, 2])
    with closing(open_database(f"sqlite:///{tmp_path}/elsewhere/ledger.db", Use.READ)) as reader:
        assert ask(reader, "SELECT state FROM deliveries WHERE sequence = 1") == [
            ("sending",),
            ("delivered",),
        ]


@pytest.mark.sqlite
async def test_a_relay_whose_ledger_is_gone_does_not_wait_for_answers_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "LAST", 0.01)
    slow = Slow()
    async with relaying(tmp_path, slow, drain=1e9) as running:
        assert running.task is not None
        await running.record(HUBS)
        await running.until(lambda: bool(slow.got))
        (tmp_path / "ledger.db").unlink()
        running.relay.refresh()
        await running.task


@pytest.mark.parametrize("reason", [ClosedReason.SUSPENDED, ClosedReason.ADAPTER_MISSING])
async def test_a_lane_that_the_files_close_is_idle(tmp_path: Path, reason: ClosedReason) -> None:
    recipient = Recipient()
    async with relaying(tmp_path, recipient) as running:
        running.relay.close_lane(running.lane(), reason, "")
        await running.record(HUBS)
        await running.idle()
        assert recipient.got == []
        assert await running.ledger.call(why_closed) == {running.lanes[0]: reason}
