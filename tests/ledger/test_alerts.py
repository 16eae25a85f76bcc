"""What operators do to Alerts, and what the relay makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support.ledgers import (
    HOLD,
    answer,
    ask,
    fill,
    lane_of,
    made,
    retry,
    sequences,
    states,
    swap,
    wish,
)
from support.samples import NOW, device, user

from router.errors import UsageError
from router.lanes.values import DeliveryState, LaneChange, Settlement
from router.ledger.actions import Operator
from router.ledger.alerts import (
    Reached,
    look_ahead,
    resend,
    resendable,
    withdraw,
    withdrawable,
)
from router.ledger.alerts import (
    retry as retry_alerts,
)
from router.ledger.database import Database
from router.ledger.deliveries import settle
from router.ledger.lanes import change_lane
from router.ledger.pauses import pause_lanes
from router.ledger.queries.lists import list_alerts
from router.ledger.queries.wanted import Filter
from router.ledger.recorder import ROUTER, Recorder

ANN = Operator("ann", NOW + timedelta(minutes=1))
DEVICES = [device(number) for number in range(1, 7)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = made(tmp_path)
    yield found
    found.close()


def filled(database: Database, lane: int | None = None) -> int:
    """Six Alerts wait for one user; gives the lane."""
    lane = lane or lane_of(database)
    fill(database, DEVICES, {user(1): [lane]})
    return lane


def deliver(database: Database, lane: int, sends: int = 16) -> Sequence[bytes]:
    """Send what waits, as the relay would; gives the bytes."""
    sent = swap(database, wish(lane, sends)).sends.get(lane, [])
    swap(database, settled=[answer(each) for group in sent for each in group])
    return [each.delivery.body for group in sent for each in group]


def ends(database: Database) -> list[tuple[str, str, str]]:
    question = "SELECT outcome, reason, detail FROM outcomes WHERE attempt IS NULL ORDER BY id"
    return [(row[0], row[1], row[2]) for row in ask(database, question)]


def test_what_waits_is_taken_back_and_never_claimed(database: Database) -> None:
    lane = filled(database)
    assert withdraw(database, Filter(hub=DEVICES[1]), ANN, reason="wrong rule") == Reached(1)
    taken = swap(database, wish(lane, 16)).sends[lane]
    assert sequences(taken) == [[1], [3], [4], [5], [6]]
    assert ends(database) == [("withdrawn", "operator", "by ann: wrong rule")]
    ((action, detail),) = ask(database, "SELECT action, detail FROM actions")
    told = json.loads(detail)
    assert action == "alerts withdraw"
    assert (told["hub"], told["reason"], told["deliveries"]) == (DEVICES[1], "wrong rule", 1)
    assert told["lanes"] == {f"{user(1)}/main": 1}


def test_a_withdrawn_number_is_given_to_no_other_and_holds_up_no_window(database: Database) -> None:
    lane = filled(database)
    first = swap(database, wish(lane, 1)).sends[lane]
    assert sequences(first) == [[1]]
    withdraw(database, Filter(), ANN)
    fill(database, [device(9)], {user(1): [lane]}, first=9)
    assert [row.sequence for row in list_alerts(database, Filter(), limit=9)] == [
        7,
        6,
        5,
        4,
        3,
        2,
        1,
    ]
    # 1 is under way, and 7 further ahead than a window of two: it goes when 1 is answered
    assert lane not in swap(database, wish(lane, 2, span=2, oldest=1)).sends
    swap(database, settled=[answer(first[0][0])])
    assert sequences(swap(database, wish(lane, 2, span=2)).sends[lane]) == [[7]]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(DeliveryState.DELIVERED, "delivered"), (DeliveryState.WAITING, "withdrawn")],
)
def test_one_that_is_under_way_counts_as_received_only_if_it_was(
    database: Database, state: DeliveryState, outcome: str
) -> None:
    lane = filled(database)
    ((flying,),) = swap(database, wish(lane, 1)).sends[lane]
    assert withdraw(database, Filter(hub=DEVICES[0]), ANN) == Reached(1, 1)
    assert ends(database)[0][2] == "by ann; it was under way, and may have been received"
    swap(database, settled=[answer(flying) if state == "delivered" else retry(flying)])
    assert states(database)[0] == outcome
    assert sequences(swap(database, wish(lane, 1)).sends[lane]) == [[2]]


def test_what_is_parked_or_held_is_taken_back_too(database: Database) -> None:
    lane = filled(database)
    ((flying,),) = swap(database, wish(lane, 1)).sends[lane]
    swap(database, settled=[answer(flying, DeliveryState.PARKED)])
    pause_lanes(database, user(1), None, ANN)
    assert withdraw(database, Filter(state=DeliveryState.PARKED), ANN) == Reached(1)
    assert withdraw(database, Filter(state=DeliveryState.HELD), ANN) == Reached(5)
    assert set(states(database)) == {"withdrawn"}


def test_what_is_delivered_cannot_be_taken_back(database: Database) -> None:
    deliver(database, filled(database))
    assert withdraw(database, Filter(), ANN) == Reached()
    with pytest.raises(UsageError, match="what is delivered can't be withdrawn"):
        withdrawable(Filter(state=DeliveryState.DELIVERED))
    assert ask(database, "SELECT * FROM actions") == []


def test_what_is_sent_again_has_the_same_bytes_and_keeps_its_attempts(database: Database) -> None:
    lane = filled(database)
    first = deliver(database, lane)
    hold = {(user(1), "main"): HOLD}
    later = Operator("ann", NOW + timedelta(days=3))
    assert resend(database, Filter(), later, hold=hold, reason="lost") == 6
    found = swap(database, wish(lane), now=later.now).sends[lane]
    assert [each.delivery.body for group in found for each in group] == list(first)
    assert {each.attempt for group in found for each in group} == {2}
    assert all(each.again for group in found for each in group)
    assert {each.expires_at for group in found for each in group} == {later.now + HOLD}
    ((action, detail),) = ask(database, "SELECT action, detail FROM actions")
    assert (action, json.loads(detail)["reason"]) == ("alerts resend", "lost")


def test_bytes_that_were_rendered_are_sent_again_as_they_are_stored(database: Database) -> None:
    lane = filled(database)
    made_once = iter(range(100))
    render = wish(lane, render=lambda alert: f"{alert.sequence} {next(made_once)}".encode())
    sent = swap(database, render).sends[lane]
    swap(database, settled=[answer(each) for group in sent for each in group])
    resend(database, Filter(), ANN, hold={})
    again = swap(database, render, now=ANN.now).sends[lane]
    bodies = [[each.delivery.body for group in found for each in group] for found in (sent, again)]
    assert bodies[0] == bodies[1]


def test_a_resend_that_is_taken_back_was_delivered_all_the_same(database: Database) -> None:
    lane = filled(database)
    deliver(database, lane)
    resend(database, Filter(hub=DEVICES[0]), ANN, hold={})
    assert states(database)[0] == "waiting"
    assert withdraw(database, Filter(), ANN) == Reached(1)
    assert set(states(database)) == {"delivered"}
    assert lane not in swap(database, wish(lane)).sends


def test_a_withdrawal_by_mistake_is_undone_but_not_what_was_withdrawn_by_itself(
    database: Database,
) -> None:
    lane = filled(database)
    withdraw(database, Filter(hub=DEVICES[0]), ANN)
    with database.transaction() as connection:  # as the relay does for who is not responsible
        recorder = Recorder(connection, ROUTER, 0)
        gone = DeliveryState.WITHDRAWN
        settle(connection, recorder, [Settlement(2, gone, gone, NOW, reason="not_responsible")])
        recorder.write()
    wanted = Filter(state=DeliveryState.WITHDRAWN)
    assert look_ahead(database, wanted, resendable(wanted)).deliveries == 1
    assert resend(database, wanted, ANN, hold={}) == 1
    assert states(database)[:2] == ["waiting", "withdrawn"]
    assert sequences(swap(database, wish(lane, 1), now=ANN.now).sends[lane]) == [[1]]


def test_looking_ahead_counts_what_would_really_be_sent(database: Database) -> None:
    lane = filled(database)
    other = lane_of(database, user(2))
    fill(database, [device(8)], {user(2): [other]}, first=8)
    pause_lanes(database, user(2), None, ANN)
    lost = {(DEVICES[0], user(1))}
    states_ = (DeliveryState.WAITING, DeliveryState.HELD)
    found = look_ahead(database, Filter(), states_, lambda _known, _pairs: lost)
    assert (found.deliveries, found.held, found.gone, found.sends) == (7, 1, 1, 5)
    assert len(found.first) == 5
    assert lane


FILTERS = [
    (Filter(user=user(2)), []),
    (Filter(user=user(1)), [1, 2, 3, 4, 5, 6]),
    (Filter(hub=DEVICES[2]), [3]),
    (Filter(channel="main"), [1, 2, 3, 4, 5, 6]),
    (Filter(channel="other"), []),
    (Filter(version="01020304"), []),
    (Filter(rule="tell"), [1, 2, 3, 4, 5, 6]),
    (Filter(rule="tel"), []),
    (Filter(rules_digest="aaaa"), [1, 2, 3, 4, 5, 6]),
    (Filter(rules_digest="aaab"), []),
    (Filter(rule="tell", rules_digest="a" * 64, hub=DEVICES[0]), [1]),
    (Filter(answer="server"), [1]),
    (Filter(answer="timeout"), []),
    (Filter(since=NOW), [1, 2, 3, 4, 5, 6]),
    (Filter(since=NOW + timedelta(seconds=1)), []),
    (Filter(until=NOW), []),
    (Filter(until=NOW + timedelta(seconds=1), since=NOW), [1, 2, 3, 4, 5, 6]),
    (Filter(ids=()), []),
]


@pytest.mark.parametrize(("wanted", "found"), FILTERS, ids=str)
def test_filters_say_which_are_meant(database: Database, wanted: Filter, found: list[int]) -> None:
    lane = filled(database)
    ((flying,),) = swap(database, wish(lane, 1)).sends[lane]
    swap(database, settled=[retry(flying, reason="server")])
    listed = sorted(row.sequence for row in list_alerts(database, wanted, limit=99))
    assert listed == found
    assert retry_alerts(database, wanted, ANN, hold={}) == len(found)


def test_alerts_are_named_by_id(database: Database) -> None:
    filled(database)
    ids = [row.id for row in list_alerts(database, Filter(), limit=2)]
    assert withdraw(database, Filter(ids=ids), ANN).deliveries == 2
    assert states(database) == ["waiting"] * 4 + ["withdrawn"] * 2


def test_times_hold_though_the_clock_was_set_back(database: Database) -> None:
    lane = lane_of(database)
    hours = [0, 1, 2, -5, -4, 3, 4]
    for number, hour in enumerate(hours, 1):
        fill(
            database,
            [device(number)],
            {user(1): [lane]},
            at=NOW + timedelta(hours=hour),
            first=number,
        )
    for since in range(-6, 6):
        wanted = Filter(since=NOW + timedelta(hours=since), until=NOW + timedelta(hours=since + 2))
        found = {row.sequence for row in list_alerts(database, wanted, limit=99)}
        assert found == {n for n, hour in enumerate(hours, 1) if since <= hour < since + 2}


def test_what_a_closed_lane_opens_with_is_read_again_but_for_what_was_delivered(
    database: Database,
) -> None:
    lane = filled(database)
    deliver(database, lane)
    resend(database, Filter(hub=DEVICES[0]), ANN, hold={})
    pause_lanes(database, user(1), None, ANN)
    with database.transaction() as connection:
        change_lane(connection, LaneChange(lane, None, "", ANN.now))
    ((found,),) = swap(database, wish(lane), now=ANN.now).sends[lane]
    assert found.again


def test_an_answer_that_comes_late_does_not_keep_a_withdrawal_from_being_undone(
    database: Database,
) -> None:
    lane = filled(database)
    ((flying,),) = swap(database, wish(lane, 1)).sends[lane]
    withdraw(database, Filter(hub=DEVICES[0]), ANN)
    swap(database, settled=[retry(flying)])
    wanted = Filter(state=DeliveryState.WITHDRAWN)
    assert look_ahead(database, wanted, resendable(wanted)).deliveries == 1
    assert resend(database, wanted, ANN, hold={}) == 1
    assert states(database)[0] == "waiting"


def test_what_was_delivered_once_goes_again_though_it_is_retried_meanwhile(
    database: Database,
) -> None:
    lane = filled(database)
    deliver(database, lane)
    resend(database, Filter(hub=DEVICES[0]), ANN, hold={})
    assert retry_alerts(database, Filter(), ANN, hold={}) == 1
    ((found,),) = swap(database, wish(lane), now=ANN.now).sends[lane]
    assert found.again
