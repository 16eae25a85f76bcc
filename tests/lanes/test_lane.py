"""What a lane would send, and what it makes of an answer: no I/O, no waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lanemaking import FAILED, REJECTED, Sealed, a_lane, answered, claimed, send, wished
from support.samples import ALERT, NOW, device

from router.lanes.values import Claimed, ClosedReason, DeliveryState
from router.ports import Delivered

# --- wishes ---------------------------------------------------------------------------------


def test_a_lane_wishes_for_what_its_window_has_room_for() -> None:
    lane = a_lane(window=3)
    wish = wished(lane)
    assert (wish.lane_id, wish.sends, wish.batch, wish.most, wish.adapter) == (1, 3, 1, 1, "test")
    assert (wish.failing, wish.hopeless, wish.busy_hubs) == (False, False, frozenset())
    assert (wish.on_their_own, wish.meanwhile) == (1, None)
    assert wish.render is None
    assert (wish.span, wish.oldest) == (3, None)
    lane.took([[claimed(1)], [claimed(2)]], None)
    busy = frozenset({device(1), device(2)})
    assert wished(lane) == replace(wish, sends=1, busy_hubs=busy, oldest=1)
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


def test_what_the_rate_leaves_over_is_not_saved_up() -> None:
    lane = a_lane(rate=5.0)
    wished(lane, 100.0)
    assert wished(lane, 1000.0).sends == 1
    assert lane.wait_for_rate() is None


def test_the_rate_counts_alerts_and_not_requests() -> None:
    lane = a_lane(rate=50.0, batch=3)
    wished(lane, 100.0)
    wish = wished(lane, 200.0)
    assert (wish.sends, wish.batch) == (
        1,
        3,
    )  # a tenth of the rate at once, where it goes in batches
    lane.took([[claimed(number) for number in (1, 2, 3)]], None)
    wish = wished(lane, 200.0)
    assert (wish.sends, wish.batch) == (1, 2)


def test_a_rate_that_comes_by_a_reload_is_kept_from_then_on() -> None:
    lane = a_lane()
    for number in range(1, 200):
        lane.took([[claimed(number)]], None)
        lane.answered([claimed(number)], [Delivered()], NOW)
    lane.channel = replace(lane.channel, rate=2.0)
    sent = 0
    for step in range(101):
        wish = lane.wish(NOW, 100.0 + step / 100)
        for _ in range(wish.sends if wish else 0):
            sent += 1
            lane.took([[claimed(1000 + sent)]], None)
    assert sent <= 3


@given(
    st.lists(st.floats(0.0, 1.5), min_size=1, max_size=40),
    st.sampled_from([0.5, 1.0, 7.3, 20.0, 300.0]),
    st.integers(1, 20),
)
def test_no_second_has_more_than_the_rate_and_one(
    steps: list[float], rate: float, batch: int
) -> None:
    lane = a_lane(rate=rate, window=1000, batch=batch)
    at, number = 0.0, 0
    sent: list[float] = []
    for step in steps:
        at += step
        wish = lane.wish(NOW, at)
        for _ in range(wish.sends if wish else 0):
            assert wish is not None
            group = [claimed(number := number + 1) for _ in range(wish.batch)]
            sent += [at] * len(group)
            lane.took([group], None)
    for start in sent:
        within = [each for each in sent if start <= each < start + 1.0]
        assert len(within) <= rate + 1.0 + 1e-6


# --- batches --------------------------------------------------------------------------------


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
            assert {each.state for each in settled} == {DeliveryState.DELIVERED}
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
    alone = [each.batch for each in send(lane, pairs[:2], [REJECTED] * 2)]
    assert len({*alone, *names}) == 4  # a batch of one each: what the other side knows
    assert names[0] == names[1] != names[2] == names[3]


def test_of_a_batch_only_those_that_were_refused_are_blamed() -> None:
    lane = a_lane(batch=3)
    group = [claimed(number, batch="b") for number in (1, 2, 3)]
    settled = send(lane, group, [Delivered(), REJECTED, FAILED])
    assert [each.outcome for each in settled] == ["delivered", "refused", "retry"]
    assert [each.refusals for each in settled] == [0, 1, 0]
    batches = [each.batch for each in settled]
    assert (batches[0], batches[2]) == ("b", "b")
    assert batches[1] not in {"b", None}  # out of its batch, but in the form of one


def test_what_was_refused_alone_stays_alone_and_as_it_is() -> None:
    assert answered(a_lane(), REJECTED).batch is None
