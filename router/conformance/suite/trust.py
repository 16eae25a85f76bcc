"""TLS: nothing goes to a server that can't prove who it is."""

from __future__ import annotations

from router.conformance.harness import Harness
from router.conformance.scenario import scenario
from router.conformance.situations import Situation
from router.conformance.suite.arrival import delivered
from router.conformance.trial import SECONDS, meeting
from router.delivery.sending import words
from router.ports import Closed, Delivered

_UNSURE = {Situation.PLAIN, Situation.OUTDATED}
"""What is found there may be a network that fails, or a server that waits for the rest."""


async def _nothing_goes(harness: Harness, situation: Situation, number: int) -> None:
    """Closed, as somebody must mend it; and the other side has nothing."""
    within = harness.deadline if situation in _UNSURE else SECONDS
    async with meeting(harness, situation) as (peer, trial):
        outcome = await trial.number(number, within)
        assert not await peer.taken(), f"{situation}: it has the Alert all the same"
        assert not isinstance(outcome, Delivered), words(outcome)
        if situation not in _UNSURE:
            assert isinstance(outcome, Closed), f"{words(outcome)}: must be Closed"


class TrustTests:
    """Of the suite: TLS."""

    @scenario(Situation.TLS)
    async def test_who_is_trusted_gets_alerts(self, harness: Harness) -> None:
        """Over TLS, by a CA that the options name."""
        async with meeting(harness, Situation.TLS) as (_, trial):
            delivered(await trial.number(501))

    @scenario(Situation.UNTRUSTED)
    async def test_who_nobody_vouches_for_gets_nothing(self, harness: Harness) -> None:
        """Closed: somebody must mend it."""
        await _nothing_goes(harness, Situation.UNTRUSTED, 502)

    @scenario(Situation.MISNAMED)
    async def test_who_is_somebody_else_gets_nothing(self, harness: Harness) -> None:
        """A certificate is for a host, which is looked at."""
        await _nothing_goes(harness, Situation.MISNAMED, 503)

    @scenario(Situation.EXPIRED)
    async def test_who_did_not_renew_gets_nothing(self, harness: Harness) -> None:
        """Until it is renewed."""
        await _nothing_goes(harness, Situation.EXPIRED, 504)

    @scenario(Situation.OUTDATED)
    async def test_who_knows_old_tls_alone_gets_nothing(self, harness: Harness) -> None:
        """TLS 1.2 is the least."""
        await _nothing_goes(harness, Situation.OUTDATED, 505)

    @scenario(Situation.PLAIN)
    async def test_who_knows_no_tls_gets_nothing(self, harness: Harness) -> None:
        """Where the options ask for TLS there is no falling back."""
        await _nothing_goes(harness, Situation.PLAIN, 506)
