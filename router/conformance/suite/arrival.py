"""Alerts arrive: as they are, in order, once for each send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from router.conformance.alerts import alert, longest, spelled_out
from router.conformance.harness import Arrived, Harness, Peer
from router.conformance.scenario import scenario
from router.conformance.situations import Ability
from router.conformance.trial import AdapterTrial, meeting
from router.delivery.sending import words
from router.ports import Delivered, Delivery, Outcome, Renders

AT_ONCE = 16
"""The window of a channel, where it gives none."""


def delivered(outcome: Outcome) -> None:
    """It must be."""
    assert isinstance(outcome, Delivered), f"the other side takes it, and still: {words(outcome)}"


async def ids(peer: Peer) -> list[str]:
    """What the peer took."""
    return [each.id for each in await peer.taken()]


def of(deliveries: Sequence[Delivery]) -> list[str]:
    """The ids of these."""
    return [str(each.alert.id) for each in deliveries]


async def bodies(peer: Peer, delivery: Delivery) -> list[bytes]:
    """What the peer has of one Alert."""
    taken: Sequence[Arrived] = await peer.taken()
    return [each.body for each in taken if each.id == str(delivery.alert.id)]


async def _comes_as_it_is(trial: AdapterTrial, peer: Peer, delivery: Delivery) -> None:
    delivered(await trial.one(delivery))
    came = await bodies(peer, delivery)
    assert came == [delivery.body], f"sent {delivery.body!r}, came {came!r}"


class ArrivalTests:
    """Of the suite: Alerts that arrive, one by one."""

    @scenario()
    async def test_an_alert_arrives(self, harness: Harness) -> None:
        """And Delivered is answered for it."""
        async with meeting(harness) as (peer, trial):
            delivery = await trial.delivery(alert(1))
            delivered(await trial.one(delivery))
            assert await ids(peer) == of([delivery]), "it is not there, though it was delivered"

    @scenario(Ability.BODIES)
    async def test_its_bytes_arrive_as_they_are(self, harness: Harness) -> None:
        """Whoever has an Alert from two channels can tell that it is the same."""
        async with meeting(harness) as (peer, trial):
            await _comes_as_it_is(trial, peer, await trial.delivery(alert(2)))

    @scenario(Ability.BODIES)
    async def test_all_characters_arrive_as_they_are(self, harness: Harness) -> None:
        """Of one to four bytes; none ends a line, a text or an encoding."""
        async with meeting(harness) as (peer, trial):
            delivery = await trial.delivery(spelled_out(3))
            if not isinstance(trial.adapter, Renders):
                written = orjson.dumps(orjson.loads(delivery.body))  # not as escapes
                delivery = replace(delivery, body=written)
            await _comes_as_it_is(trial, peer, delivery)

    @scenario(Ability.BODIES)
    async def test_the_longest_alert_arrives_whole(self, harness: Harness) -> None:
        """Every part of it as long as it can be."""
        async with meeting(harness) as (peer, trial):
            await _comes_as_it_is(trial, peer, await trial.delivery(longest(4)))

    @scenario()
    async def test_alerts_arrive_in_order(self, harness: Harness) -> None:
        """Those that go one after the other."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries(range(11, 16))
            for each in deliveries:
                await trial.one(each)
            assert await ids(peer) == of(deliveries), "they came in another order, or not each once"

    @scenario()
    async def test_the_same_alert_may_come_again(self, harness: Harness) -> None:
        """When an answer was lost: it is delivered again, and with the same bytes."""
        async with meeting(harness) as (peer, trial):
            delivery = await trial.delivery(alert(21))
            await trial.one(delivery)
            again = await trial.one(delivery)
            delivered(again)
            assert len(set(await bodies(peer, delivery))) == 1, "its bytes differ the second time"

    @scenario()
    async def test_many_arrive_at_once(self, harness: Harness) -> None:
        """Up to `window` of them are under way together."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries(range(31, 31 + AT_ONCE))
            for (outcome,) in await trial.each([[each] for each in deliveries]):
                delivered(outcome)
            assert sorted(await ids(peer)) == sorted(of(deliveries)), "not each came once"
