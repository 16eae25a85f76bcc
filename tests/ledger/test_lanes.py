"""Lanes in the ledger: closing and opening them, and what waits there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from support.ledgers import HOLD, answer, ask, fill, lane_of, retry, sequences, states, swap, wish
from support.samples import NOW, device, user

from router.domain.timestamps import stamp
from router.lanes.values import ClosedReason, LaneChange
from router.ledger.backlog import count_waiting
from router.ledger.database import Database
from router.ledger.documents import go_live
from router.ledger.lanes import change_lane, why_closed

S1, S2 = user(1), user(2)
LATER = timedelta(minutes=5)


@pytest.fixture
def lane(database: Database) -> int:
    return lane_of(database)


def closing(lane: int, reason: ClosedReason | None, after: timedelta) -> LaneChange:
    return LaneChange(lane, reason, "because", NOW + after)


def expiry(database: Database) -> list[timedelta]:
    found = ask(database, "SELECT expires_at FROM deliveries ORDER BY sequence")
    return [timedelta(microseconds=row[0] - stamp(NOW)) for row in found]


def test_time_in_which_the_lane_is_closed_does_not_count(database: Database, lane: int) -> None:
    hour = timedelta(hours=1)
    fill(database, [device(1)], {S1: [lane]})
    swap(database, changes=[closing(lane, ClosedReason.ENDPOINT, 10 * hour)])
    fill(database, [device(2)], {S1: [lane]}, at=NOW + 20 * hour, first=2)
    swap(database, changes=[closing(lane, None, 30 * hour)])
    assert expiry(database) == [HOLD + 20 * hour, HOLD + 30 * hour]
    assert why_closed(database) == {lane: None}


def test_closing_twice_counts_from_the_first(database: Database, lane: int) -> None:
    hour = timedelta(hours=1)
    fill(database, [device(1)], {S1: [lane]})
    swap(database, changes=[closing(lane, ClosedReason.CREDENTIALS, hour)])
    swap(database, changes=[closing(lane, ClosedReason.ENDPOINT, 3 * hour)])
    assert why_closed(database) == {lane: ClosedReason.ENDPOINT}
    swap(database, changes=[closing(lane, None, 5 * hour)])
    swap(database, changes=[closing(lane, None, 9 * hour)])  # open already
    assert expiry(database) == [HOLD + 4 * hour]


def test_the_router_does_not_undo_an_operators_pause(database: Database, lane: int) -> None:
    with database.transaction() as connection:
        change_lane(connection, closing(lane, ClosedReason.OPERATOR, timedelta()))
    swap(database, changes=[closing(lane, ClosedReason.ENDPOINT, LATER)])
    swap(database, changes=[closing(lane, None, LATER)])
    assert why_closed(database) == {lane: ClosedReason.OPERATOR}


def test_held_alerts_are_asked_about_again_and_withdrawn(database: Database, lane: int) -> None:
    fill(database, [device(1), device(2)], {S1: [lane]})
    swap(database, changes=[closing(lane, ClosedReason.SUSPENDED, timedelta())])
    swap(database, changes=[closing(lane, None, LATER)])
    asked: list[Sequence[tuple[str, str]]] = []

    def left(_connection: Connection, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        asked.append(list(pairs))
        return {(device(1), S1)}

    exchanged = swap(database, wish(lane), withdrawn=left, now=NOW + LATER)
    assert asked == [[(device(1), S1), (device(2), S1)]]
    assert sequences(exchanged.sends[lane]) == [[2]]
    assert [each.reason for each in exchanged.ended[lane]] == ["not_responsible"]
    assert states(database) == ["withdrawn", "sending"]


def test_nobody_is_asked_about_what_was_never_held(database: Database, lane: int) -> None:
    fill(database, [device(1)], {S1: [lane]})

    def never(_connection: Connection, pairs: object) -> set[tuple[str, str]]:
        raise AssertionError(pairs)

    assert swap(database, wish(lane), withdrawn=never).sends


def test_a_lane_that_was_failing_is_known_after_a_restart(database: Database, lane: int) -> None:
    other = lane_of(database, S2)
    fill(database, [device(1)], {S1: [lane], S2: [other]})
    exchanged = swap(database, wish(lane), wish(other))
    swap(database, settled=[retry(exchanged.sends[lane][0][0])])
    lanes = go_live(database, [], [], NOW)
    assert {row.id: row.failing for row in lanes.values()} == {lane: True, other: False}


def test_lanes_are_counted(database: Database, lane: int) -> None:
    other = lane_of(database, S2)
    fill(database, [device(1), device(2)], {S1: [lane], S2: [other]})
    fill(database, [device(3)], {S1: [lane]}, at=NOW + LATER, first=3)
    ((first,),) = swap(database, wish(lane, 1)).sends[lane]
    swap(database, settled=[answer(first)])
    assert count_waiting(database) == {lane: (2, NOW), other: (2, NOW)}
