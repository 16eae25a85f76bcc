"""Peers that are slow or never answer, and sends that are cancelled."""

from __future__ import annotations

import asyncio
import tracemalloc

from router.conformance.alerts import alert
from router.conformance.gate import FLOOD
from router.conformance.harness import Harness
from router.conformance.scenario import scenario, until
from router.conformance.situations import Situation
from router.conformance.suite.arrival import bodies, delivered
from router.conformance.trial import meeting
from router.delivery.sending import words
from router.ports import Delivered


async def _is_late(harness: Harness, situation: Situation, number: int) -> None:
    """One that delivers can't answer in time, and must not say that it was delivered."""
    async with meeting(harness) as (peer, trial):
        delivered(await trial.number(number))
        await peer.turn(situation)
        outcome = await trial.number(number + 1, harness.deadline)
        assert not isinstance(outcome, Delivered), f"{words(outcome)}: nothing was answered"


class DeadlineTests:
    """Of the suite: deadlines and cancellation."""

    @scenario(Situation.SILENT)
    async def test_a_silent_peer_costs_one_deadline(self, harness: Harness) -> None:
        """Connecting is a part of the send."""
        async with meeting(harness, Situation.SILENT) as (_, trial):
            outcome = await trial.number(301, harness.deadline)
            assert not isinstance(outcome, Delivered), f"{words(outcome)}: nothing was answered"

    @scenario(Situation.MUTE)
    async def test_an_answer_that_is_lost_costs_one_deadline(self, harness: Harness) -> None:
        """Over a connection that stands."""
        await _is_late(harness, Situation.MUTE, 311)

    @scenario(Situation.DRIPS)
    async def test_an_answer_that_never_ends_costs_one_deadline(self, harness: Harness) -> None:
        """The deadline is for the whole of it, not for each byte."""
        await _is_late(harness, Situation.DRIPS, 321)

    @scenario(Situation.FLOODS)
    async def test_an_answer_without_bounds_is_not_kept(self, harness: Harness) -> None:
        """Nor taken for one."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(331))
            await peer.turn(Situation.FLOODS)
            tracemalloc.start()
            try:
                outcome = await trial.number(332, harness.patience)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert not isinstance(outcome, Delivered), f"{words(outcome)}: that was no answer"
            assert peak < FLOOD / 2, f"it kept {peak:,} bytes of an answer of {FLOOD:,}"

    @scenario(Situation.SLOW)
    async def test_a_slow_answer_is_waited_for(self, harness: Harness) -> None:
        """As long as the deadline lets: what comes in pieces is no error."""
        async with meeting(harness, Situation.SLOW) as (_, trial):
            delivered(await trial.number(341))

    @scenario(Situation.MUTE)
    async def test_who_is_cancelled_ends_at_once(self, harness: Harness) -> None:
        """In the middle of a send, as the router ends."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(351))
            await peer.turn(Situation.MUTE)
            sent = trial.begin(await trial.delivery(alert(352)))
            await peer.reached()
            await trial.cancelled(sent)

    @scenario(Situation.MUTE)
    async def test_what_was_cancelled_can_be_sent_again(self, harness: Harness) -> None:
        """With the same bytes, by the same adapter; no answer of then is taken for one of now."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(361))
            await peer.turn(Situation.MUTE)
            delivery = await trial.delivery(alert(362))
            sent = trial.begin(delivery)
            await peer.reached()
            await trial.cancelled(sent)
            await peer.turn(Situation.TAKES)
            await trial.arrives(delivery)
            assert len(set(await bodies(peer, delivery))) == 1, "its bytes differ the second time"

    @scenario(Situation.SLOW)
    async def test_who_is_cancelled_harms_no_other(self, harness: Harness) -> None:
        """That is under way beside it."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(371))
            await peer.turn(Situation.SLOW)
            deliveries = await trial.deliveries(range(372, 376))
            others = asyncio.ensure_future(trial.each([[each] for each in deliveries]))
            await peer.reached()
            cancelled = trial.begin(await trial.delivery(alert(377)))
            await until(lambda: False, 0.01)  # so that it is under way, as the others are
            await trial.cancelled(cancelled)
            for (outcome,) in await others:
                delivered(outcome)

    @scenario()
    async def test_the_event_loop_goes_on(self, harness: Harness) -> None:
        """What blocks it stops everybody's lanes: the watch of this suite breaks it off."""
        async with meeting(harness) as (_, trial):
            delivered(await trial.number(381))
