"""What the other side says, and which Outcome that is."""

from __future__ import annotations

from collections.abc import Sequence

from router.conformance.alerts import alert
from router.conformance.harness import Harness
from router.conformance.scenario import scenario
from router.conformance.situations import REST, Situation
from router.conformance.suite.arrival import delivered
from router.conformance.trial import AdapterTrial, meeting
from router.delivery.sending import words
from router.ports import (
    MAX_DETAIL,
    ChannelFault,
    Closed,
    Delivered,
    Outcome,
    Reason,
    Refused,
    Retry,
)

FAILS = (
    Situation.BUSY,
    Situation.REFUSES,
    Situation.FORBIDS,
    Situation.MISSING,
    Situation.AWAY,
)


def able(harness: Harness, situations: Sequence[Situation]) -> list[Situation]:
    """Those of them that the harness can."""
    return [each for each in situations if each not in harness.cannot]


async def _answer(harness: Harness, situation: Situation, number: int) -> Outcome:
    """What is made of the first Alert in a situation."""
    async with meeting(harness, situation) as (_, trial):
        return await trial.number(number)


def _is(outcome: Outcome, kind: type[Outcome], why: str) -> None:
    assert isinstance(outcome, kind), f"{words(outcome)}: must be {kind.__name__}, as {why}"


async def _recovers(trial: AdapterTrial, number: int) -> None:
    await trial.arrives(await trial.delivery(alert(number)))


class AnswerTests:
    """Of the suite: what answers mean."""

    @scenario(Situation.BUSY)
    async def test_what_passes_by_itself_is_tried_again(self, harness: Harness) -> None:
        """Retry, as the same may work later."""
        _is(await _answer(harness, Situation.BUSY, 201), Retry, "it passes by itself")

    @scenario(Situation.RESTS)
    async def test_who_asks_to_be_left_alone_is(self, harness: Harness) -> None:
        """Retry, with `after`."""
        outcome = await _answer(harness, Situation.RESTS, 202)
        _is(outcome, Retry, "it passes by itself")
        assert isinstance(outcome, Retry)
        near = outcome.after is not None and abs(outcome.after - REST) < REST / 2
        assert near, f"`after` is {outcome.after}, and {REST} were asked for"

    @scenario(Situation.REFUSES)
    async def test_what_is_never_taken_is_refused(self, harness: Harness) -> None:
        """Refused: the Alert is to blame, and after three times it is parked."""
        _is(await _answer(harness, Situation.REFUSES, 203), Refused, "it will never be taken")

    @scenario(Situation.REFUSES)
    async def test_a_refusal_costs_no_later_alert(self, harness: Harness) -> None:
        """What comes behind one that was refused arrives."""
        async with meeting(harness) as (peer, trial):
            await peer.turn(Situation.REFUSES)
            await trial.number(204)
            await peer.turn(Situation.TAKES)
            await _recovers(trial, 205)

    @scenario(Situation.FORBIDS)
    async def test_who_is_not_let_in_closes_the_lane(self, harness: Harness) -> None:
        """Closed for `credentials`: no Alert is to blame, and somebody must mend it."""
        outcome = await _answer(harness, Situation.FORBIDS, 206)
        _is(outcome, Closed, "no Alert is to blame")
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.CREDENTIALS, words(outcome)

    @scenario(Situation.MISSING)
    async def test_where_nobody_takes_alerts_the_lane_is_closed(self, harness: Harness) -> None:
        """Closed for `endpoint`."""
        outcome = await _answer(harness, Situation.MISSING, 207)
        _is(outcome, Closed, "no Alert is to blame")
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.ENDPOINT, words(outcome)

    @scenario(Situation.AWAY)
    async def test_who_is_away_is_tried_again(self, harness: Harness) -> None:
        """Retry for `network`: a server that restarts is back in a minute."""
        outcome = await _answer(harness, Situation.AWAY, 208)
        _is(outcome, Retry, "it may be back in a minute")
        assert isinstance(outcome, Retry)
        assert outcome.reason in {Reason.NETWORK, Reason.STORAGE}, words(outcome)

    @scenario(Situation.AWAY)
    async def test_who_was_away_is_found_again(self, harness: Harness) -> None:
        """By the same adapter, that nobody restarts."""
        async with meeting(harness, Situation.AWAY) as (peer, trial):
            await trial.number(209)
            await peer.turn(Situation.TAKES)
            await _recovers(trial, 209)

    @scenario(Situation.HANGS_UP)
    async def test_an_answer_that_never_comes_is_none(self, harness: Harness) -> None:
        """It may have been taken, which nobody knows: Retry, and it comes again as it was."""
        async with meeting(harness) as (peer, trial):
            delivered(await trial.number(210))
            await peer.turn(Situation.HANGS_UP)
            outcome = await trial.number(211)
            _is(outcome, Retry, "the connection ended before the answer")

    @scenario(Situation.GARBAGE)
    async def test_nonsense_is_no_answer(self, harness: Harness) -> None:
        """Neither Delivered nor an exception."""
        outcome = await _answer(harness, Situation.GARBAGE, 212)
        assert not isinstance(outcome, Delivered), "it answered nonsense, which was taken for a yes"

    @scenario()
    async def test_each_failure_says_what_happened(self, harness: Harness) -> None:
        """To an operator, in one line: a detail, no longer than is kept."""
        for situation in able(harness, FAILS):
            async with meeting(harness, situation, raw=True) as (_, trial):
                outcome = await trial.number(213)
            if isinstance(outcome, Delivered):
                continue  # which is looked at above
            detail = outcome.detail
            assert detail.strip(), f"{situation}: an Outcome without a detail"
            kept = len(detail) <= MAX_DETAIL and detail.isprintable()
            assert kept, f"{situation}: more than is kept, or control characters: {detail!r}"
