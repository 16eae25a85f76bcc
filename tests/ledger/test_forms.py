"""What may have been taken comes again as it was sent, whatever options and adapters say by now."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine
from support.ledgers import answer, ask, fill, lane_of, sequences, swap, wish
from support.samples import NOW, device, user

from router.lanes.values import Claimed, DeliveryState, Settlement
from router.ledger.database import Database, Use, open_database
from router.ledger.deliveries import lost_attempts
from router.ledger.reader import MIGRATIONS

pytestmark = pytest.mark.sqlite

S1 = user(1)


@pytest.fixture
def lane(database: Database) -> int:
    number = lane_of(database)
    fill(database, [device(n) for n in range(1, 13)], {S1: [number]})
    return number


def back(claimed: Sequence[Sequence[Claimed]]) -> list[Settlement]:
    """All of it failed, and is due again at once."""
    return [
        answer(each, DeliveryState.WAITING, outcome="retry", due_at=NOW)
        for group in claimed
        for each in group
    ]


def sent(
    database: Database, lane: int, sends: int = 16, *, batch: int = 1, **more: object
) -> list[list[Claimed]]:
    """What goes out, and comes back at once."""
    found = swap(database, wish(lane, sends, batch=batch, **more)).sends.get(lane, [])
    swap(database, settled=back(found))
    return [list(group) for group in found]


def names(claimed: Sequence[Sequence[Claimed]]) -> list[str | None]:
    """What each request is called: None where an Alert goes as it is."""
    assert all(len({each.delivery.batch for each in group}) == 1 for group in claimed)
    return [group[0].delivery.batch for group in claimed]


def test_an_older_ledger_says_who_sent_what_may_go_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url)
    with engine.begin() as older:
        scripts.attributes["connection"] = older
        upgrade(scripts, "0004")
        older.exec_driver_sql("PRAGMA foreign_keys = OFF")
        older.exec_driver_sql(
            "INSERT INTO lanes (id, service_user_id, channel, adapter, closed, closed_at) VALUES"
            f" (1, '{S1}', 'main', 'duis', NULL, NULL),"
            f" (2, '{S1}', 'old', 'webhook', 'user_removed', 17)"
        )
        for number, (state, attempts, rendered) in enumerate(
            [
                ("waiting", 0, "NULL"),
                ("waiting", 1, "NULL"),
                ("parked", 3, "NULL"),
                ("delivered", 1, "NULL"),
                ("delivered", 1, "x'00'"),
            ]
        ):
            older.exec_driver_sql(
                "INSERT INTO deliveries VALUES"
                f" ({number}, 1, 1, {number}, '{state}', {attempts}, 0, 0, 0, NULL, 0, {rendered})"
            )
    engine.dispose()
    with closing(open_database(url, Use.CHANGE)) as database:
        found = [row[0] for row in ask(database, "SELECT sent_by FROM deliveries ORDER BY id")]
        assert found == [None, "duis", "duis", None, "duis"]
        assert ask(database, "SELECT unnamed_at FROM lanes ORDER BY id") == [(None,), (17,)]


# --- other options --------------------------------------------------------------------------


def test_what_went_alone_goes_alone_where_batches_are_taken_by_now(
    database: Database, lane: int
) -> None:
    assert names(sent(database, lane, 2)) == [None, None]
    again = sent(database, lane, batch=100)
    assert sequences(again) == [[1], [2], list(range(3, 13))]
    assert names(again)[:2] == [None, None]
    assert names(again)[2] is not None


@pytest.mark.parametrize("fewer", [1, 3, 5])
def test_a_batch_goes_whole_where_fewer_are_taken_by_now(
    database: Database, lane: int, fewer: int
) -> None:
    first = sent(database, lane, 1, batch=5)
    for more in ({}, {"failing": True}, {"sends": 1}):
        again = swap(database, wish(lane, **{"sends": 2, "batch": fewer, **more})).sends[lane]
        assert sequences(again)[0] == [1, 2, 3, 4, 5]
        assert names(again)[0] == names(first)[0]
        swap(database, settled=back(again))


def test_a_batch_of_one_stays_a_batch(database: Database, lane: int) -> None:
    swap(database, settled=[answer(each) for (each,) in sent(database, lane, 11)])
    (one,) = names(sent(database, lane, batch=10))
    assert one is not None
    assert names(sent(database, lane)) == [one]


def test_no_batch_is_cut_by_how_much_is_read(database: Database, lane: int) -> None:
    first = swap(database, wish(lane, 3, batch=4)).sends[lane]
    assert sequences(first) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    swap(database, settled=back(first[1:]))
    assert sequences(swap(database, wish(lane, 2)).sends[lane]) == [[5, 6, 7, 8]]
    assert sequences(swap(database, wish(lane, 1)).sends[lane]) == [[9, 10, 11, 12]]
    swap(database, settled=back(first))
    assert sequences(sent(database, lane, 5)) == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_after_a_crash_it_goes_as_it_was_sent(database: Database, lane: int) -> None:
    swap(database, wish(lane, 1))
    swap(database, wish(lane, 1, batch=3, busy_hubs=frozenset({device(1)})))
    lost_attempts(database, NOW)
    again = sent(database, lane, batch=2)
    assert sequences(again)[:3] == [[1], [2, 3, 4], [5, 6]]
    assert names(again)[0] is None


def test_what_was_parked_goes_as_it_was_sent_when_it_is_retried(
    database: Database, lane: int
) -> None:
    group = swap(database, wish(lane, 1, batch=3)).sends[lane]
    swap(database, settled=back(group))
    ended = [
        Settlement(each.id, "parked", DeliveryState.PARKED, NOW, reason="expired")
        for each in group[0]
    ]
    swap(database, settled=ended)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'waiting'")
    assert names(sent(database, lane, 1)) == names(group)


# --- other adapters -------------------------------------------------------------------------


class Press:
    """Makes bytes that are never the same twice."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0

    def __call__(self, _alert: object) -> bytes:
        self.made += 1
        return f"{self.name} {self.made}".encode()


