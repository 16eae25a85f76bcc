"""Quarantine: what can't be used waits here with its reason, and nothing is thrown away.

`quarantined` is the record, `holding` says what is still there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from router.deciding.batch import Arrival, Batch, Quarantined
from router.domain.facts import Fact, QuarantineReason
from router.domain.timestamps import stamp
from router.ledger.database import Database
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import holding, hubs, quarantined
from router.ports import Message


def add_quarantined(recorder: Recorder, batch: Batch) -> list[Row]:
    """Adds what is new to quarantine; gives the rows of what must wait there."""
    rows = {_quarantine_key(each): each for each in batch.quarantined}
    if not rows:
        return []
    statement = select(quarantined.c.key, quarantined.c.id).where(quarantined.c.key.in_(rows))
    known = {row.key: row.id for row in recorder.connection.execute(statement)}
    waiting: list[Row] = []
    for key, each in rows.items():
        row = _quarantine_row(key, each)
        number = known[key] if key in known else recorder.add(quarantined, row)
        waiting.append(
            {
                "quarantined_id": number,
                "reason": each.reason.value,
                "device_id": row["device_id"],
                "released": 0,
            }
        )
        again = each.arrival.quarantined_id
        if again is not None and again != number:
            batch.resolved.append(again)
    # A redelivery of what was quarantined and since released must not wait again.
    released = {each.arrival.quarantined_id for each in rows.values()}
    old = set(known.values()) - released
    return [row for row in waiting if row["quarantined_id"] not in old]


def _quarantine_key(each: Quarantined) -> str:
    found = each.found
    parts = [
        each.arrival.intake,
        found.source or "",
        found.id or "",
        hashlib.sha256(found.body).hexdigest(),
        each.reason.value,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _quarantine_row(key: str, each: Quarantined) -> Row:
    found = each.found
    kind = found.data.type.value if isinstance(found, Fact) else found.type
    return {
        "key": key,
        "intake": each.arrival.intake,
        "source": found.source,
        "event_id": found.id,
        "type": kind,
        "device_id": found.data.device_id if isinstance(found, Fact) else None,
        "reason": each.reason.value,
        "detail": each.detail,
        **arrival_columns(each.arrival),
        "content_digest": found.content_digest,
        "body": found.body,
    }


def settle_quarantine(
    connection: Connection, waiting: Sequence[Row], resolved: Sequence[int]
) -> None:
    """Write what has to wait, and take out what need not wait any longer."""
    if waiting:
        write = upsert(holding)
        write = write.on_conflict_do_update(
            index_elements=["quarantined_id"], set_={"released": write.excluded.released}
        )
        connection.execute(write, waiting)
    if resolved:
        connection.execute(
            delete(holding).where(holding.c.quarantined_id == bindparam("resolved")),
            [{"resolved": number} for number in resolved],
        )


_RELEASED = (
    select(quarantined)
    .where(
        # not a join: SQLite would begin it with all that was ever quarantined
        quarantined.c.id.in_(
            select(holding.c.quarantined_id).where(
                or_(
                    holding.c.released == 1,
                    (holding.c.reason == QuarantineReason.UNKNOWN_HUB.value)
                    & holding.c.device_id.in_(select(hubs.c.device_id)),
                )
            )
        )
    )
    # registrations first, so that an activation finds its recipients
    .order_by(quarantined.c.type.desc(), quarantined.c.id)
    .limit(500)
)


def released(database: Database, now: datetime) -> list[Arrival]:
    """What may leave quarantine: released by an operator, or its hub has come."""
    with database.transaction() as connection:
        return [_arrival(row, now) for row in connection.execute(_RELEASED)]


def waiting_for(database: Database, devices: Iterable[str], now: datetime) -> list[Arrival]:
    """What waits for these hubs, in the order of receipt."""
    statement = (
        select(quarantined)
        .where(
            quarantined.c.id.in_(
                select(holding.c.quarantined_id).where(
                    holding.c.reason == QuarantineReason.UNKNOWN_HUB.value,
                    holding.c.device_id.in_(sorted(devices)),
                )
            )
        )
        .order_by(quarantined.c.id)
    )
    with database.transaction() as connection:
        return [_arrival(row, now) for row in connection.execute(statement)]


def _arrival(row: Any, now: datetime) -> Arrival:
    evidence = json.loads(row.evidence) if row.evidence else {}
    origin = row.origin.removeprefix(f"{row.intake} ")
    message = Message(row.body, origin, None, evidence)
    suspect = row.reason == QuarantineReason.ENGINE.value
    return Arrival(message, row.intake, now, quarantined_id=row.id, suspect=suspect)


def mark_released(connection: Connection, numbers: Sequence[int]) -> int:
    """Let quarantined facts be tried again; gives how many were waiting."""
    statement = update(holding).where(holding.c.quarantined_id.in_(numbers)).values(released=1)
    return connection.execute(statement).rowcount


def arrival_columns(arrival: Arrival) -> dict[str, Any]:
    """What facts and quarantine both keep of a message's arrival."""
    evidence = arrival.message.evidence
    return {
        "received_at": stamp(arrival.received_at),
        "origin": f"{arrival.intake} {arrival.message.origin}",
        "evidence": json.dumps(dict(evidence), sort_keys=True) if evidence else None,
    }
