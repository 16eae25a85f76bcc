"""Quarantine: what can't be used waits here with its reason, and nothing is thrown away.

`quarantined` is the record, `holding` says what is still there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from router.deciding.batch import Arrival, Batch, Quarantined
from router.domain.facts import Fact, FactType, QuarantineReason
from router.domain.timestamps import moment, stamp
from router.ledger.database import Database
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import holding, hubs, quarantined, registrations
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
        each.arrival.message.digest,
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


PORTION = 500
"""The most facts that leave quarantine together."""
PORTION_BYTES = 512 * 1024
"""What has so many bytes is a portion, too."""
_WAITS = (QuarantineReason.UNKNOWN_HUB.value, QuarantineReason.NO_REGISTRATION.value)
_REGISTRATION = FactType.REGISTRATION.value


def _its_record(*conditions: Any) -> Any:
    """Whether the record of what is held meets these; not a join: SQLite would begin it there."""
    return (
        select(quarantined.c.id)
        .where(quarantined.c.id == holding.c.quarantined_id, *conditions)
        .exists()
    )


_MAY_LEAVE = (
    select(holding.c.quarantined_id)
    .where(
        or_(
            holding.c.released == 1,
            (holding.c.reason == QuarantineReason.UNKNOWN_HUB.value)
            & holding.c.device_id.in_(select(hubs.c.device_id)),
            (holding.c.reason == QuarantineReason.NO_REGISTRATION.value)
            & or_(
                holding.c.device_id.in_(select(registrations.c.device_id)),
                _its_record(quarantined.c.received_at <= bindparam("before")),
            ),
        )
    )
    .order_by(holding.c.quarantined_id)
    .limit(PORTION)
)
_REGISTRATIONS_THAT_MAY = _MAY_LEAVE.where(_its_record(quarantined.c.type == _REGISTRATION))
_NUMBERS = quarantined.c.id.in_(bindparam("numbers", expanding=True))
_THESE = select(quarantined).where(_NUMBERS)
_SIZES = select(quarantined.c.id, func.length(quarantined.c.body)).where(_NUMBERS)


def released(
    database: Database, now: datetime, await_registration: timedelta, *, registrations_only: bool
) -> list[Arrival]:
    """A portion of what may leave quarantine, in the order of receipt.

    An operator has released it, its hub or that hub's first registration has come, or it has
    waited for a registration for long enough. Registrations are asked for first, so that
    activations find their recipients.
    """
    statement = _REGISTRATIONS_THAT_MAY if registrations_only else _MAY_LEAVE
    with database.transaction() as connection:
        given = {"before": stamp(now - await_registration)}
        numbers = list(connection.execute(statement, given).scalars())
        return _portion(connection, numbers, (quarantined.c.id,), now)


def waiting_for(
    database: Database, devices: Iterable[str], now: datetime
) -> tuple[list[Arrival], bool]:
    """A portion of what waits for these hubs or their first registrations; whether it is all.

    Registrations first, all in the order of receipt. What is more leaves quarantine behind it, by
    `released`.
    """
    order = (quarantined.c.type != _REGISTRATION, quarantined.c.id)
    statement = (
        select(quarantined.c.id)
        .where(
            quarantined.c.id.in_(
                select(holding.c.quarantined_id).where(
                    holding.c.reason.in_(_WAITS), holding.c.device_id.in_(sorted(devices))
                )
            )
        )
        .order_by(*order)
        .limit(PORTION)
    )
    with database.transaction() as connection:
        numbers = list(connection.execute(statement).scalars())
        found = _portion(connection, numbers, order, now)
        return found, len(found) == len(numbers) < PORTION


def _portion(
    connection: Connection, numbers: Sequence[int], order: Sequence[Any], now: datetime
) -> list[Arrival]:
    """As many of these, in their order, as PORTION_BYTES have room for; always the first."""
    fit: list[int] = []
    size = 0
    if numbers:
        for row in connection.execute(_SIZES.order_by(*order), {"numbers": numbers}):
            if fit and size + row[1] > PORTION_BYTES:
                break
            fit.append(row[0])
            size += row[1]
    if not fit:
        return []
    rows = connection.execute(_THESE.order_by(*order), {"numbers": fit})
    return [_arrival(row, now) for row in rows]


def _arrival(row: Any, now: datetime) -> Arrival:
    evidence = json.loads(row.evidence) if row.evidence else {}
    origin = row.origin.removeprefix(f"{row.intake} ")
    message = Message(row.body, origin, None, evidence)
    reason = QuarantineReason(row.reason)
    return Arrival(
        message,
        row.intake,
        now,
        quarantined_id=row.id,
        waits_as=reason,
        waits_since=moment(row.received_at),
        suspect=reason is QuarantineReason.ENGINE,
    )


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
