"""A ledger with every kind of record, by both writers, in many transactions."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

from router.deciding.batch import Arrival, Batch, Quarantined
from router.domain.facts import Defect, parse
from router.lanes.values import DeliveryState
from router.ledger.actions import Operator
from router.ledger.database import Database, Use, open_database
from router.ledger.deliveries import lost_attempts
from router.ledger.pauses import pause_lanes
from router.ports import Cursor, Message
from support.ledgers import (
    answer,
    decided,
    fill,
    lane_of,
    recorded,
    retry,
    standing,
    swap,
    wish,
)
from support.samples import NOW, body, device, user

LATER = timedelta(minutes=5)


def fill_full(database: Database) -> None:
    """Fill a new one."""
    lane = lane_of(database)
    fill(database, [device(n) for n in range(1, 6)], {user(1): [lane]})
    groups = swap(database, wish(lane, 2, batch=2)).sends[lane]
    first, second, third, fourth = (each for group in groups for each in group)
    settled = [
        answer(first, detail="204 \u00e9 \U0001f3e0"),
        retry(second),
        answer(third, DeliveryState.PARKED, reason="rejected"),
    ]
    swap(database, wish(lane), settled=settled)
    lost_attempts(database, NOW + LATER)
    swap(database, settled=[answer(fourth)])
    with closing(open_database(database.url, Use.CHANGE)) as beside:
        pause_lanes(beside, user(1), None, Operator("someone", NOW))
    batch = Batch(NOW + LATER)
    batch.accepted = [decided("f-6", device(6))]
    batch.quarantined = [unusable(b"{no"), unusable(b"\xff\x00"), unusable(body(type="x"))]
    batch.cursors[("drop", "facts.jsonl")] = Cursor("facts.jsonl", 17, 1)
    recorded(database, batch, standing({user(1): [lane]}))


def fill_rendered(database: Database) -> None:
    """Messages that adapters have rendered: some went by one, then by another."""
    lane = lane_of(database, user(2))
    fill(database, [device(n) for n in range(1, 6)], {user(2): [lane]}, first=101)
    with closing(open_database(database.url, Use.CHANGE)) as beside:
        pause_lanes(beside, user(2), None, Operator("another", NOW))
    for adapter, sends in (("duis", 3), ("fax", 2), ("webhook", 1), ("duis", 1)):
        render = None if adapter == "webhook" else _press(adapter)
        wanted = wish(lane, sends, adapter=adapter, render=render)
        claimed = [each for group in swap(database, wanted).sends[lane] for each in group]
        back = [answer(each, DeliveryState.WAITING, due_at=NOW) for each in claimed]
        swap(database, settled=back)


def _press(adapter: str) -> object:
    """Makes bytes that are never the same twice."""
    made = iter(range(1000))
    return lambda _alert: f"{adapter} {next(made)}".encode()


def unusable(raw: bytes) -> Quarantined:
    """A body that goes to quarantine."""
    found = parse(raw)
    assert isinstance(found, Defect)
    message = Message(raw, "facts.jsonl:1", evidence={"message_id": "7"})
    return Quarantined(Arrival(message, "drop", NOW), found.reason, found.detail, found)
