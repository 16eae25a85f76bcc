"""What the ledger gives a lane to send, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from support.ledgers import HOLD, answer, ask, fill, lane_of, retry, sequences, states, swap, wish
from support.samples import NOW, device, user

from router.domain.timestamps import stamp
from router.lanes.values import Claimed, DeliveryState, Settlement
from router.ledger.database import Database, LedgerUnavailable, Use, open_database
from router.ledger.deliveries import lost_attempts
from router.ports import Reason, Refused

S1, S2 = user(1), user(2)
LATER = timedelta(minutes=5)


@pytest.fixture
def lane(database: Database) -> int:
    return lane_of(database)


def taken(database: Database, lane: int, sends: int = 16, **more: object) -> list[Claimed]:
    """Claim, where each request has one Alert."""
    groups = swap(database, wish(lane, sends, **more)).sends.get(lane, [])  # type: ignore[arg-type]
    return [each for group in groups for each in group]


def numbers(claimed: Sequence[Claimed]) -> list[int]:
    return [each.delivery.alert.sequence for each in claimed]


# --- what goes out --------------------------------------------------------------------------


def test_alerts_go_out_in_sequence_order_within_the_window(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(5)], {S1: [lane]})
    first = taken(database, lane, 3)
    assert numbers(first) == [1, 2, 3]
    assert states(database) == ["sending"] * 3 + ["waiting"] * 2
    busy = frozenset(each.delivery.alert.device_id for each in first)
    assert numbers(taken(database, lane, 3, busy_hubs=busy)) == [4, 5]
    assert taken(database, lane, 3) == []


def test_an_attempt_is_written_before_the_send(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]})
    (claimed,) = taken(database, lane)
    assert ask(database, "SELECT delivery_id, number, at FROM attempts") == [
        (claimed.id, 1, stamp(NOW))
    ]
    assert claimed.delivery.body == claimed.delivery.alert.event()
    assert claimed.expires_at == NOW + HOLD


def test_every_channel_gets_every_alert(database: Database) -> None:
    lanes = [lane_of(database, channel="one"), lane_of(database, channel="two")]
    fill(database, [device(1), device(2)], {S1: lanes})
    sends = swap(database, wish(lanes[0]), wish(lanes[1])).sends
    assert [sequences(sends[number]) for number in lanes] == [[[1], [2]]] * 2
    assert ask(database, "SELECT count(*) FROM alerts") == [(2,)]


def test_never_two_for_one_hub(database: Database, lane: int) -> None:
    fill(database, [device(1), device(2), device(1), device(3)], {S1: [lane]})
    first = taken(database, lane)
    assert numbers(first) == [1, 2]  # and 4 does not overtake 3
    busy = frozenset({device(1)})
    assert taken(database, lane, busy_hubs=busy) == []
    swap(database, settled=[answer(first[0])])
    assert numbers(taken(database, lane, busy_hubs=frozenset({device(2)}))) == [3, 4]


def test_a_lane_that_waits_for_a_hub_is_not_told_to_look_again(
    database: Database, lane: int
) -> None:
    # else the relay would spin until the answer comes: the refused one behind is due already
    fill(database, [device(1), device(1), device(2)], {S1: [lane]})
    first, *_ = taken(database, lane, 1)
    third = ask(database, "SELECT id FROM deliveries WHERE sequence = 3")[0][0]
    refused = Settlement(third, "refused", DeliveryState.WAITING, NOW, 1, due_at=NOW, refusals=1)
    busy = frozenset({first.delivery.alert.device_id})
    exchanged = swap(database, wish(lane, busy_hubs=busy), settled=[refused])
    assert exchanged.sends == {}
    assert exchanged.next_due == {lane: None}


def test_what_failed_goes_before_what_is_new_and_its_time_is_that_of_the_lane(
    database: Database, lane: int
) -> None:
    fill(database, [device(n) for n in range(4)], {S1: [lane]})
    first, second = taken(database, lane, 2)
    again = swap(database, wish(lane), settled=[retry(first), answer(second)])
    assert sequences(again.sends[lane]) == [[1], [3], [4]]
    assert again.sends[lane][0][0].attempt == 2


@pytest.mark.parametrize("tried", [3, 40])
def test_while_the_oldest_rests_another_is_found_wherever_it_stands(
    database: Database, lane: int, tried: int
) -> None:
    fill(database, [device(n) for n in range(tried)], {S1: [lane]})
    failed = taken(database, lane, tried)
    swap(database, settled=[retry(each) for each in failed])
    resting = {"failing": True, "meanwhile": NOW + LATER}
    nobody = swap(database, wish(lane, 1, **resting))
    assert (nobody.sends, nobody.next_due) == ({}, {lane: NOW + LATER})
    fill(database, [device(n) for n in range(50, 60)], {S1: [lane]}, first=tried + 1)
    for number in range(tried + 1, tried + 11):
        assert numbers(taken(database, lane, 1, **resting)) == [number]
    # all have been tried: whoever was tried least, but for the oldest
    later = swap(database, wish(lane, 1, **resting), now=NOW + LATER)
    assert sequences(later.sends[lane]) == [[2]]


def test_what_is_set_aside_fills_no_look(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(30)], {S1: [lane]})
    failed = taken(database, lane, 25)
    aside = [answer(each, DeliveryState.WAITING, due_at=NOW, aside=True) for each in failed]
    swap(database, settled=aside)
    found = swap(database, wish(lane, 4, on_their_own=2)).sends[lane]
    assert sequences(found) == [[1], [2], [26], [27]]
    assert numbers(taken(database, lane, 1, failing=True)) == [28]


def test_a_batch_that_is_set_aside_goes_whole_when_one_of_it_is_retried(
    database: Database, lane: int
) -> None:
    fill(database, [device(n) for n in range(3)], {S1: [lane]})
    (group,) = swap(database, wish(lane, 1, batch=3)).sends[lane]
    due = [
        answer(each, DeliveryState.WAITING, due_at=NOW + LATER * place, aside=True)
        for place, each in enumerate(group)
    ]
    again = swap(database, wish(lane, 4, batch=10), settled=due).sends[lane]
    assert sequences(again) == [[1, 2, 3]]


def test_a_failing_lane_sends_the_oldest_alone(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(4)], {S1: [lane]})
    assert numbers(taken(database, lane, failing=True)) == [1]
    assert sequences(swap(database, wish(lane, batch=10, failing=True), now=NOW).sends[lane]) == [
        [2]
    ]


def test_others_pass_an_alert_that_was_refused(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(3)], {S1: [lane]})
    (first,) = taken(database, lane, 1)
    refused = retry(first, outcome="refused", refusals=1)
    exchanged = swap(database, wish(lane, 1), settled=[refused])
    assert sequences(exchanged.sends[lane]) == [[2]]
    due = swap(database, wish(lane), now=NOW + LATER).sends[lane]
    assert sequences(due) == [[1], [3]]
    assert due[0][0].refusals == 1


def test_when_only_refused_ones_wait_it_says_when_they_are_due(
    database: Database, lane: int
) -> None:
    fill(database, [device(1), device(2)], {S1: [lane]})
    first, second = taken(database, lane)
    refused = [
        retry(first, refusals=1),
        answer(second, DeliveryState.WAITING, due_at=NOW + 2 * LATER, refusals=2),
    ]
    assert swap(database, wish(lane), settled=refused).next_due[lane] == NOW + LATER


def test_what_is_settled_never_comes_again(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(3)], {S1: [lane]})
    first, second, third = taken(database, lane)
    settled = [
        answer(first),
        answer(second, DeliveryState.PARKED),
        answer(third, DeliveryState.WITHDRAWN),
    ]
    exchanged = swap(database, wish(lane), settled=settled, now=NOW + timedelta(days=9))
    assert (exchanged.sends, exchanged.next_due) == ({}, {lane: None})
    assert states(database) == ["delivered", "parked", "withdrawn"]


# --- batches --------------------------------------------------------------------------------


def test_fresh_alerts_go_together(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(7)], {S1: [lane]})
    sends = swap(database, wish(lane, 2, batch=3)).sends[lane]
    assert sequences(sends) == [[1, 2, 3], [4, 5, 6]]
    assert [len({each.batch for each in group}) for group in sends] == [1, 1]
    assert sends[0][0].batch != sends[1][0].batch
    assert ask(database, "SELECT count(DISTINCT batch), count(*) FROM attempts") == [(2, 6)]


def test_a_batch_that_failed_goes_again_with_the_same_members(
    database: Database, lane: int
) -> None:
    fill(database, [device(n) for n in range(3)], {S1: [lane]})
    (group,) = swap(database, wish(lane, 1, batch=3)).sends[lane]
    fill(database, [device(9)], {S1: [lane]}, first=4)
    # each with a moment of its own: they were jittered one by one
    due = [
        answer(each, DeliveryState.WAITING, due_at=NOW + LATER * (place + 1))
        for place, each in enumerate(group)
    ]
    again = swap(database, wish(lane, 4, batch=10), settled=due).sends[lane]
    assert sequences(again) == [[1, 2, 3], [4]]
    assert {each.batch for each in again[0]} == {group[0].batch}
    assert {each.attempt for each in again[0]} == {2}


def test_a_batch_goes_whole_though_the_rate_allows_less(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(5)], {S1: [lane]})
    (group,) = swap(database, wish(lane, 1, batch=5)).sends[lane]
    settled = [answer_due(each) for each in group]
    again = swap(database, wish(lane, 1, batch=2, most=5), settled=settled)
    assert sequences(again.sends[lane]) == [[1, 2, 3, 4, 5]]


def answer_due(each: Claimed) -> Settlement:
    """Failed, and due again at once."""
    return answer(each, DeliveryState.WAITING, due_at=NOW)


def test_a_lone_alert_is_a_batch_of_one_where_batches_are_known(
    database: Database, lane: int
) -> None:
    other = lane_of(database, S2)
    fill(database, [device(1)], {S1: [lane], S2: [other]})
    sends = swap(database, wish(lane, 1, batch=3), wish(other, 1)).sends
    ((first,),), ((second,),) = sends[lane], sends[other]
    assert first.batch == first.delivery.batch is not None
    assert second.batch is second.delivery.batch is None


def test_no_batch_has_two_for_one_hub(database: Database, lane: int) -> None:
    fill(database, [device(1), device(2), device(1), device(3)], {S1: [lane]})
    sends = swap(database, wish(lane, 4, batch=10)).sends[lane]
    assert sequences(sends) == [[1, 2]]


# --- bytes ----------------------------------------------------------------------------------


def test_bytes_are_made_once_and_stored_before_the_send(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]})
    made: list[bytes] = []

    def render(alert: object) -> bytes:
        made.append(b"signed %d" % len(made))
        return made[-1]

    (first,) = taken(database, lane, render=render)
    assert ask(database, "SELECT rendered FROM deliveries") == [(b"signed 0",)]
    swap(database, settled=[retry(first)])
    (group,) = swap(database, wish(lane, render=render), now=NOW + LATER).sends[lane]
    assert first.delivery.body == group[0].delivery.body == b"signed 0"
    assert made == [b"signed 0"]


def test_what_could_not_be_rendered_has_its_attempt_and_no_bytes(
    database: Database, lane: int
) -> None:
    fill(database, [device(1)], {S1: [lane]})
    why = Refused(Reason.REJECTED, "can't be written")
    (first,) = taken(database, lane, render=lambda _alert: why)
    assert first.unrendered is why
    assert ask(database, "SELECT rendered FROM deliveries") == [(None,)]
    assert ask(database, "SELECT count(*) FROM attempts") == [(1,)]
    swap(database, settled=[retry(first)])
    mended = wish(lane, render=lambda _alert: b"signed")
    (group,) = swap(database, mended, now=NOW + LATER).sends[lane]
    assert (group[0].unrendered, group[0].delivery.body) == (None, b"signed")


# --- the end of waiting ---------------------------------------------------------------------


def test_what_was_never_tried_is_tried_even_when_its_time_is_up(
    database: Database, lane: int
) -> None:
    fill(database, [device(1)], {S1: [lane]})
    late = NOW + HOLD + LATER  # the router was down for so long
    (group,) = swap(database, wish(lane), now=late).sends[lane]
    settled = [answer(group[0], DeliveryState.WAITING, due_at=late)]
    exchanged = swap(database, wish(lane), settled=settled, now=late)
    assert exchanged.sends == {}
    assert [(each.state, each.reason) for each in exchanged.ended[lane]] == [
        (DeliveryState.PARKED, "expired")
    ]
    assert states(database) == ["parked"]
    assert ask(database, "SELECT attempt, outcome FROM outcomes ORDER BY id") == [
        (1, "waiting"),
        (None, "parked"),
    ]


def test_what_was_never_tried_is_parked_at_once_where_sends_have_failed(
    database: Database, lane: int
) -> None:
    fill(database, [device(1), device(2)], {S1: [lane]})
    exchanged = swap(database, wish(lane, hopeless=True), now=NOW + HOLD + LATER)
    assert exchanged.sends == {}
    assert states(database) == ["parked", "parked"]
    assert ask(database, "SELECT count(*) FROM attempts") == [(0,)]


def test_it_is_parked_at_its_hour_and_not_before(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]})
    (first,) = taken(database, lane)
    due = answer(first, DeliveryState.WAITING, due_at=NOW + HOLD, aside=True)
    swap(database, settled=[due])
    before = swap(database, wish(lane), now=NOW + HOLD - timedelta(microseconds=1))
    assert (before.ended, before.next_due) == ({}, {lane: NOW + HOLD})
    assert swap(database, wish(lane), now=NOW + HOLD).ended[lane][0].state is DeliveryState.PARKED


def test_a_parked_alert_lets_the_next_go(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]}, hold=LATER)
    (first,) = taken(database, lane)
    fill(database, [device(2)], {S1: [lane]}, first=2)
    exchanged = swap(database, wish(lane), settled=[retry(first)], now=NOW + LATER)
    assert len(exchanged.ended[lane]) == 1
    assert sequences(exchanged.sends[lane]) == [[2]]


# --- after a crash --------------------------------------------------------------------------


def test_what_was_being_sent_when_the_router_died_is_unknown_and_goes_first(
    database: Database, lane: int
) -> None:
    fill(database, [device(n) for n in range(3)], {S1: [lane]})
    first, second = taken(database, lane, 2)
    swap(database, settled=[answer(first)])
    assert lost_attempts(database, NOW + LATER) == 1
    assert states(database) == ["delivered", "unknown", "waiting"]
    assert ask(database, "SELECT attempt, outcome, reason FROM outcomes WHERE reason NOTNULL") == [
        (1, "unknown", "crash")
    ]
    again = swap(database, wish(lane), now=NOW + LATER).sends[lane]
    assert sequences(again) == [[2], [3]]
    assert again[0][0].attempt == 2
    assert again[0][0].delivery == second.delivery
    assert lost_attempts(database, NOW + LATER) == 2


def test_a_batch_survives_a_crash_whole(database: Database, lane: int) -> None:
    fill(database, [device(n) for n in range(5)], {S1: [lane]})
    swap(database, wish(lane, 1, batch=3))
    lost_attempts(database, NOW)
    sends = swap(database, wish(lane, 4, batch=10)).sends[lane]
    assert sequences(sends) == [[1, 2, 3], [4, 5]]


def test_refusals_survive_a_crash(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]})
    (first,) = taken(database, lane)
    swap(database, settled=[retry(first, refusals=2)])
    swap(database, wish(lane), now=NOW + LATER)
    lost_attempts(database, NOW + LATER)
    (group,) = swap(database, wish(lane), now=NOW + LATER).sends[lane]
    assert group[0].refusals == 2


def test_a_ledger_that_another_program_holds_is_unavailable_and_nothing_is_lost(
    database: Database, lane: int
) -> None:
    fill(database, [device(1)], {S1: [lane]})
    impatient = open_database(database.url, Use.CHANGE, busy_seconds=0.01)
    try:
        with database.transaction(), pytest.raises(LedgerUnavailable, match="locked"):
            swap(impatient, wish(lane))
        assert sequences(swap(impatient, wish(lane)).sends[lane]) == [[1]]
    finally:
        impatient.close()
