"""Connections: used again, bounded, closed."""

from __future__ import annotations

from router.conformance.harness import Harness
from router.conformance.scenario import scenario, until
from router.conformance.situations import Ability, Situation
from router.conformance.suite.arrival import AT_ONCE, delivered
from router.conformance.trial import entered, meeting
from router.delivery.sending import words
from router.ports import Delivered, Retry

_MANY = 8


class ConnectionTests:
    """Of the suite: connections."""

    @scenario(Ability.CONNECTIONS, Ability.REUSE)
    async def test_one_connection_serves_many_alerts(self, harness: Harness) -> None:
        """Those that go one after the other."""
        async with meeting(harness) as (peer, trial):
            for number in range(401, 401 + _MANY):
                await trial.number(number)
            made = peer.connections().made
            assert made == 1, f"{made} connections for {_MANY} Alerts, one after the other"

    @scenario(Ability.CONNECTIONS)
    async def test_connections_are_bounded_by_what_is_under_way(self, harness: Harness) -> None:
        """At most one for each send."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries(range(411, 411 + AT_ONCE))
            await trial.each([[each] for each in deliveries])
            made = peer.connections().made
            assert made <= AT_ONCE, f"{made} connections for {AT_ONCE} sends at once"

    @scenario(Ability.CONNECTIONS)
    async def test_who_leaves_closes_its_connections(self, harness: Harness) -> None:
        """Cleanly, and those that wait, too."""
        async with harness.peer() as peer:
            async with entered(harness, peer) as trial:
                await trial.number(421)
            closed = await until(lambda: peer.connections().open == 0, harness.patience)
            assert closed, f"{peer.connections().open} connections are open after it was left"

    @scenario(Ability.CONNECTIONS, Situation.HANGS_UP)
    async def test_what_fails_is_not_tried_again_by_itself(self, harness: Harness) -> None:
        """The router does that, and knows when; client libraries that would are told not to. One
        more for a connection that may have ended while it waited, and one to see why, is fine."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(441))
            await peer.turn(Situation.HANGS_UP)
            before = peer.connections().made
            await trial.number(442)
            more = peer.connections().made - before
            assert more <= 2, f"{more} new connections in one send that failed"

    @scenario(Situation.DROPS)
    async def test_a_connection_that_ended_while_it_waited_costs_one_try(
        self, harness: Harness
    ) -> None:
        """At most: servers end those that wait, at any time."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(431))
            await peer.turn(Situation.DROPS)
            outcome = await trial.number(432)
            if not isinstance(outcome, Delivered):
                assert isinstance(outcome, Retry), words(outcome)
                outcome = await trial.number(432)
                delivered(outcome)
