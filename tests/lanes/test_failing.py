"""When a lane fails, rests, is well again or closes; and whose fault it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.lanemaking import FAILED, REJECTED, a_lane, answered, claimed, send, wished
from support.samples import NOW

from router.lanes.lane import OTHERS, PROBE, Lane
from router.lanes.settling import JITTER, SCHEDULE
from router.lanes.values import ClosedReason, Settlement
from router.ports import ChannelFault, Closed, Delivered, Outcome, Reason, Retry


def test_a_failing_lane_sends_one_at_a_time() -> None:
    lane = a_lane(batch=5)
    answered(lane, FAILED)
    assert lane.wish(NOW, 0.0) is None  # it rests
    assert (wished(lane, seconds=6).sends, wished(lane, seconds=6).failing) == (1, True)
    lane.took([[claimed(1, attempt=2)]], None)
    assert lane.wish(NOW + timedelta(seconds=6), 0.0) is None
    lane.answered([claimed(1, attempt=2)], [Delivered()], NOW)
    assert (wished(lane).sends, wished(lane).failing) == (16, False)


def test_what_comes_through_beside_a_failure_does_not_make_the_lane_well() -> None:
    lane = a_lane()
    lane.took([[claimed(1)], [claimed(2)]], None)
    lane.answered([claimed(1)], [FAILED], NOW)
    lane.answered([claimed(2)], [Delivered()], NOW)
    assert lane.failing
    assert lane.wish(NOW, 0.0) is None


def test_an_alert_that_fails_again_while_another_comes_through_is_set_aside() -> None:
    lane = a_lane()
    lane.took([[claimed(1)], [claimed(2)]], None)
    (first,) = lane.answered([claimed(1)], [FAILED], NOW)
    lane.answered([claimed(2)], [Delivered()], NOW)
    assert not first.aside
    again = answered(lane, FAILED, claimed(1, attempt=2))
    assert again.aside
    assert (lane.failing, lane.failures, lane.rest_until) == (False, 0, None)
    assert again.due_at is not None
    assert again.due_at - NOW > timedelta(seconds=SCHEDULE[1] * (1 - JITTER))  # by its own attempts
    third = replace(claimed(1, attempt=3), aside=True)
    assert answered(lane, FAILED, third).aside
    assert not lane.failing


def test_where_nothing_comes_through_the_lane_is_at_fault() -> None:
    lane = a_lane()
    for attempt in (1, 2, 3):
        assert not answered(lane, FAILED, claimed(1, attempt=attempt)).aside
        assert not answered(lane, FAILED, claimed(2, attempt=attempt)).aside
    assert lane.failing


def another(lane: Lane, outcome: Outcome, number: int) -> Settlement:
    """The lane sends one that is not its oldest, while that rests."""
    wish = wished(lane)
    assert (wish.failing, wish.sends, wish.meanwhile) == (True, 1, lane.rest_until)
    lane.took([[claimed(number)]], None, another=True)
    (settled,) = lane.answered([claimed(number)], [outcome], NOW)
    return settled


@pytest.mark.parametrize("answer", [Delivered(), REJECTED])
def test_after_the_oldest_failed_again_another_shows_whose_fault_it_is(answer: Outcome) -> None:
    lane = a_lane(window=1)
    answered(lane, FAILED)
    assert lane.wish(NOW, 0.0) is None  # first the oldest alone
    answered(lane, FAILED, claimed(1, attempt=2))
    another(lane, FAILED, 2)
    another(lane, answer, 3)
    assert (lane.failing, lane.failures, lane.rest_until) == (False, 0, None)
    third = answered(lane, FAILED, claimed(1, attempt=3))
    assert third.aside
    assert third.due_at is not None
    assert third.due_at - NOW >= timedelta(seconds=SCHEDULE[2] * (1 - JITTER))
    assert answered(lane, FAILED, claimed(2, attempt=2)).aside
    assert not lane.failing


def test_more_others_are_tried_each_time_but_never_many() -> None:
    lane = a_lane()
    answered(lane, FAILED)
    number = 1
    for most in (*OTHERS, OTHERS[-1]):
        answered(lane, FAILED, claimed(1, attempt=2))
        rests = lane.rest_until
        failures = lane.failures
        for _ in range(most):
            number += 1
            another(lane, FAILED, number)
        assert lane.wish(NOW, 0.0) is None
        assert lane.failures == failures
        assert rests is not None
        assert lane.rest_until is not None
        assert lane.rest_until >= rests


def test_who_asks_to_be_left_alone_gets_no_others_either() -> None:
    lane = a_lane()
    answered(lane, FAILED)
    answered(lane, Retry(Reason.BUSY, "503", after=timedelta(minutes=9)), claimed(1, attempt=2))
    assert lane.wish(NOW + timedelta(minutes=8), 0.0) is None
    assert wished(lane, minutes=9).meanwhile is None  # it is the oldest's turn


@pytest.mark.parametrize("after", [Delivered(), FAILED, REJECTED, Closed(ChannelFault.ENDPOINT)])
def test_no_answer_shortens_what_the_other_side_asked_for(after: Outcome) -> None:
    asked = NOW + timedelta(minutes=1)
    for aside in (False, True):
        lane = a_lane()
        groups = [[replace(claimed(number), aside=aside and number == 1)] for number in (1, 2, 3)]
        lane.took(groups, None)
        lane.answered(groups[0], [Retry(Reason.BUSY, "429", after=timedelta(minutes=1))], NOW)
        for group in groups[1:]:
            lane.answered(group, [after], NOW)
        assert lane.rest_until == asked
        assert lane.wish(NOW + timedelta(seconds=59), 0.0) is None
        lane.rise()
        assert lane.wish(NOW, 0.0) is not None


def test_what_is_set_aside_says_nothing_of_a_lane_that_fails() -> None:
    lane = a_lane()
    answered(lane, FAILED)
    assert answered(lane, FAILED, replace(claimed(2, attempt=5), aside=True)).aside
    assert (lane.failing, lane.failures) == (True, 1)


def test_what_was_claimed_while_the_lane_began_to_fail_did_not_go_alone() -> None:
    lane = a_lane()
    lane.took([[claimed(1)]], None)
    lane.answered([claimed(1)], [FAILED], NOW)
    lane.claimed([[claimed(2)], [claimed(3)]])  # the intake had been offered room before
    lane.answered([claimed(3)], [Delivered()], NOW)
    assert lane.failing


def test_the_other_sides_wish_speaks_for_the_lane_within_the_alerts_time() -> None:
    asked = Retry(Reason.BUSY, "429", after=timedelta(hours=1))
    lane = a_lane()
    answered(lane, asked)
    assert lane.rest_until == NOW + timedelta(hours=1)
    assert lane.wish(NOW + timedelta(minutes=59), 0.0) is None
    assert wished(lane, hours=1).failing
    late = replace(asked, after=timedelta(days=30))
    answered(lane, late, claimed(1, attempt=2))
    assert lane.rest_until == claimed(1).expires_at
    lane.open(carefully=True)
    assert lane.rest_until is None


@pytest.mark.parametrize("answer", [Delivered(), REJECTED])
def test_any_answer_that_shows_life_ends_the_failures(answer: Outcome) -> None:
    lane = a_lane()
    for failures in (1, 2, 3):
        answered(lane, FAILED)
        assert (lane.failing, lane.failures) == (True, failures)
    answered(lane, answer)
    assert (lane.failing, lane.failures) == (False, 0)


def test_a_refused_batch_shows_life_too() -> None:
    lane = a_lane(batch=2)
    answered(lane, FAILED)
    send(lane, [claimed(2, batch="b"), claimed(3, batch="b")], [REJECTED] * 2)
    assert not lane.failing


def test_a_failed_batch_is_one_failure() -> None:
    lane = a_lane(batch=50)
    send(lane, [claimed(number, batch="b") for number in range(1, 51)], [FAILED] * 50)
    assert lane.failures == 1


@pytest.mark.parametrize("outcomes", [[Delivered(), FAILED], [FAILED, Delivered()]])
def test_a_batch_that_failed_in_part_is_failing_in_any_order(outcomes: list[Outcome]) -> None:
    lane = a_lane(batch=2)
    send(lane, [claimed(1, batch="b"), claimed(2, batch="b")], outcomes)
    assert lane.failing


def test_a_lane_that_closed_by_itself_is_tried_again_ever_later() -> None:
    lane = a_lane()
    for pause in (*PROBE, PROBE[-1]):
        lane.close(ClosedReason.ENDPOINT, NOW)
        assert lane.probe_at == NOW + timedelta(seconds=pause)
        lane.open(carefully=True)
        assert lane.failing
        answered(lane, Closed(ChannelFault.ENDPOINT))
    answered(lane, Delivered())
    lane.close(ClosedReason.ENDPOINT, NOW)
    assert lane.probe_at == NOW + timedelta(seconds=PROBE[0])


@pytest.mark.parametrize(
    "reason",
    [
        ClosedReason.OPERATOR,
        ClosedReason.SUSPENDED,
        ClosedReason.USER_REMOVED,
        ClosedReason.ADAPTER_MISSING,
    ],
)
def test_a_lane_that_was_closed_by_somebody_is_not_tried(reason: ClosedReason) -> None:
    lane = a_lane()
    lane.close(ClosedReason.ENDPOINT, NOW)
    lane.close(reason, NOW)
    assert (lane.closed, lane.probe_at) == (reason, None)


# --- batches that always fail ---------------------------------------------------------------


def test_a_batch_that_may_have_been_taken_is_parted_only_by_proof() -> None:
    lane = a_lane(batch=4)
    four = [claimed(number, batch="1") for number in (1, 2, 3, 4)]

    def fails(attempt: int, *, aside: bool) -> list[Settlement]:
        settled = send(
            lane, [replace(each, attempt=attempt, aside=aside) for each in four], [FAILED] * 4
        )
        assert {each.aside for each in settled} == {aside or attempt == 2}
        return settled

    assert {each.batch for each in fails(1, aside=False)} == {"1"}
    answered(lane, Delivered(), claimed(7))
    assert {each.batch for each in fails(2, aside=False)} == {"1"}  # its failures are its own
    settled = fails(3, aside=True)
    assert [each.batch for each in settled] == ["1+3", "1+3", "3+3", "3+3"]
    assert {(each.outcome, each.due_at, each.refusals) for each in settled} == {("retry", NOW, 0)}
    half = [replace(each, attempt=4, aside=True, batch="1+3") for each in four[:2]]
    # if the other half does not come through, the recipient is down by now
    again = send(lane, half, [FAILED] * 2)
    assert {each.batch for each in again} == {"1+3"}
    due = again[0].due_at
    assert due is not None
    assert due - NOW < timedelta(seconds=SCHEDULE[1] * (1 - JITTER))  # nobody waits for long
    answered(lane, Delivered(), claimed(3, attempt=4, batch="3+3"))
    half = [replace(each, attempt=5) for each in half]
    assert [each.batch for each in send(lane, half, [FAILED] * 2)] == ["1+5", "2+5"]
    (alone,) = send(lane, [replace(half[0], attempt=6, batch="1+5")], [FAILED])
    assert (alone.batch, alone.aside) == ("1+5", True)
    assert alone.due_at is not None
    assert alone.due_at > NOW


def test_a_batch_of_which_something_was_taken_is_not_parted() -> None:
    lane = a_lane(batch=2)
    pair = [replace(claimed(number, batch="1", attempt=4), aside=True) for number in (1, 2)]
    send(lane, pair, [FAILED] * 2)
    answered(lane, Delivered(), claimed(7))
    assert [each.batch for each in send(lane, pair, [Delivered(), FAILED])] == ["1", "1"]
