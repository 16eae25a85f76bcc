"""What a lane sends next, whatever comes back: held by random runs without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import event, given
from hypothesis import strategies as st
from support.lanemaking import FAILED, REJECTED, a_lane
from support.samples import ALERT, NOW, device, user

from router.domain.timestamps import moment, stamp
from router.lanes.lane import Lane
from router.lanes.picking import Picked, WaitingDelivery, pick, pick_new
from router.lanes.values import Claimed, DeliveryState, Settlement, Wish
from router.ports import Delivered, Delivery, Outcome

HOUR = timedelta(hours=1)


def waiting(number: int, **more: object) -> WaitingDelivery:
    """A delivery that was never sent, due now, of a hub of its own."""
    usual = WaitingDelivery(
        id=number,
        sequence=number,
        attempts=0,
        refusals=0,
        due_at=stamp(NOW),
        expires_at=stamp(NOW + 48 * HOUR),
        batch=None,
        sent=False,
        sent_by=None,
        recheck=False,
        rendered=None,
        event=b"{}",
        device_id=device(number),
        service_user_id=user(1),
        received_at=stamp(NOW),
    )
    return usual._replace(**more)


def wish(sends: int = 16, *, batch: int = 1, **more: object) -> Wish:
    usual = {"most": batch, "busy_hubs": frozenset(), "failing": False, "hopeless": False}
    wished = {**usual, "adapter": "test", "render": None, **more}
    return Wish(1, sends, batch, **wished)  # type: ignore[arg-type]


def numbers(picked: Picked) -> list[list[int]]:
    return [[each.sequence for each in request] for request in picked.requests]


@given(
    st.lists(st.integers(1, 6), max_size=30),
    st.sets(st.integers(1, 6)),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_what_is_new_goes_as_if_it_had_waited(
    hubs: list[int], busy: set[int], sends: int, batch: int
) -> None:
    """The relay's own look, a moment later, would have taken the same."""
    asked = wish(sends, batch=batch, busy_hubs=frozenset(device(number) for number in busy))
    rows = [waiting(place + 1, device_id=device(number)) for place, number in enumerate(hubs)]
    picked = pick(rows[: sends * batch], asked, NOW).requests
    assert pick_new([(each.device_id, each) for each in rows], asked) == picked


def test_what_waits_goes_in_the_order_of_its_sequence() -> None:
    rows = [waiting(number) for number in range(1, 6)]
    assert numbers(pick(rows, wish(3), NOW)) == [[1], [2], [3]]
    assert numbers(pick(rows, wish(2, batch=2), NOW)) == [[1, 2], [3, 4]]


def test_nothing_passes_one_that_must_wait() -> None:
    later = NOW + HOUR
    rows = [waiting(1), waiting(2, due_at=stamp(later), attempts=1), waiting(3)]
    picked = pick(rows, wish(), NOW)
    assert (numbers(picked), picked.next_due) == ([[1]], later)


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


# --- whole lives of lanes -------------------------------------------------------------------


