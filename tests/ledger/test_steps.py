"""What a step of the clock does to what waits, and to what is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.intaking import Running, fact
from support.ledgers import ask, fill, lane_of, made, swap, wish
from support.samples import HUB, NOW, activation, device, hub, registration, user

from router.deciding.engine import Engine
from router.domain.timestamps import stamp
from router.lanes.values import ClosedReason, LaneChange
from router.language.rules import Rules
from router.ledger import lives
from router.ledger.database import Database
from router.ledger.inventory import write_hubs, write_registrations
from router.ledger.steps import MovedAlong, move_along, newest_moment, resume
from router.ledger.thread import LedgerThread

DAYS = timedelta(days=2)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
STEP = timedelta(seconds=60)
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
        "activations": 0,
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


H, A = fact(hub(), "hub"), fact(activation(activated_at="2026-05-01T00:00:00Z"), "v1")
RECEIVED = "SELECT received_at FROM quarantined"


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


async def decided(running: Running, at: datetime) -> bool:
    """Whether what waited for its first registration is decided without one at this moment."""
    running.now = at
    await running.take([], wait=False)
    await running.intake.release()
    await running.stop()
    assert running.waiting() == ([] if running.verdicts() else ["no_registration"])
    return running.verdicts() == [("v1", None, "no_recipient")]


@pytest.mark.parametrize("step", [DAYS, -DAYS])
async def test_a_step_neither_ends_nor_lengthens_the_wait_for_a_registration(
    running: Running, step: timedelta
) -> None:
    await running.take([H, A])
    received = running.ask(RECEIVED)
    assert move_along(running.database, step, NOW + step).activations == 1
    assert not await decided(running, NOW + step + DAY - HOUR)
    assert running.ask(RECEIVED) == received == [(stamp(NOW),)]  # a record stays as it is
    assert await decided(running, NOW + step + DAY)


async def test_a_step_there_and_back_is_none(running: Running) -> None:
    await running.take([H, A])
    move_along(running.database, DAYS, NOW + DAYS)
    move_along(running.database, -DAYS, NOW + HOUR)
    assert not await decided(running, NOW + DAY - HOUR)
    assert await decided(running, NOW + DAY)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("gap", [DAYS, -DAYS])
async def test_nor_does_one_while_no_router_ran(
    running: Running, gap: timedelta, killed: bool
) -> None:
    """It can't be told from a router that was down; what came meanwhile is read after the start."""
    database = running.database
    resume(database, NOW - HOUR, STEP)
    await running.take([H, A])
    if not killed:
        lives.end(database, NOW + HOUR)
    waited = timedelta() if killed else HOUR
    resume(database, NOW + gap, STEP)
    assert not await decided(running, NOW + gap + DAY - waited - STEP)
    assert await decided(running, NOW + gap + DAY - waited)


async def test_a_start_ahead_and_one_that_is_right_again(running: Running) -> None:
    await running.take([H, A])
    for at in (NOW + DAYS, NOW + HOUR, NOW + HOUR + DAYS, NOW + 2 * HOUR):
        resume(running.database, at, STEP)
        lives.end(running.database, at)
    assert not await decided(running, NOW + HOUR + DAY - HOUR)


async def test_a_start_after_a_moment_counts_it(running: Running) -> None:
    await running.take([H, A])
    lives.end(running.database, NOW)
    for minute in range(1, 24 * 60):
        resume(running.database, NOW + minute * STEP, STEP)
    assert await decided(running, NOW + DAY)
