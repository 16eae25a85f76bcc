"""What a step of the clock does to what waits, and to what is known."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support.ledgers import ask, fill, lane_of, swap, wish
from support.samples import HUB, NOW, device, hub, registration, user

from router.domain.timestamps import stamp
from router.lanes.values import ClosedReason, LaneChange
from router.ledger.database import Database
from router.ledger.inventory import write_hubs, write_registrations
from router.ledger.steps import MovedAlong, move_along, newest_moment

DAYS = timedelta(days=2)
HOUR = timedelta(hours=1)
MOMENTS = "SELECT due_at, expires_at FROM deliveries ORDER BY sequence"


@pytest.mark.parametrize("step", [DAYS, -DAYS])
def test_what_waits_is_due_as_long_after_now_as_before(database: Database, step: timedelta) -> None:
    lane = lane_of(database)
    fill(database, [device(n) for n in range(3)], {user(1): [lane]})
    before = ask(database, MOMENTS)
    by = stamp(NOW + step) - stamp(NOW)
    assert move_along(database, step, NOW + step) == MovedAlong(3, 0, 0)
    assert ask(database, MOMENTS) == [(due + by, expires + by) for due, expires in before]
    assert swap(database, wish(lane), now=NOW + step).sends[lane]


def test_what_is_done_stays_as_it_was(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(1)], {user(1): [lane]})
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'delivered'")
    before = ask(database, MOMENTS)
    assert move_along(database, DAYS, NOW + DAYS).deliveries == 0
    assert ask(database, MOMENTS) == before


def test_a_closed_lane_has_been_closed_for_as_long_as_before(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(1)], {user(1): [lane]})
    ((_, expires),) = ask(database, MOMENTS)
    swap(database, changes=[LaneChange(lane, ClosedReason.ENDPOINT, "", NOW + HOUR)])
    move_along(database, DAYS, NOW + DAYS)
    swap(database, changes=[LaneChange(lane, None, "", NOW + DAYS + 2 * HOUR)])
    ((_, later),) = ask(database, MOMENTS)
    assert later == expires + stamp(NOW + DAYS + HOUR) - stamp(NOW)


def test_nothing_known_stays_ahead_of_a_clock_that_was_set_back(database: Database) -> None:
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW + DAYS), (hub(device(2)), NOW - DAYS)])
        write_registrations(connection, [(registration(), NOW + DAYS)])
    assert move_along(database, -DAYS, NOW) == MovedAlong(0, 1, 1)
    assert ask(database, "SELECT updated_at FROM hubs ORDER BY device_id") == [
        (stamp(NOW),),
        (stamp(NOW - DAYS),),
    ]
    with database.transaction() as connection:  # and what comes next counts
        write_hubs(connection, [(hub(status="Suspended"), NOW + timedelta(seconds=1))])
    status = f"SELECT status FROM hubs WHERE device_id = '{HUB}'"
    assert ask(database, status) == [("Suspended",)]


def test_it_is_an_action(database: Database) -> None:
    move_along(database, -DAYS, NOW)
    ((operator, action, detail),) = ask(database, "SELECT operator, action, detail FROM actions")
    assert (operator, action) == ("router", "clock step")
    assert json.loads(detail) == {
        "step_s": -172_800.0,
        "deliveries": 0,
        "hubs": 0,
        "registrations": 0,
    }


def test_the_newest_moment_is_that_of_the_routers_last_word(database: Database) -> None:
    assert newest_moment(database, "router") == NOW  # the texts that were live
    assert newest_moment(database, "operator") is None
    move_along(database, DAYS, NOW + DAYS)
    assert newest_moment(database, "router") == NOW + DAYS


def test_where_nobody_knows_the_step_only_the_inventory_is_brought_back(database: Database) -> None:
    fill(database, [HUB], {user(1): [lane_of(database)]})
    before = ask(database, "SELECT due_at, expires_at FROM deliveries")
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW + DAYS)])
    assert move_along(database, timedelta(), NOW, known=NOW - HOUR) == MovedAlong(0, 1, 0)
    assert ask(database, "SELECT updated_at FROM hubs") == [(stamp(NOW - HOUR),)]
    assert ask(database, "SELECT due_at, expires_at FROM deliveries") == before
