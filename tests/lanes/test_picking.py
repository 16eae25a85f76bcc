"""What a lane sends next, of what waits on it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.lanelives import waiting
from support.samples import NOW, device, user

from router.domain.timestamps import stamp
from router.lanes.picking import Picked, WaitingDelivery, pick, pick_new
from router.lanes.values import DeliveryState, Wish

HOUR = timedelta(hours=1)


def wish(sends: int = 16, *, batch: int = 1, **more: object) -> Wish:
    usual = {"most": batch, "busy_hubs": frozenset(), "failing": False, "hopeless": False}
    usual |= {"span": 1000, "oldest": None, "adapter": "test", "render": None}
    wished = {**usual, **more}
    return Wish(1, sends, batch, **wished)  # type: ignore[arg-type]


def numbers(picked: Picked) -> list[list[int]]:
    return [[each.sequence for each in request] for request in picked.requests]


WISHES = st.builds(
    wish,
    st.integers(1, 5),
    batch=st.integers(1, 4),
    busy_hubs=st.frozensets(st.integers(1, 6).map(device)),
    span=st.integers(1, 12),
    oldest=st.none() | st.integers(-12, 0),
)


@given(st.lists(st.integers(1, 6), max_size=30), WISHES)
def test_what_is_new_goes_as_if_it_had_waited(hubs: list[int], asked: Wish) -> None:
    """The relay's own look, a moment later, would have taken the same."""
    rows = [waiting(place + 1, device_id=device(number)) for place, number in enumerate(hubs)]
    picked = pick(rows[: asked.sends * asked.batch], asked, NOW).requests
    found = [(each.device_id, each.sequence, each) for each in rows]
    assert pick_new(found, asked) == picked


def test_nothing_starts_a_window_ahead_of_what_is_unanswered() -> None:
    rows = [waiting(number) for number in range(4, 9)]
    assert numbers(pick(rows, wish(3, span=4, oldest=1), NOW)) == [[4]]
    nothing = pick(rows, wish(3, span=3, oldest=1), NOW)
    assert (nothing.requests, nothing.blocked) == ([], True)
    # what is set aside holds nobody up, and nothing holds it up
    rows[0] = waiting(4, attempts=2, aside=True, due_at=stamp(NOW))
    assert numbers(pick(rows, wish(3, span=2), NOW)) == [[4], [5], [6]]


def test_what_waits_goes_in_the_order_of_its_sequence() -> None:
    rows = [waiting(number) for number in range(1, 6)]
    assert numbers(pick(rows, wish(3), NOW)) == [[1], [2], [3]]
    assert numbers(pick(rows, wish(2, batch=2), NOW)) == [[1, 2], [3, 4]]


LATER = NOW + HOUR


def failed(number: int, attempts: int = 1, **more: object) -> WaitingDelivery:
    """A delivery that failed a moment ago."""
    return waiting(number, attempts=attempts, sent=True, due_at=stamp(LATER), **more)


def test_what_failed_goes_at_once_and_in_order_when_the_lane_is_well() -> None:
    rows = [failed(1, 3), failed(2), waiting(3)]
    assert numbers(pick(rows, wish(), NOW)) == [[1], [2], [3]]


def test_what_is_set_aside_waits_for_its_own_next_try_and_holds_nobody_up() -> None:
    rows = [failed(1, aside=True), failed(2, refusals=1), waiting(3), waiting(4)]
    picked = pick(rows, wish(), NOW)
    assert (numbers(picked), picked.next_due) == ([[3], [4]], LATER)


def test_what_is_set_aside_takes_no_more_than_its_share() -> None:
    rows = [waiting(number, attempts=3, aside=True) for number in range(1, 10)]
    rows += [waiting(number) for number in range(10, 20)]
    picked = pick(rows, wish(4, on_their_own=2), NOW)
    assert numbers(picked) == [[1], [2], [10], [11]]
    assert numbers(pick(rows, wish(4, on_their_own=0), NOW)) == [[10], [11], [12], [13]]
    only = pick(rows[:9], wish(4, on_their_own=0), NOW)
    assert (numbers(only), only.blocked) == ([], True)


