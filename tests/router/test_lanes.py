"""What a lane would send, and what it makes of an answer: no I/O, no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Self
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ALERT, NOW, device, user

from router.alerts import Alert
from router.lanes import JITTER, PROBE, REFUSALS, SCHEDULE, Lane
from router.ledger.deliveries import Claimed, Settlement, Wish
from router.ledger.lanes import State
from router.ports import (
    Closed,
    ClosedReason,
    Delivered,
    Delivery,
    Options,
    Outcome,
    Reason,
    Refused,
    Retry,
)
from router.users import Channel

FAILED = Retry(Reason.SERVER, "503")
REJECTED = Refused(Reason.REJECTED, "422")
EXPIRES = NOW + timedelta(hours=48)


class Post:
    """A channel that is never called: a lane does no I/O."""

    Config: ClassVar[type[Options]] = Options

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Never."""
        raise NotImplementedError


class Sealed(Post):
    """A channel with bytes of its own."""

    def render(self, alert: Alert) -> bytes:
        """The same for the same Alert."""
        return alert.id.bytes


def a_lane(*, window: int = 16, rate: float | None = None, batch: int = 1) -> Lane:
    channel = Channel("main", "test", None, window=window, rate=rate)
    return Lane(1, user(1), channel, Post(batch))


def claimed(
    number: int, *, attempt: int = 1, refusals: int = 0, batch: str | None = None
) -> Claimed:
    alert = replace(ALERT, id=UUID(int=number), device_id=device(number), sequence=number)
    return Claimed(number, 1, Delivery(alert, alert.event()), attempt, refusals, EXPIRES, batch)


def wished(lane: Lane, monotonic: float = 0.0, **later: float) -> Wish:
    wish = lane.wish(NOW + timedelta(**later), monotonic)
    assert wish is not None
    return wish


def answered(lane: Lane, outcome: Outcome, each: Claimed | None = None) -> Settlement:
    """The lane sends one Alert and gets this answer."""
    each = each or claimed(1)
    lane.took([[each]], None)
    (settled,) = lane.answered([each], [outcome], NOW)
    return settled


# --- wishes ---------------------------------------------------------------------------------


def test_a_lane_wishes_for_what_its_window_has_room_for() -> None:
    lane = a_lane(window=3)
    assert wished(lane) == Wish(1, 3, 1, frozenset(), failing=False, hopeless=False, render=None)
    lane.took([[claimed(1)], [claimed(2)]], None)
    assert wished(lane) == Wish(
        1, 1, 1, frozenset({device(1), device(2)}), failing=False, hopeless=False, render=None
    )
    lane.took([[claimed(3)]], None)
    assert lane.wish(NOW, 0.0) is None


def test_a_window_counts_requests_and_not_alerts() -> None:
    lane = a_lane(window=2, batch=10)
    lane.took([[claimed(number) for number in range(1, 11)]], None)
    assert (wished(lane).sends, wished(lane).batch) == (1, 10)


def test_a_lane_with_nothing_to_do_wishes_nothing_until_it_is_due() -> None:
    lane = a_lane()
    lane.ready = False
    assert lane.wish(NOW, 0.0) is None
    lane.took([], NOW + timedelta(seconds=5))
    assert lane.wish(NOW + timedelta(seconds=4), 0.0) is None
    assert wished(lane, seconds=5).sends == 16


def test_what_was_claimed_may_have_more_behind_it() -> None:
    lane = a_lane()
    lane.ready = False
    lane.took([[claimed(1)]], None)
    assert lane.ready


def test_a_closed_lane_wishes_nothing() -> None:
    lane = a_lane()
    lane.close(ClosedReason.OPERATOR, NOW)
    assert lane.wish(NOW + timedelta(days=9), 0.0) is None
    lane.open(carefully=True)
    assert wished(lane).failing


def test_an_adapter_that_renders_is_asked_to() -> None:
    lane = a_lane()
    lane.adapter = Sealed()
    render = wished(lane).render
    assert render is not None
    assert render(ALERT) == ALERT.id.bytes


def test_a_lane_without_adapter_wishes_nothing() -> None:
    lane = a_lane()
    lane.adapter = None
    assert lane.wish(NOW, 0.0) is None


# --- the rate -------------------------------------------------------------------------------


def test_the_rate_is_honoured_before_the_send() -> None:
    lane = a_lane(rate=2.0)
    assert wished(lane, 100.0).sends == 1
    lane.took([[claimed(1)]], None)
    assert lane.wish(NOW, 100.0) is None
    assert lane.wait_for_rate() == pytest.approx(0.5)
    assert lane.wish(NOW, 100.25) is None
    assert lane.wait_for_rate() == pytest.approx(0.25)
    assert wished(lane, 100.5).sends == 1


def test_what_the_rate_leaves_over_is_saved_for_a_second() -> None:
    lane = a_lane(rate=5.0)
    wished(lane, 100.0)
    assert wished(lane, 1000.0).sends == 5
    assert lane.wait_for_rate() is None


def test_the_rate_counts_alerts_and_not_requests() -> None:
    lane = a_lane(rate=5.0, batch=3)
    wished(lane, 100.0)
    wish = wished(lane, 200.0)
    assert (wish.sends, wish.batch) == (1, 3)
    lane.took([[claimed(number) for number in (1, 2, 3)]], None)
    wish = wished(lane, 200.0)
    assert (wish.sends, wish.batch) == (1, 2)


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=40), st.sampled_from([0.5, 1.0, 7.3]))
def test_no_second_has_more_than_the_rate(steps: list[float], rate: float) -> None:
    lane = a_lane(rate=rate, window=1000)
    at, number = 0.0, 0
    sent: list[float] = []
    for step in steps:
        at += step
        wish = lane.wish(NOW, at)
        for _ in range(wish.sends if wish else 0):
            number += 1
            sent.append(at)
            lane.took([[claimed(number)]], None)
    for start in sent:
        within = [each for each in sent if start <= each <= start + 1.0]
        assert len(within) <= max(1.0, rate) + rate + 1e-6


