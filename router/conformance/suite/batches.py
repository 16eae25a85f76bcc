"""Several Alerts in one `deliver`."""

from __future__ import annotations

from router.conformance.alerts import longest, marked
from router.conformance.harness import Harness
from router.conformance.scenario import scenario
from router.conformance.situations import Ability, Situation
from router.conformance.suite.arrival import bodies, delivered, ids, of
from router.conformance.trial import meeting
from router.ports import Delivered

NAME = "batch-1"


class BatchTests:
    """Of the suite: batches."""

    @scenario(Ability.BATCHES)
    async def test_each_of_a_batch_has_an_outcome(self, harness: Harness) -> None:
        """A list of as many, in the same order."""
        async with meeting(harness) as (_, trial):
            for outcome in await trial.together(await trial.deliveries((101, 102, 103), NAME)):
                delivered(outcome)

    @scenario(Ability.BATCHES)
    async def test_a_batch_arrives_in_order(self, harness: Harness) -> None:
        """Each of its Alerts once."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries((111, 112), NAME)
            await trial.together(deliveries)
            assert await ids(peer) == of(deliveries), "they came in another order, or not each once"

    @scenario(Ability.BATCHES)
    async def test_a_batch_of_one_arrives(self, harness: Harness) -> None:
        """In the form of a batch, as what is left of one that went before."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries([121], NAME)
            for outcome in await trial.together(deliveries):
                delivered(outcome)
            assert await ids(peer) == of(deliveries), "it is not there"

    @scenario(Ability.BATCHES)
    async def test_the_largest_batch_arrives(self, harness: Harness) -> None:
        """As many as `batch` says, each as long as an Alert can be."""
        async with meeting(harness) as (peer, trial):
            assert trial.adapter is not None
            numbers = range(1_001, 1_001 + trial.adapter.batch)
            deliveries = [await trial.delivery(longest(each), NAME) for each in numbers]
            for outcome in await trial.together(deliveries):
                delivered(outcome)
            assert await ids(peer) == of(deliveries), "not all of it is there"

    @scenario(Ability.BATCHES)
    async def test_a_batch_may_come_again(self, harness: Harness) -> None:
        """With the same companions, and the same bytes of each."""
        async with meeting(harness) as (peer, trial):
            deliveries = await trial.deliveries((131, 132), NAME)
            for _ in range(2):
                for outcome in await trial.together(deliveries):
                    delivered(outcome)
            for each in deliveries:
                assert len(set(await bodies(peer, each))) == 1, "bytes differ the second time"

    @scenario(Ability.BATCHES, Situation.REFUSES_MARKED)
    async def test_one_that_is_refused_costs_no_other_of_its_batch(self, harness: Harness) -> None:
        """Each has its own Outcome, where the other side can say so."""
        async with meeting(harness, Situation.REFUSES_MARKED) as (peer, trial):
            first, last = await trial.deliveries((141, 142), NAME)
            refused = await trial.delivery(marked(), NAME)
            outcomes = await trial.together([first, refused, last])
            assert not isinstance(outcomes[1], Delivered), "what was refused is Delivered"
            delivered(outcomes[0])
            delivered(outcomes[2])
            assert await ids(peer) == of([first, last])