def test_never_two_for_one_hub() -> None:
    rows = [waiting(1), waiting(2, device_id=device(1)), waiting(3)]
    picked = pick(rows, wish(batch=10), NOW)
    assert (numbers(picked), picked.blocked) == ([[1]], True)
    picked = pick(rows, wish(busy_hubs=frozenset({device(1)})), NOW)
    assert (numbers(picked), picked.blocked) == ([], True)


def again(number: int, **more: object) -> WaitingDelivery:
    """A delivery that may have been taken already."""
    return waiting(number, attempts=1, sent=True, sent_by="test", **more)


def test_what_went_together_goes_together_again() -> None:
    rows = [again(1, batch="b"), waiting(2), again(3, batch="b")]
    for batch in (10, 2, 1):  # whatever the channel takes by now
        assert numbers(pick(rows, wish(batch=batch), NOW)) == [[1, 3], [2]]


def test_what_went_alone_goes_alone_again() -> None:
    rows = [again(1), again(2, batch="b"), waiting(3), waiting(4)]
    assert numbers(pick(rows, wish(batch=10), NOW)) == [[1], [2], [3, 4]]


def test_what_only_another_adapter_sent_goes_with_what_was_never_sent() -> None:
    rows = [waiting(1, attempts=3, sent_by="another"), waiting(2)]
    assert numbers(pick(rows, wish(batch=10), NOW)) == [[1, 2]]


def test_after_a_failure_the_oldest_goes_alone() -> None:
    rows = [waiting(1, attempts=1), waiting(2), waiting(3)]
    assert numbers(pick(rows, wish(batch=10, failing=True), NOW)) == [[1]]
    rows = [waiting(1, attempts=3, aside=True), waiting(2, attempts=1), waiting(3)]
    assert numbers(pick(rows, wish(batch=10, failing=True), NOW)) == [[2]]


def test_while_the_oldest_rests_another_is_tried_wherever_it_stands() -> None:
    asked = wish(batch=10, failing=True, meanwhile=LATER)
    rows = [failed(number) for number in range(1, 21)]
    assert numbers(pick([*rows, waiting(2001), waiting(2002)], asked, NOW)) == [[2001]]
    assert pick(rows, asked, NOW).next_due == LATER
    tried = [failed(1, 2), waiting(2, attempts=2), waiting(3, attempts=1), waiting(4, attempts=1)]
    assert numbers(pick(tried, asked, NOW)) == [[3]]
    batch = [failed(1, 2), again(5, batch="5"), again(6, batch="5")]
    assert numbers(pick(batch, asked, NOW)) == [[5, 6]]


def test_who_is_not_responsible_any_more_is_asked_only_of_what_was_held() -> None:
    rows = [waiting(1, recheck=True), waiting(2), waiting(3, recheck=True)]
    gone = {(device(1), user(1)), (device(2), user(1))}
    picked = pick(rows, wish(), NOW, gone)
    assert numbers(picked) == [[2], [3]]
    assert [(each.id, each.state) for each in picked.ended] == [(1, DeliveryState.WITHDRAWN)]


@given(
    attempts=st.integers(0, 2),
    hopeless=st.booleans(),
    left=st.sampled_from([-HOUR, timedelta(), timedelta(microseconds=1), HOUR]),
)
def test_past_its_time_it_is_tried_once_and_then_parked(
    attempts: int, hopeless: bool, left: timedelta
) -> None:
    row = waiting(1, attempts=attempts, expires_at=stamp(NOW + left))
    picked = pick([row], wish(hopeless=hopeless), NOW)
    over = left <= timedelta() and (attempts > 0 or hopeless)
    assert numbers(picked) == ([] if over else [[1]])
    assert [each.state for each in picked.ended] == ([DeliveryState.PARKED] if over else [])