def test_bytes_are_their_adapters_and_outlast_every_change(database: Database, lane: int) -> None:
    duis, fax = Press("duis"), Press("fax")
    bodies: dict[str, set[bytes]] = {"duis": set(), "fax": set(), "folder": set()}
    for kind in ("duis", "folder", "duis", "fax", "duis", "folder", "fax", "fax", "duis"):
        render = {"duis": duis, "fax": fax}.get(kind)
        ((claimed,),) = sent(database, lane, 1, adapter=kind, render=render)
        bodies[kind].add(claimed.delivery.body)
    event = claimed.delivery.alert.event()
    assert bodies == {"duis": {b"duis 1"}, "fax": {b"fax 1"}, "folder": {event}}
    assert (duis.made, fax.made) == (1, 1)


def test_a_batch_is_its_adapters_and_outlasts_every_change(database: Database, lane: int) -> None:
    first = sent(database, lane, 1, batch=5, adapter="webhook")
    # the other one puts together what it likes, and takes each by itself
    assert sequences(sent(database, lane, 2, batch=2, adapter="folder")) == [[1, 2], [3, 4]]
    for batch in (100, 1, 2):
        again = sent(database, lane, 1, batch=batch, adapter="webhook")
        assert sequences(again) == [[1, 2, 3, 4, 5]]
        assert names(again) == names(first)
    assert names(sent(database, lane, 3, adapter="duis")) == [None] * 3
    assert sequences(sent(database, lane, 3, batch=64, adapter="folder"))[:2] == [[1, 2], [3, 4]]
    assert sequences(sent(database, lane, 1, batch=2, adapter="webhook")) == [[1, 2, 3, 4, 5]]


def test_what_went_alone_by_one_adapter_may_go_together_by_another(
    database: Database, lane: int
) -> None:
    sent(database, lane, 3, adapter="webhook")
    together = sent(database, lane, 1, batch=5, adapter="rabbitmq")
    assert sequences(together) == [[1, 2, 3, 4, 5]]
    assert names(sent(database, lane, 3, batch=9, adapter="webhook"))[:3] == [None] * 3


def test_what_is_under_way_while_the_adapter_changes_settles_as_its_own(
    database: Database, lane: int
) -> None:
    old = swap(database, wish(lane, 1, batch=5, adapter="webhook")).sends[lane]
    new = sent(database, lane, 1, batch=5, adapter="folder")
    assert sequences(new) == [[6, 7, 8, 9, 10]]
    swap(database, settled=back(old))
    assert sequences(sent(database, lane, 1, batch=3, adapter="folder")) == [[1, 2, 3]]
    assert names(sent(database, lane, 1, adapter="webhook")) == names(old)


def test_only_what_another_adapter_may_have_had_taken_is_kept_beside(
    database: Database, lane: int
) -> None:
    sent(database, lane, 1)
    swap(database, settled=[answer(each) for (each,) in sent(database, lane)])
    assert ask(database, "SELECT count(*) FROM forms") == [(0,)]