# --- answers --------------------------------------------------------------------------------


def test_delivered_settles() -> None:
    lane = a_lane()
    settled = answered(lane, Delivered("204"), claimed(7, attempt=3, refusals=1))
    assert settled == Settlement(7, "delivered", State.DELIVERED, NOW, 3, detail="204", refusals=1)
    assert lane.in_flight == {}


def pause_after(lane: Lane, each: Claimed) -> float:
    """Seconds that the Alert waits after a failed attempt, the spread taken out."""
    settled = answered(lane, FAILED, each)
    assert (settled.outcome, settled.state) == ("retry", State.WAITING)
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
    assert pause_after(lane, claimed(2, attempt=5)) == SCHEDULE[0]


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
        assert (settled.outcome, settled.state) == ("refused", State.WAITING)
        assert settled.due_at is not None
        assert settled.due_at > NOW
        refusals = settled.refusals
    settled = answered(lane, REJECTED, claimed(1, refusals=refusals))
    assert (settled.outcome, settled.state) == ("parked", State.PARKED)
    assert (settled.refusals, settled.reason, settled.detail) == (REFUSALS, "rejected", "422")
    assert not lane.failing


def test_a_retry_between_does_not_forget_refusals() -> None:
    assert answered(a_lane(), FAILED, claimed(1, refusals=2)).refusals == 2


def test_a_closed_answer_blames_no_alert() -> None:
    lane = a_lane()
    answer = Closed(ClosedReason.CREDENTIALS, "401")
    settled = answered(lane, answer, claimed(1, refusals=1, batch="b"))
    assert (settled.outcome, settled.state, settled.due_at) == ("closed", State.WAITING, NOW)
    assert (settled.refusals, settled.batch, settled.reason) == (1, "b", "credentials")
    assert (lane.failing, lane.failures) == (False, 0)


# --- batches --------------------------------------------------------------------------------


def send(lane: Lane, group: Sequence[Claimed], outcomes: Sequence[Outcome]) -> list[Settlement]:
    lane.took([group], None)
    return lane.answered(group, outcomes, NOW)


@given(st.integers(1, 40), st.data())
def test_a_batch_is_halved_until_the_guilty_one_is_alone(size: int, data: st.DataObject) -> None:
    guilty = data.draw(st.integers(1, size))
    lane = a_lane(batch=size)
    work = [[claimed(number, batch="b" if size > 1 else None) for number in range(1, size + 1)]]
    delivered: list[int] = []
    refused: list[int] = []
    requests = 0
    while work:
        group = work.pop(0)
        requests += 1
        if guilty not in [each.id for each in group]:
            settled = send(lane, group, [Delivered()] * len(group))
            delivered += [each.id for each in settled]
            assert {each.state for each in settled} == {State.DELIVERED}
            continue
        settled = send(lane, group, [REJECTED] * len(group))
        if len(group) == 1:
            refused.append(group[0].id)
            assert settled[0].refusals == 1
            continue
        assert {each.refusals for each in settled} == {0}
        assert {each.due_at for each in settled} == {NOW}
        halves: dict[str, list[Claimed]] = {}
        for each, settlement in zip(group, settled, strict=True):
            again = replace(each, batch=settlement.batch, attempt=each.attempt + 1)
            halves.setdefault(settlement.batch or f"alone {each.id}", []).append(again)
        assert len(halves) == 2
        assert all(len(half) <= (len(group) + 1) // 2 for half in halves.values())
        work += halves.values()
    assert refused == [guilty]
    assert sorted(delivered) == [number for number in range(1, size + 1) if number != guilty]
    assert requests <= 2 * size.bit_length() + 1


def test_halves_of_halves_do_not_find_each_other() -> None:
    lane = a_lane(batch=4)
    four = [claimed(number, batch="1") for number in (1, 2, 3, 4)]
    names = [each.batch for each in send(lane, four, [REJECTED] * 4)]
    pairs = [replace(each, batch=name, attempt=2) for each, name in zip(four, names, strict=True)]
    assert [each.batch for each in send(lane, pairs[:2], [REJECTED] * 2)] == [None, None]
    assert names[0] == names[1] != names[2] == names[3]


def test_of_a_batch_only_those_that_were_refused_are_blamed() -> None:
    lane = a_lane(batch=3)
    group = [claimed(number, batch="b") for number in (1, 2, 3)]
    settled = send(lane, group, [Delivered(), REJECTED, FAILED])
    assert [each.outcome for each in settled] == ["delivered", "refused", "retry"]
    assert [each.refusals for each in settled] == [0, 1, 0]
    assert [each.batch for each in settled] == ["b", None, "b"]


# --- the lane's own state -------------------------------------------------------------------


def test_a_failing_lane_sends_one_at_a_time() -> None:
    lane = a_lane(batch=5)
    answered(lane, FAILED)
    assert (wished(lane).sends, wished(lane).failing) == (1, True)
    lane.took([[claimed(1, attempt=2)]], None)
    assert lane.wish(NOW, 0.0) is None
    lane.answered([claimed(1, attempt=2)], [Delivered()], NOW)
    assert (wished(lane).sends, wished(lane).failing) == (16, False)


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
        answered(lane, Closed(ClosedReason.ENDPOINT))
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
