"""What a lane makes of an answer: for the Alert, and for when it goes again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from support.lanemaking import EXPIRES, FAILED, REJECTED, a_lane, answered, claimed
from support.samples import NOW

from router.lanes.lane import Lane
from router.lanes.settling import JITTER, REFUSALS, SCHEDULE
from router.lanes.values import Claimed, DeliveryState, Settlement
from router.ports import ChannelFault, Closed, Delivered, Reason, Retry


def test_delivered_settles() -> None:
    lane = a_lane()
    settled = answered(lane, Delivered("204"), claimed(7, attempt=3, refusals=1))
    assert settled == Settlement(
        7, "delivered", DeliveryState.DELIVERED, NOW, 3, detail="204", refusals=1
    )
    assert lane.in_flight == {}


def pause_after(lane: Lane, each: Claimed) -> float:
    """Seconds that the Alert waits after a failed attempt, the spread taken out."""
    settled = answered(lane, FAILED, each)
    assert (settled.outcome, settled.state) == ("retry", DeliveryState.WAITING)
    assert settled.due_at is not None
    pause = (settled.due_at - NOW).total_seconds()
    (planned,) = (
        planned for planned in SCHEDULE if planned * (1 - JITTER) <= pause <= planned * (1 + JITTER)
    )
    return planned


def test_the_schedule_of_retries() -> None:
    for _ in range(50):
        lane = a_lane()
        paused = [pause_after(lane, claimed(1, attempt=attempt)) for attempt in range(1, 10)]
        assert paused == [*SCHEDULE, SCHEDULE[-1], SCHEDULE[-1]]


def test_attempts_that_a_crash_cut_off_make_no_wait_longer() -> None:
    assert pause_after(a_lane(), claimed(1, attempt=6)) == SCHEDULE[0]


def test_what_failed_together_is_one_failure() -> None:
    lane = a_lane()
    group = [claimed(number, attempt=4) for number in range(1, 17)]
    lane.took([[each] for each in group], None)
    for each in group:
        (settled,) = lane.answered([each], [FAILED], NOW)
        assert settled.due_at is not None
        assert settled.due_at <= NOW + timedelta(seconds=SCHEDULE[0] * (1 + JITTER))
    assert lane.failures == 1
    assert pause_after(lane, claimed(1, attempt=5)) == SCHEDULE[1]
    assert lane.failures == 2
    answered(lane, Delivered(), claimed(1, attempt=6))
    assert pause_after(lane, claimed(20, attempt=5)) == SCHEDULE[0]


def test_the_schedule_is_what_was_promised() -> None:
    assert SCHEDULE == (5, 30, 120, 240, 600, 1800, 3600)
    assert JITTER == 0.2


def test_retries_are_spread() -> None:
    assert len({answered(a_lane(), FAILED).due_at for _ in range(50)}) > 1


def test_the_other_sides_wish_to_be_left_alone_is_honoured() -> None:
    asked = Retry(Reason.BUSY, "429", after=timedelta(minutes=10))
    assert answered(a_lane(), asked).due_at == NOW + timedelta(minutes=10)
    sooner = answered(a_lane(), replace(asked, after=timedelta(seconds=1))).due_at
    assert sooner is not None
    assert sooner >= NOW + timedelta(seconds=4)


def test_no_retry_is_planned_for_after_the_alerts_time() -> None:
    asked = Retry(Reason.BUSY, "429", after=timedelta(days=30))
    assert answered(a_lane(), asked).due_at == EXPIRES
    late = replace(claimed(1), expires_at=NOW - timedelta(hours=1))
    assert answered(a_lane(), FAILED, late).due_at == NOW


def test_a_refused_alert_is_parked_at_the_third_time() -> None:
    lane = a_lane()
    refusals = 0
    for _ in range(REFUSALS - 1):
        settled = answered(lane, REJECTED, claimed(1, refusals=refusals))
        assert (settled.outcome, settled.state) == ("refused", DeliveryState.WAITING)
        assert settled.due_at is not None
        assert settled.due_at > NOW
        refusals = settled.refusals
    settled = answered(lane, REJECTED, claimed(1, refusals=refusals))
    assert (settled.outcome, settled.state) == ("parked", DeliveryState.PARKED)
    assert (settled.refusals, settled.reason, settled.detail) == (REFUSALS, "rejected", "422")
    assert not lane.failing


def test_a_retry_between_does_not_forget_refusals() -> None:
    assert answered(a_lane(), FAILED, claimed(1, refusals=2)).refusals == 2


def test_a_closed_answer_blames_no_alert() -> None:
    lane = a_lane()
    answer = Closed(ChannelFault.CREDENTIALS, "401")
    settled = answered(lane, answer, claimed(1, refusals=1, batch="b"))
    assert (settled.outcome, settled.state, settled.due_at) == (
        "closed",
        DeliveryState.WAITING,
        NOW,
    )
    assert (settled.refusals, settled.batch, settled.reason) == (1, "b", "credentials")
    assert (lane.failing, lane.failures) == (False, 0)
