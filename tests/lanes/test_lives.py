"""Whole lives of lanes: what must hold whatever comes back, in any order, at any pace."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.lanelives import HOUR, Sending, waiting
from support.lanemaking import FAILED, REJECTED, a_lane
from support.samples import NOW, device

from router.lanes.values import DeliveryState
from router.ports import Delivered, Reason, Retry

TAKEN = Delivered("204")
BUSY = Retry(Reason.BUSY, "429", after=timedelta(minutes=1))


@given(
    hubs=st.lists(st.integers(1, 12), min_size=1, max_size=25),
    window=st.integers(1, 5),
    batch=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_comes_back_order_window_and_hubs_are_kept(
    hubs: list[int], window: int, batch: int, data: st.DataObject
) -> None:
    rows = {n: waiting(n, device_id=device(hub)) for n, hub in enumerate(hubs, 1)}
    guilty = data.draw(st.sets(st.sampled_from(sorted(rows)), max_size=3))
    sending = Sending(a_lane(window=window, batch=batch), rows)
    failures = data.draw(st.integers(0, 8))
    while rows or sending.under_way:
        assert sending.now < NOW + 48 * HOUR
        if sending.claim() and data.draw(st.booleans()):
            continue
        if not sending.under_way:
            sending.now += timedelta(minutes=30)
            continue
        group = data.draw(st.sampled_from(sending.under_way))
        if failures and data.draw(st.booleans()):
            failures -= 1
            sending.answer(group, FAILED)
        elif guilty & {each.id for each in group}:
            sending.answer(group, REJECTED)
        else:
            sending.answer(group, Delivered("204"))
    event(f"{len(guilty)} guilty")
    assert sending.started == sorted(sending.started)
    parked = {n for n, state in sending.ended.items() if state is DeliveryState.PARKED}
    assert parked == guilty  # no Alert is blamed for its batch
    assert set(sending.ended) == set(range(1, len(hubs) + 1))


@given(count=st.integers(2, 60), batch=st.sampled_from([1, 1, 3]), data=st.data())
def test_nothing_starts_a_window_ahead_of_what_is_unanswered(
    count: int, batch: int, data: st.DataObject
) -> None:
    """With any delays, failures and reloads; `Sending` looks at each claim."""
    rows = {n: waiting(n) for n in range(1, count + 1)}
    sending = Sending(a_lane(window=data.draw(st.integers(1, 16)), batch=batch), rows)
    failures = data.draw(st.integers(0, 6))
    slow = set(data.draw(st.lists(st.integers(1, count), max_size=2)))
    waits = 0
    while rows or sending.under_way:
        assert sending.now < NOW + 48 * HOUR
        if data.draw(st.integers(0, 9)) == 0:
            sending.reload(data.draw(st.integers(1, 16)))
        if sending.claim():
            continue
        if not sending.under_way:
            sending.wait(HOUR)
            continue
        quick = [group for group in sending.under_way if not slow & {each.id for each in group}]
        waits = max(waits, len({each.id for group in sending.under_way for each in group}))
        group = data.draw(st.sampled_from(quick or sending.under_way))
        failing = failures and data.draw(st.booleans())
        failures -= bool(failing)
        sending.answer(group, FAILED if failing else TAKEN)
    event(f"{waits} unanswered at most")
    assert sending.started == sorted(sending.started)


@given(
    count=st.integers(2, 40),
    more=st.lists(st.integers(1, 10), max_size=3),
    window=st.integers(1, 16),
    slow=st.booleans(),
    data=st.data(),
)
def test_those_that_always_fail_hold_nobody_up(
    count: int, more: list[int], window: int, slow: bool, data: st.DataObject
) -> None:
    """Wherever they stand, at once or last of all, beside many or beside none."""
    rows = {n: waiting(n) for n in range(1, count + 1)}
    bad = data.draw(st.sets(st.integers(1, count + sum(more)), max_size=20))
    if data.draw(st.booleans()):
        bad = set(range(1, len(bad) + 1))
    sending = Sending(a_lane(window=window), rows)
    while rows.keys() - bad or sending.under_way or more:
        assert sending.now < NOW + HOUR
        if sending.claim() and data.draw(st.booleans()):
            continue
        if more and (rows.keys() <= bad or data.draw(st.booleans())):
            sending.add(more.pop())
        elif sending.under_way:
            good = [group for group in sending.under_way if group[0].id not in bad]
            group = data.draw(st.sampled_from((slow and good) or sending.under_way))
            if slow and not good:
                sending.now += timedelta(seconds=4)
            sending.answer(group, FAILED if group[0].id in bad else TAKEN)
        else:
            sending.wait(timedelta(minutes=10))
    assert sending.started == sorted(sending.started)
    assert sending.ended.keys() == set(range(1, len(sending.ended) + len(rows) + 1)) - bad
    event("set aside" if any(row.aside for row in rows.values()) else "not yet")


@given(
    count=st.integers(1, 300),
    window=st.integers(1, 16),
    batch=st.sampled_from([1, 1, 4]),
    more=st.lists(st.integers(0, 5), max_size=20),
)
@settings(deadline=None)
def test_whoever_takes_nothing_gets_no_heap_of_attempts(
    count: int, window: int, batch: int, more: list[int]
) -> None:
    sending = Sending(
        a_lane(window=window, batch=batch), {n: waiting(n) for n in range(1, count + 1)}
    )
    requests, down = 0, NOW + 2 * HOUR
    while sending.now < down:
        while sending.claim():
            pass
        if more and not sending.under_way:
            sending.add(more.pop())
        for group in list(sending.under_way):
            sending.answer(group, FAILED)
            requests += 1
        sending.wait(timedelta(minutes=3))
    # 5 s, 30 s, 2, 4, 10, 30 minutes, hourly: each time the oldest, then a few others
    assert requests <= window + 8 + (4 + 8 + 16 + 32 * 4)
    assert not any(row.aside for row in sending.rows.values())
    assert not any("+" in row.batch for row in sending.rows.values() if row.batch)  # none is parted
    sending.add(1)
    order: list[int] = []
    while sending.rows:
        assert sending.now < down + 2 * HOUR
        if not sending.claim():
            sending.wait(timedelta(minutes=3))
        order += [each.id for group in sending.under_way for each in group]
        for group in list(sending.under_way):
            sending.answer(group, TAKEN)
    assert sending.started == sorted(sending.started)
    assert sorted(order[1:]) == order[1:]  # the first may be one of the others
    assert set(sending.ended.values()) == {DeliveryState.DELIVERED}


@given(
    count=st.integers(1, 40),
    window=st.integers(1, 4),
    batch=st.integers(2, 10),
    at_first=st.booleans(),
    data=st.data(),
)
@settings(deadline=None)
def test_a_bad_one_keeps_nobody_of_its_batch(
    count: int, window: int, batch: int, at_first: bool, data: st.DataObject
) -> None:
    rows = {n: waiting(n) for n in range(1, count + 1)}
    bad = data.draw(st.sets(st.integers(1, count), max_size=3))
    sending = Sending(a_lane(window=window, batch=batch), rows)
    while rows.keys() - bad or sending.under_way:
        assert sending.now < NOW + 4 * HOUR
        while sending.claim() and not at_first:
            pass
        for group in list(sending.under_way):
            guilty = bad & {each.id for each in group}
            sending.answer(group, FAILED if guilty else TAKEN)
        sending.wait(timedelta(minutes=1))
        if sending.now < NOW + 3 * HOUR:
            sending.add(1)  # without others nobody can know whose fault it is


@given(window=st.integers(1, 6), batch=st.sampled_from([1, 3]), data=st.data())
def test_who_asks_to_be_left_alone_is_whatever_else_is_answered(
    window: int, batch: int, data: st.DataObject
) -> None:
    """`Sending` holds it at every claim; what is taken or fails meanwhile changes nothing."""
    sending = Sending(a_lane(window=window, batch=batch), {n: waiting(n) for n in range(1, 31)})
    answers = [TAKEN, FAILED, BUSY, REJECTED]
    for _ in range(60):
        if sending.claim() and data.draw(st.booleans()):
            continue
        if sending.under_way:
            group = data.draw(st.sampled_from(sending.under_way))
            sending.answer(group, data.draw(st.sampled_from(answers)))
            sending.now += timedelta(seconds=1)
        else:
            sending.wait(timedelta(seconds=40))


@given(rate=st.sampled_from([0.5, 2.0, 9.0]), batch=st.integers(1, 3), count=st.integers(1, 40))
def test_the_rate_is_kept_over_any_second(rate: float, batch: int, count: int) -> None:
    rows = {n: waiting(n) for n in range(1, count + 1)}
    sending = Sending(a_lane(window=50, batch=batch, rate=rate), rows)
    while rows:
        sending.claim()
        for group in list(sending.under_way):
            sending.answer(group, Delivered("204"))
        sending.now += timedelta(milliseconds=50)
    for start in sending.sent_at:
        within = [each for each in sending.sent_at if start <= each < start + timedelta(seconds=1)]
        assert len(within) <= rate + 1.0
