"""How SQLite would run each statement of the way of a fact: none may grow with the ledger.

The statements are taken as they are sent, with their bound values: SQLite chooses a partial
index only when the statement itself, and not a value, says that it may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from support.ledgers import (
    TEXTS,
    decided,
    fill,
    fitted,
    lane_of,
    retry,
    sequences,
    standing,
    swap,
    wish,
)
from support.samples import NOW, activation, body, device, hub, registration, user

from router.deciding.batch import Batch
from router.deciding.responsibility import Responsibility
from router.domain.facts import Fact, parse
from router.lanes.values import ClosedReason, DeliveryState, LaneAnswer, LaneChange, Settlement
from router.ledger.actions import Operator
from router.ledger.backlog import count_waiting
from router.ledger.database import Database
from router.ledger.deliveries import lost_attempts
from router.ledger.documents import go_live
from router.ledger.driver import WATCHED
from router.ledger.intake import look_up, record
from router.ledger.lanes import why_closed
from router.ledger.moves import move_lane
from router.ledger.quarantine import released, waiting_for
from router.ledger.queries.lists import list_alerts
from router.ledger.queries.overview import overview
from router.ledger.queries.rollout import users, versions
from router.ledger.queries.wanted import Filter
from router.ledger.queries.why import why

pytestmark = pytest.mark.sqlite

GROWING = (
    *("stored_facts", "stored_evaluations", "stored_decisions", "stored_alerts"),
    *("attempts", "outcomes", "quarantined", "hubs", "registrations"),
)
PENDING = "USING INDEX ix_deliveries_pending"


class Plans(list[tuple[str, str]]):
    """(statement, line of its plan)."""

    def reads(self, table: str) -> list[str]:
        """How a table is read, each way once."""
        return sorted({line for _, line in self if line.split()[1:2] == [table]})

    def scans(self) -> list[tuple[str, str]]:
        """Where a table that grows is read from end to end."""
        return [
            (statement, line)
            for statement, line in self
            if line.split()[0] == "SCAN" and line.split()[1] in GROWING
        ]


@contextmanager
def plans(database: Database) -> Iterator[Plans]:
    """Gathers the plan of every statement that is sent within."""
    sent: list[tuple[str, Any]] = []

    def note(
        _connection: object, _cursor: object, statement: str, values: Any, _c: object, many: bool
    ) -> None:
        sent.append((statement, values[0] if many else values))

    found = Plans()
    event.listen(database.engine, "before_cursor_execute", note)
    database.connection.info[WATCHED] = lambda text, values: sent.append((text, values))
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
        del database.connection.info[WATCHED]
    with database.transaction() as connection:
        for text, values in sent:
            statement = text.lstrip()
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                found += [(statement, row.detail) for row in explained]


def settled(device_id: int, state: DeliveryState, **more: Any) -> Settlement:
    return Settlement(device_id, state.value, state, NOW, 1, **more)


def test_claiming_and_settling_use_the_partial_index(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(n) for n in range(20)], {user(1): [lane]})
    with plans(database) as found:
        swap(database, wish(lane, 4, batch=3))
        again = settled(1, DeliveryState.WAITING, due_at=NOW + timedelta(hours=1), refusals=1)
        swap(database, wish(lane), settled=[again, settled(2, DeliveryState.DELIVERED)])
        swap(database, wish(lane))  # asks when the refused one is due
        swap(database, answers={lane: LaneAnswer("delivered", None)})
    reads = found.reads("deliveries")
    assert [line for line in reads if PENDING in line] == [
        f"SEARCH deliveries {PENDING} (lane_id=?)"
    ]
    assert [line for line in reads if PENDING not in line] == [
        "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)"
    ]
    assert found.scans() == []
    assert not [line for _, line in found if "TEMP B-TREE" in line]


def test_a_lane_that_fails_looks_in_the_partial_index_too(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(n) for n in range(20)], {user(1): [lane]})
    with plans(database) as found:
        swap(database, wish(lane, 1, failing=True, meanwhile=NOW + timedelta(hours=1)))
    assert found.reads("deliveries") == [
        f"SEARCH deliveries {PENDING} (lane_id=?)",
        "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
    ]
    assert found.scans() == []
    assert not [line for _, line in found if "TEMP B-TREE" in line]


def test_closing_opening_and_starting_read_only_what_is_pending(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(1), device(2)], {user(1): [lane]})
    with plans(database) as found:
        swap(database, changes=[LaneChange(lane, ClosedReason.ENDPOINT, "", NOW)])
        swap(database, changes=[LaneChange(lane, None, "", NOW)])
        lost_attempts(database, NOW)
        go_live(database, [], [], NOW)
        count_waiting(database)
        why_closed(database)
    reads = found.reads("deliveries")
    assert reads
    assert [line for line in reads if PENDING not in line] == []
    assert found.scans() == []


def test_moving_reads_only_what_is_pending(database: Database) -> None:
    user_id = user(1)
    lane = fitted(database, {(user_id, "a"): "test"})[(user_id, "a")].id
    fill(database, [device(n) for n in range(20)], {user_id: [lane]})
    swap(database, wish(lane, 1))
    operator = Operator("ann", NOW)
    with plans(database) as found:
        fitted(database, {(user_id, "b"): "test"})
        fitted(database, {(user_id, "b"): "test", (user_id, "c"): "test"})
        move_lane(database, (user_id, "b"), (user_id, "c"), operator)
    ways = ("ix_deliveries_pending", "ix_deliveries_together", "ix_deliveries_alert", "(rowid=?)")
    reads = [*found.reads("deliveries"), *found.reads("others")]
    assert [line for line in reads if not any(way in line for way in ways)] == []
    assert found.scans() == []


def test_a_batch_is_found_by_its_name(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(n) for n in range(20)], {user(1): [lane]})
    (group,) = swap(database, wish(lane, 1, batch=5)).sends[lane]
    swap(database, settled=[retry(each, due_at=NOW) for each in group])
    with plans(database) as found:
        assert sequences(swap(database, wish(lane, 1)).sends[lane]) == [[1, 2, 3, 4, 5]]
    reads = found.reads("deliveries")
    assert [line for line in reads if "ix_deliveries_together" in line] == [
        "SEARCH deliveries USING INDEX ix_deliveries_together (lane_id=? AND batch=?)"
    ]
    assert found.scans() == []


def test_deciding_a_fact_reads_no_table_whole(database: Database) -> None:
    lane = lane_of(database)
    facts = [
        parse(body(activation(device(1)).model_dump(mode="json"))),
        parse(
            body(
                registration(device_id=device(2)).model_dump(mode="json"),
                type="hubherald.registration.updated.v1",
                time="2026-01-01T00:00:00Z",
            )
        ),
    ]
    known: Sequence[Fact] = [each for each in facts if isinstance(each, Fact)]
    assert len(known) == 2
    batch = Batch(NOW, hubs={device(1): (hub(device(1)), NOW)})
    batch.accepted = [decided("f-1", device(1))]
    with plans(database) as found:
        with database.transaction() as connection:
            look_up(connection, known)
            waiting_for(connection, [device(1)], [device(2)], NOW)
            record(connection, batch, standing({user(1): [lane]}))
        for first in (True, False):
            released(database, NOW, timedelta(hours=24), registrations_only=first)
        go_live(database, TEXTS, [], NOW)
        swap(database, changes=[LaneChange(lane, ClosedReason.ENDPOINT, "", NOW)])
        swap(database, changes=[LaneChange(lane, None, "", NOW)])
        swap(database, wish(lane), withdrawn=Responsibility({}, lambda: NOW))
    assert found.scans() == []
    assert found.reads("stored_facts")


def test_the_hubs_of_a_version_are_counted_in_an_index_alone(database: Database) -> None:
    with plans(database) as found:
        versions(database, "9002")
        users(database, "9002")
    facts = found.reads("stored_facts")
    assert facts
    assert all("ix_facts_firmware_version" in line for line in facts)
    assert found.scans() == []
    with plans(database) as found:
        versions(database)
    assert any(
        "COVERING INDEX ix_facts_firmware_version" in line for line in found.reads("stored_facts")
    )


def test_the_status_page_reads_no_more_than_it_shows(database: Database) -> None:
    lane = lane_of(database)
    fill(database, [device(n) for n in range(20)], {user(1): [lane]})
    with plans(database) as found:
        seen = overview(database)
        assert [each.waiting for each in seen.lanes] == [20]
        assert len(list_alerts(database, Filter(user=user(1)), limit=5)) == 5
        assert why(database, device(1), newest=1)
    assert found.scans() == []
    newest = [line for text, line in found if "alerts.sequence DESC" in text]
    assert newest
    assert not [line for line in newest if "ORDER BY" in line]