@dataclass
class Sending:
    """One lane with what waits on it, kept in lists: what the ledger and the relay do to it."""

    lane: Lane
    rows: dict[int, WaitingDelivery]
    now: datetime = NOW
    started: list[int] = field(default_factory=list)
    """Sequences in the order of their first sends."""
    sent_at: list[datetime] = field(default_factory=list)
    """The moment of each Alert's send."""
    under_way: list[Sequence[Claimed]] = field(default_factory=list)
    ended: dict[int, DeliveryState] = field(default_factory=dict)

    def claim(self) -> bool:
        """What the lane starts now; whether anything."""
        asked = self.lane.wish(self.now, (self.now - NOW).total_seconds())
        if asked is None:
            return False
        busy = {each.id for group in self.under_way for each in group}
        refused = [each.id for each in self.rows.values() if each.on_its_own]
        ready = [
            each
            for each in sorted(self.rows.values(), key=lambda each: each.sequence)
            if each.id not in busy and (each.id not in refused or each.due_at <= stamp(self.now))
        ][: max(asked.sends * asked.most, asked.span if asked.failing else 0)]
        picked = pick(ready, asked, self.now)
        self.lane.ready = False
        for settled in picked.ended:
            self.settle(settled)
        requests = [self._claimed(request) for request in picked.requests]
        self.hold(asked, picked, requests)
        due = [moment(self.rows[number].due_at) for number in refused if number in self.rows]
        self.lane.took(requests, picked.next_due or min(due, default=None))
        self.under_way += requests
        return bool(requests)

    def hold(self, asked: Wish, picked: Picked, requests: Sequence[Sequence[Claimed]]) -> None:
        """What must be true of every claim."""
        flying = [*self.under_way, *requests]
        hubs = [each.delivery.alert.device_id for group in flying for each in group]
        assert len(hubs) == len(set(hubs))
        assert len(flying) <= self.lane.channel.window
        assert all(len(group) <= asked.most for group in requests)
        if asked.failing:
            assert len(flying) <= 1
        fresh = [row for request in picked.requests for row in request if row.attempts == 0]
        self.started += [row.sequence for row in fresh]
        self.sent_at += [self.now for group in requests for _ in group]

    def _claimed(self, request: Sequence[WaitingDelivery]) -> list[Claimed]:
        first = request[0]
        batch = first.batch if first.sent or self.lane.batch == 1 else str(first.id)
        group = []
        for row in request:
            self.rows[row.id] = row._replace(attempts=row.attempts + 1, batch=batch, sent=True)
            delivery = Delivery(
                replace(ALERT, device_id=row.device_id, sequence=row.sequence), row.event
            )
            expires = moment(row.expires_at)
            group.append(
                Claimed(
                    row.id,
                    1,
                    delivery,
                    NOW,
                    row.attempts + 1,
                    row.refusals,
                    expires,
                    batch,
                    row.aside,
                )
            )
        return group

    def settle(self, settled: Settlement) -> None:
        """Write what became of one."""
        row = self.rows[settled.id]
        if settled.state is DeliveryState.WAITING:
            due = stamp(settled.due_at) if settled.due_at else row.due_at
            self.rows[row.id] = row._replace(
                due_at=due,
                refusals=settled.refusals,
                batch=settled.batch,
                aside=settled.aside,
            )
        else:
            assert row.id not in self.ended
            self.ended[row.sequence] = settled.state
            del self.rows[row.id]

    def answer(self, group: Sequence[Claimed], outcome: Outcome) -> None:
        """The other side answers one request as a whole."""
        self.under_way.remove(group)
        for settled in self.lane.answered(group, [outcome] * len(group), self.now):
            self.settle(settled)


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


@given(
    count=st.integers(3, 40),
    window=st.integers(2, 16),
    batch=st.sampled_from([1, 1, 4]),
    data=st.data(),
)
def test_one_that_always_fails_holds_nobody_up(
    count: int, window: int, batch: int, data: st.DataObject
) -> None:
    rows = {n: waiting(n) for n in range(1, count + 1)}
    poison = data.draw(st.integers(1, count))
    sending = Sending(a_lane(window=window, batch=batch), rows)
    mates = {poison}
    while rows.keys() - mates or sending.under_way:
        assert sending.now < NOW + HOUR
        sending.claim()
        if not sending.under_way:
            sending.now += timedelta(seconds=10)
            continue
        group = data.draw(st.sampled_from(sending.under_way))
        ids = {each.id for each in group}
        if poison in ids:  # 500 says nothing of which of a batch it is: those go with it
            mates = ids
        sending.answer(group, FAILED if poison in ids else Delivered("204"))
    assert sending.ended.keys() == set(range(1, count + 1)) - mates
    event("set aside" if rows[poison].aside else "not yet")


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
