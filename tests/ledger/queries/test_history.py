"""Decisions of the past: found by their moment, page by page, whatever the clock did."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.ledgers import decided, fill, lane_of, made, recorded, standing
from support.samples import NOW, activation, body, event, user

from router.deciding.batch import Batch
from router.domain.facts import Fact, parse
from router.ledger.database import Database
from router.ledger.queries.history import count_past, past_pages

DAY = timedelta(days=1)
HUBS = [f"90-B3-D5-1F-30-00-20-{number:02X}" for number in range(10)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(made(tmp_path)) as opened:
        yield opened


def filled(database: Database, days_ago: Sequence[int]) -> None:
    """One activation for each, in this order."""
    lanes = {user(1): [lane_of(database)]}
    for place, days in enumerate(days_ago):
        fill(database, [HUBS[place]], lanes, at=NOW - days * DAY, first=place + 1)


def found(database: Database, days: int) -> list[list[str]]:
    """The hubs of each page."""
    pages = past_pages(database, NOW - days * DAY, size=2)
    return [[each.activation.device_id for each in page] for page in pages]


def test_the_newest_come_first_in_pages(database: Database) -> None:
    filled(database, [9, 5, 4, 3, 2, 1])
    assert found(database, 4) == [[HUBS[5], HUBS[4]], [HUBS[3], HUBS[2]]]
    assert found(database, 30) == [[HUBS[5], HUBS[4]], [HUBS[3], HUBS[2]], [HUBS[1], HUBS[0]]]
    assert found(database, 0) == []


def test_a_clock_that_was_set_back_for_a_while_hides_nothing(database: Database) -> None:
    filled(database, [9, 2, 1, 8, 1, 1])
    assert found(database, 3) == [[HUBS[5], HUBS[4]], [HUBS[2]], [HUBS[1]]]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_data_is_read_however_it_came(database: Database, packed: bool) -> None:
    plain = activation(HUBS[0]).model_dump_json()
    data = gzip.compress(plain.encode()) if packed else plain.encode()
    coded = {**event(id="coded"), "data_base64": base64.b64encode(data).decode()}
    del coded["data"]
    bodies = [json.dumps(coded).encode(), body(plain, id="text"), body(id="usual")]
    facts = [parse(each) for each in bodies]
    accepted = [
        replace(decided("f-1", HUBS[0]), fact=each) for each in facts if isinstance(each, Fact)
    ]
    recorded(database, Batch(NOW, accepted=accepted), standing({}))
    (page,) = past_pages(database, NOW - DAY)
    assert len(page) == len(bodies)
    assert {each.activation for each in page[1:]} == {activation(HUBS[0])}


def test_they_are_counted_without_reading_them_all(database: Database) -> None:
    assert count_past(database, NOW) == 0
    filled(database, [9, 5, 4, 3, 2, 1])
    counted = [count_past(database, NOW - days * DAY) for days in (10, 9, 5, 3, 1, 0)]
    assert counted == [6, 6, 5, 3, 1, 0]
