"""What waits on one lane goes to another of its user: by the router itself, and by an operator."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ledgers import (
    HOLD,
    answer,
    ask,
    fill,
    fitted,
    lane_of,
    made,
    retry,
    sequences,
    states,
    swap,
    wish,
)
from support.samples import NOW, device, user

from router.domain.timestamps import stamp
from router.errors import UsageError
from router.lanes.picking import HAD_IT
from router.lanes.values import ClosedReason, DeliveryState, LaneChange, LaneKey
from router.ledger.actions import Operator
from router.ledger.alerts import retry as retry_alerts
from router.ledger.database import Database, Use, open_database
from router.ledger.deliveries import lost_attempts
from router.ledger.moves import LaneMoved, move_lane
from router.ledger.pauses import pause_lanes
from router.ledger.queries.wanted import Filter
from router.ledger.recorder import changes

S1, S2 = user(1), user(2)
A, B, C = (S1, "a"), (S1, "b"), (S1, "c")
HOUR = timedelta(hours=1)
ENDS = (DeliveryState.DELIVERED, DeliveryState.PARKED, DeliveryState.WITHDRAWN)
ANN = Operator("ann", NOW + HOUR)


def on(database: Database, channel: str) -> list[int]:
    """The sequences of what is on this lane and not settled, in order."""
    return [
        row[0]
        for row in ask(
            database,
            "SELECT sequence FROM deliveries JOIN lanes ON lanes.id = lane_id"
            f" WHERE channel = '{channel}'"
            " AND state IN ('waiting', 'sending', 'unknown') ORDER BY sequence",
        )
    ]


def acted(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    rows = ask(database, "SELECT operator, action, detail FROM actions ORDER BY id")
    return [(who, what, json.loads(detail)) for who, what, detail in rows]


def adapters(*channels: LaneKey) -> dict[LaneKey, str]:
    return dict.fromkeys(channels, "test")


def filled(database: Database, count: int = 5, **more: Any) -> int:
    """Alerts that wait on lane a; gives its number."""
    number = fitted(database, adapters(A))[A].id
    fill(database, [device(n) for n in range(1, count + 1)], {S1: [number]}, **more)
    return number


# --- one for one ----------------------------------------------------------------------------


def test_what_waits_goes_along_in_order(database: Database) -> None:
    old = filled(database)
    ((first,), _) = swap(database, wish(old, 2)).sends[old]
    swap(database, settled=[retry(first)])
    rows = fitted(database, {B: "another"}, NOW + HOUR)
    took = rows[B].took_over
    assert took is not None
    assert (took.lane_id, took.channel, took.deliveries, took.paused) == (old, "a", 5, False)
    assert (rows[B].waiting, rows[A].waiting, rows[A].named) == (5, 0, False)
    assert rows[B].failing  # the oldest goes alone first
    assert fitted(database, {B: "another"})[B].took_over is None  # that was it
    new = wish(rows[B].id, adapter="another")
    sends = swap(database, new, now=NOW + HOUR).sends[rows[B].id]
    # 2 is under way; what waited for its schedule does so no more
    assert sequences(sends) == [[1], [3], [4], [5]]
    assert sends[0][0].attempt == 2
    assert acted(database) == [
        (
            "router",
            "lanes move",
            {
                "trigger": "start",
                "user": S1,
                "from": "a",
                "to": "b",
                "deliveries": 5,
                "paused": False,
            },
        )
    ]


def test_what_is_under_way_is_never_sent_twice_at_once(database: Database) -> None:
    old = filled(database, 1)
    ((flying,),) = swap(database, wish(old)).sends[old]
    new = fitted(database, adapters(B))[B].id
    assert swap(database, wish(new)).sends == {}
    again = swap(database, wish(new), settled=[retry(flying, due_at=NOW)]).sends[new]
    assert sequences(again) == [[1]]
    assert again[0][0].attempt == 2


def test_what_was_under_way_when_the_router_died_goes_along(database: Database) -> None:
    old = filled(database, 3)
    swap(database, wish(old, 2))
    new = fitted(database, adapters(B))[B].id
    assert lost_attempts(database, NOW) == 2
    assert sequences(swap(database, wish(new)).sends[new]) == [[1], [2], [3]]


def test_only_what_waits_goes_along(database: Database) -> None:
    old = filled(database, 4)
    group = [each for (each,) in swap(database, wish(old, 3)).sends[old]]
    ended = [answer(each, state) for each, state in zip(group, ENDS, strict=True)]
    swap(database, settled=ended)
    fitted(database, adapters(B))
    assert on(database, "b") == [4]
    question = "SELECT state FROM deliveries JOIN lanes ON lanes.id = lane_id WHERE channel = 'a'"
    assert [row[0] for row in ask(database, question)] == ["delivered", "parked", "withdrawn"]


def test_time_behind_a_closed_lane_is_given_back_once(database: Database) -> None:
    old = filled(database, 1)
    swap(database, changes=[LaneChange(old, ClosedReason.ENDPOINT, "404", NOW + HOUR)])
    new = fitted(database, adapters(B), NOW + 10 * HOUR)[B].id
    swap(database, changes=[LaneChange(new, None, "", NOW + 11 * HOUR)])
    ((expires, due, recheck),) = ask(database, "SELECT expires_at, due_at, recheck FROM deliveries")
    assert expires == stamp(NOW + HOLD + 9 * HOUR)
    assert (due, recheck) == (stamp(NOW + 10 * HOUR), 1)


def test_time_on_an_open_lane_is_spent(database: Database) -> None:
    filled(database, 1)
    fitted(database, adapters(B), NOW + 10 * HOUR)
    assert ask(database, "SELECT expires_at FROM deliveries") == [(stamp(NOW + HOLD),)]


def test_the_way_back_is_a_way_like_any_other(database: Database) -> None:
    old = filled(database, 3)
    fitted(database, adapters(B), NOW + HOUR)
    swap(database, changes=[LaneChange(old, ClosedReason.USER_REMOVED, "", NOW + HOUR)])
    rows = fitted(database, adapters(A), NOW + 20 * HOUR)
    assert (rows[A].id, rows[A].waiting, rows[B].waiting) == (old, 3, 0)
    swap(database, changes=[LaneChange(old, None, "", NOW + 20 * HOUR)])
    assert ask(database, "SELECT DISTINCT expires_at FROM deliveries") == [(stamp(NOW + HOLD),)]
    sends = swap(database, wish(old), now=NOW + 20 * HOUR).sends[old]
    assert sequences(sends) == [[1], [2], [3]]


def test_a_pause_goes_along(database: Database) -> None:
    filled(database, 2)
    pause_lanes(database, S1, None, ANN)
    rows = fitted(database, adapters(B), NOW + 2 * HOUR)
    took = rows[B].took_over
    assert took is not None
    assert took.paused
    closed = "SELECT channel, closed, closed_detail FROM lanes ORDER BY id"
    assert ask(database, closed) == [
        ("a", "user_removed", "paused by ann"),
        ("b", "operator", "paused by ann"),
    ]
    assert ask(database, "SELECT DISTINCT expires_at FROM deliveries") == [
        (stamp(NOW + HOLD + HOUR),)
    ]


@pytest.mark.parametrize(
    ("before", "after"), [([A, B], [C]), ([A], [B, C]), ([A, B], [B]), ([A], [(S2, "b")])]
)
def test_what_is_not_one_for_one_stays(
    database: Database, before: list[LaneKey], after: list[LaneKey]
) -> None:
    numbers = [row.id for row in fitted(database, adapters(*before)).values()]
    fill(database, [device(1), device(2)], {S1: numbers})
    rows = fitted(database, adapters(*after))
    assert [row.took_over for row in rows.values()] == [None] * len(rows)
    assert on(database, "a") == [1, 2]
    assert acted(database) == []


def test_no_channel_gets_an_alert_twice(database: Database) -> None:
    """A channel that comes back takes over what it never had; the rest stays to be told."""
    both = fitted(database, adapters(A, B))
    fill(database, [device(1)], {S1: [both[A].id, both[B].id]})
    fitted(database, adapters(B))
    fill(database, [device(2)], {S1: [both[B].id]}, first=2)
    rows = fitted(database, adapters(A))
    assert on(database, "a") == [1, 2]
    assert (on(database, "b"), rows[B].waiting) == ([1], 1)


# --- by an operator -------------------------------------------------------------------------


def left_behind(database: Database, count: int = 5) -> tuple[int, int]:
    """Alerts wait on lane a, which nobody names any more; b and c came. Numbers of a and b."""
    old = filled(database, count)
    rows = fitted(database, adapters(B, C))
    swap(database, changes=[LaneChange(old, ClosedReason.USER_REMOVED, "", NOW)])
    return old, rows[B].id


def test_an_operator_moves_what_is_held(database: Database) -> None:
    _, new = left_behind(database)
    planned = move_lane(database, A, B, ANN, dry_run=True)
    assert planned == LaneMoved(S1, "a", "b", 5, 0, 0, None)
    assert on(database, "a") == [1, 2, 3, 4, 5]
    assert acted(database) == []
    assert move_lane(database, A, B, ANN) == planned
    sends = swap(database, wish(new), now=ANN.now).sends[new]
    assert sequences(sends) == [[1], [2], [3], [4], [5]]
    assert ask(database, "SELECT DISTINCT expires_at FROM deliveries") == [
        (stamp(NOW + HOLD + HOUR),)
    ]
    detail = {"user": S1, "from": "a", "to": "b", "deliveries": 5, "withdrawn": 0, "revived": 0}
    assert acted(database) == [("ann", "lanes move", detail)]
    assert move_lane(database, A, B, ANN) == LaneMoved(S1, "a", "b", 0, 0, 0, None)
    assert len(acted(database)) == 1


def test_what_is_under_way_stays_and_with_it_all_of_its_hub(database: Database) -> None:
    lanes = fitted(database, adapters(A, B))
    old, new = lanes[A].id, lanes[B].id
    fill(database, [device(n) for n in (1, 2, 1, 3)], {S1: [old]})
    ((flying,),) = swap(database, wish(old, 1)).sends[old]
    assert move_lane(database, A, B, ANN) == LaneMoved(S1, "a", "b", 2, 0, 2, None)
    assert (on(database, "a"), on(database, "b")) == ([1, 3], [2, 4])
    assert sequences(swap(database, wish(new), now=ANN.now).sends[new]) == [[2], [4]]
    swap(database, settled=[retry(flying)])
    assert move_lane(database, A, B, ANN).moved == 2
    assert on(database, "b") == [1, 2, 3, 4]


def test_no_batch_is_torn_by_what_is_under_way(database: Database) -> None:
    lanes = fitted(database, adapters(A, B))
    old, new = lanes[A].id, lanes[B].id
    fill(database, [device(n) for n in (1, 2, 3, 2)], {S1: [old]})
    (batch,) = swap(database, wish(old, 1, batch=3)).sends[old]
    swap(database, settled=[retry(each, due_at=NOW) for each in batch])
    with database.transaction() as connection:  # it was refused, and may pass those that wait
        connection.exec_driver_sql("UPDATE deliveries SET state = 'sending' WHERE sequence = 4")
    assert move_lane(database, A, B, ANN).under_way == 4
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'waiting' WHERE sequence = 4")
    assert move_lane(database, A, B, ANN).moved == 4
    assert sequences(swap(database, wish(new), now=ANN.now).sends[new])[0] == [1, 2, 3]


def test_an_alert_that_the_other_channel_has_is_withdrawn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ledger.moves.AT_ONCE", 2)
    lanes = fitted(database, adapters(A, B))
    fill(database, [device(n) for n in range(1, 6)], {S1: [lanes[A].id, lanes[B].id]})
    fill(database, [device(9)], {S1: [lanes[A].id]}, first=6)
    fitted(database, adapters(B))
    assert move_lane(database, A, B, ANN) == LaneMoved(S1, "a", "b", 1, 5, 0, None)
    assert (on(database, "a"), on(database, "b")) == ([], [1, 2, 3, 4, 5, 6])
    told = [detail for _, _, detail in acted(database)]
    assert [each["deliveries"] for each in told] == [1, 0, 0]
    assert [each["withdrawn"] for each in told] == [2, 2, 1]
    outcomes = ask(database, "SELECT DISTINCT attempt, outcome, reason, detail FROM outcomes")
    assert outcomes == [(None, "withdrawn", "moved", "it goes by channel b")]


def test_what_the_other_channel_gave_up_goes_on_there(database: Database) -> None:
    lanes = fitted(database, adapters(A, B))
    fill(database, [device(1), device(2)], {S1: [lanes[A].id, lanes[B].id]})
    with database.transaction() as connection:
        connection.exec_driver_sql(
            f"UPDATE deliveries SET state = 'parked', refusals = 3, expires_at = 0"
            f" WHERE lane_id = {lanes[B].id} AND sequence = 1"
        )
    swap(database, changes=[LaneChange(lanes[A].id, ClosedReason.ENDPOINT, "404", NOW)])
    assert move_lane(database, A, B, ANN) == LaneMoved(S1, "a", "b", 1, 1, 0, None)
    assert (on(database, "a"), on(database, "b")) == ([], [1, 2])
    assert acted(database)[0][2]["revived"] == 1
    again = "SELECT refusals, recheck, expires_at FROM deliveries WHERE lane_id = 2"
    assert ask(database, f"{again} ORDER BY sequence")[0] == (0, 1, stamp(NOW + HOLD + HOUR))


@pytest.mark.parametrize("revived", [False, True])
def test_what_was_delivered_once_and_goes_again_is_known_after_a_move(
    database: Database, *, revived: bool
) -> None:
    lanes = fitted(database, adapters(A, B))
    old, new = lanes[A].id, lanes[B].id
    fill(database, [device(1)], {S1: [old, new] if revived else [old]})
    had_it = f"UPDATE deliveries SET recheck = {HAD_IT} WHERE lane_id = {new if revived else old}"
    with database.transaction() as connection:
        connection.exec_driver_sql(had_it)
        connection.exec_driver_sql(f"UPDATE deliveries SET state = 'parked' WHERE lane_id = {new}")
    move_lane(database, A, B, ANN)
    ((found,),) = swap(database, wish(new), now=ANN.now).sends[new]
    assert found.again


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_however_it_is_moved_every_alert_goes_by_some_channel_once(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder, closing(made(Path(folder))) as database:
        channels = [A, B, C]
        lanes = fitted(database, adapters(*channels))
        for number in range(1, 4):
            several = st.sets(st.sampled_from(channels), min_size=1)
            to = [lanes[key].id for key in sorted(data.draw(several))]
            fill(database, [device(number)], {S1: to}, first=number)
        for _ in range(data.draw(st.integers(1, 6))):
            old, new = data.draw(st.permutations(channels))[:2]
            move_lane(database, old, new, ANN)
        waiting = "SELECT DISTINCT sequence FROM deliveries WHERE state = 'waiting' ORDER BY 1"
        assert ask(database, waiting) == [(1,), (2,), (3,)]
        twice = "SELECT 1 FROM deliveries GROUP BY alert, lane_id HAVING count(*) > 1"
        assert ask(database, twice) == []


def test_what_is_parked_stays_and_is_moved_when_it_was_retried(database: Database) -> None:
    old, _ = left_behind(database, 2)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'parked' WHERE sequence = 1")
    assert move_lane(database, A, B, ANN).moved == 1
    assert retry_alerts(database, Filter(), ANN, hold={}) == 2
    assert on(database, "a") == [1]
    assert move_lane(database, A, B, ANN).moved == 1
    assert old


def test_a_lane_that_is_closed_holds_what_it_gets(database: Database) -> None:
    _, new = left_behind(database, 1)
    swap(database, changes=[LaneChange(new, ClosedReason.ENDPOINT, "404", NOW)])
    assert move_lane(database, A, B, ANN).closed is ClosedReason.ENDPOINT
    swap(database, changes=[LaneChange(new, None, "", NOW + 3 * HOUR)])
    # an hour behind the one, two behind the other
    assert ask(database, "SELECT expires_at FROM deliveries") == [(stamp(NOW + HOLD + 3 * HOUR),)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (A, (S2, "b"), "are two users; what was decided for one is for no other"),
        ((S1, "aa"), B, f"there is no lane {S1}/aa"),
        (A, (S1, "webhok"), f"there is no lane {S1}/webhok; did you mean {S1}/webhook?"),
        ((S2, "a"), (S2, "b"), f"there is no lane {S2}/a; did you mean {S1}/a?"),
        (B, A, f"does not name {S1}/a any more; it has b, c, webhook, and a new one has its"),
        (B, B, f"{S1}/b is both"),
    ],
)
def test_what_can_not_be_moved_is_said_in_words(
    database: Database, old: LaneKey, new: LaneKey, words: str
) -> None:
    left_behind(database)
    lane_of(database, S1, "webhook")
    with pytest.raises(UsageError) as caught:
        move_lane(database, old, new, ANN)
    assert words in str(caught.value)
    assert on(database, "a") == [1, 2, 3, 4, 5]


def test_a_router_sees_that_an_operator_moved_something(database: Database) -> None:
    left_behind(database)
    before = changes(database)
    with closing(open_database(database.url, Use.CHANGE)) as beside:
        move_lane(beside, A, B, ANN)
    assert changes(database) != before


def test_every_state_is_the_same_after_a_move_that_moves_nothing(database: Database) -> None:
    old = filled(database, 3)
    swap(database, wish(old))
    fitted(database, adapters(A, B))
    assert move_lane(database, A, B, ANN) == LaneMoved(S1, "a", "b", 0, 0, 3, None)
    assert states(database) == ["sending"] * 3
