"""What operators' filters read of a ledger of millions: an index finds what they mean."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from support.ledgers import answer, fill, lane_of, made, swap, wish
from support.plans import enlarge, grows, plans
from support.recorded import Statement
from support.samples import NOW, device, user

from router.lanes.values import DeliveryState
from router.ledger.actions import Operator
from router.ledger.alerts import in_vain, look_ahead, resend, resendable, withdraw, withdrawable
from router.ledger.database import Database, Use, open_database
from router.ledger.documents import Text, go_live
from router.ledger.queries.lists import unknown_alerts
from router.ledger.queries.wanted import Filter

pytestmark = pytest.mark.sqlite

ANN = Operator("ann", NOW)
NUMBERS = range(1, 9)


def named(wanted: Filter) -> str:
    return " ".join(name for name, value in wanted.said().items() if value is not None)


FILTERS = [
    Filter(user=user(1)),
    Filter(hub=device(1)),
    Filter(since=NOW - timedelta(hours=1)),
    Filter(version="01020304"),
    Filter(rule="tell"),
    Filter(rules_digest="aaaa"),
    Filter(ids=["00000000-0000-0000-0000-000000000000"]),
    Filter(user=user(1), rule="tell", channel="main", answer="server", until=NOW),
]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half is delivered, half waits."""
    folder = tmp_path_factory.mktemp("filters")
    database = made(folder)
    go_live(database, [Text("rules", "c" * 64, "name: tell")], [], NOW)
    lane = lane_of(database)
    fill(database, [device(number) for number in NUMBERS], {user(1): [lane]})
    sent = swap(database, wish(lane, 4)).sends[lane]
    swap(database, settled=[answer(each) for group in sent for each in group])
    database.close()
    return folder / "ledger.db"


@contextmanager
def watched(database: Database) -> Iterator[list[Statement]]:
    found: list[Statement] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def heard(*given: Any) -> None:
        _connection, _cursor, statement, parameters, _context, many = given
        found.append((statement, parameters[0] if many else parameters))

    yield found
    event.remove(database.engine, "before_cursor_execute", heard)


def takes_back(database: Database, wanted: Filter) -> None:
    look_ahead(database, wanted, withdrawable(wanted), sending=False)
    withdraw(database, wanted, ANN)


def sends_again(database: Database, wanted: Filter) -> None:
    states = resendable(wanted)
    look_ahead(database, wanted, states)
    in_vain(database, wanted, states)
    unknown_alerts(database, wanted.ids or ())
    resend(database, wanted, ANN, hold={})


def sends_after_all(database: Database, wanted: Filter) -> None:
    sends_again(database, replace(wanted, state=DeliveryState.WITHDRAWN))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("wanted", FILTERS, ids=named)
@pytest.mark.parametrize("act", [takes_back, sends_again, sends_after_all])
def test_what_is_meant_is_found_by_an_index(
    ledger: Path,
    tmp_path: Path,
    act: Callable[[Database, Filter], None],
    wanted: Filter,
    large: bool,
) -> None:
    copy = tmp_path / "ledger.db"
    shutil.copy(ledger, copy)
    if large:
        enlarge(copy)
    database = open_database(f"sqlite:///{copy}", Use.CHANGE)
    with watched(database) as statements:
        act(database, wanted)
    database.close()
    assert len(statements) > 1
    assert [plan for plan in plans(copy, statements) if grows(plan)] == []


def test_what_waits_is_taken_back_without_a_look_at_what_was_delivered(
    ledger: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "ledger.db"
    shutil.copy(ledger, copy)
    enlarge(copy)
    database = open_database(f"sqlite:///{copy}", Use.CHANGE)
    with watched(database) as statements:
        takes_back(database, Filter(answer="server"))
    database.close()
    assert [plan for plan in plans(copy, statements) if grows(plan)] == []
