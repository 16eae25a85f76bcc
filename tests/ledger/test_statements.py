"""How many transactions and statements a fact with its Alerts costs: numbers, not time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.ledgers import answer, fill, lane_of, swap, wish
from support.samples import activation, body, device, user

from router.domain.facts import Fact, parse
from router.lanes.values import Offer
from router.ledger.database import Database
from router.ledger.intake import look_up

pytestmark = pytest.mark.sqlite


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that SQLite is given; a row of many is one each time."""
    found: list[str] = []
    driver: Any = database.connection.connection.driver_connection
    driver.set_trace_callback(lambda text: found.append(text.split(None, 2)[0]))
    try:
        yield found
    finally:
        driver.set_trace_callback(None)


def statements(database: Database, count: int) -> dict[str, list[str]]:
    """What looking up, recording and settling so many facts takes, three Alerts each.

    Of a router that has recorded and settled before: it knows the next numbers.
    """
    lanes = {user(number): [lane_of(database, user(number))] for number in (1, 2, 3)}
    numbers = [each for lane in lanes.values() for each in lane]
    fill(database, [device(0)], lanes, first=1000)
    sends = swap(database, *map(wish, numbers)).sends.values()
    swap(database, settled=[answer(each) for groups in sends for (each,) in groups])
    at = swap(database, *map(wish, numbers)).idle_at
    devices = [device(1 + number) for number in range(count)]
    facts = [parse(body(activation(each).model_dump(mode="json"), id=each)) for each in devices]
    made = [wish(lane, 1, batch=100, most=100, idle_at=at[lane]) for lane in numbers]
    offer = Offer({each.lane_id: each for each in made})
    with counted(database) as looking, database.transaction() as connection:
        look_up(connection, [each for each in facts if isinstance(each, Fact)])
    with counted(database) as recording:
        done = fill(database, devices, lanes, offer=offer)
    assert sum(len(group) for groups in done.sends.values() for group in groups) == 3 * count
    claimed = [each for groups in done.sends.values() for group in groups for each in group]
    with counted(database) as settling:
        swap(database, settled=[answer(each) for each in claimed])
    return {"look up": looking, "record": recording, "settle": settling}


def test_a_lone_fact(database: Database) -> None:
    found = statements(database, 1)
    assert {what: len(given) for what, given in found.items()} == {
        "look up": 8,
        "record": 22,
        "settle": 10,
    }
    assert sum(given.count("COMMIT") for given in found.values()) == 3


def test_a_hundred_take_rows_and_no_other_statements(database: Database) -> None:
    """SQLite tells each row of an `executemany` as a statement of its own."""
    found = statements(database, 100)
    rows = {"INSERT", "UPDATE"}
    assert sum(each not in rows for each in found["record"]) <= 5
    assert sum(each not in rows for each in found["settle"]) <= 3
    assert found["record"].count("INSERT") == 1 + 100 * (1 + 1 + 3 + 3 + 3 + 3) + 3
    assert (found["settle"].count("INSERT"), found["settle"].count("UPDATE")) == (301, 300)
