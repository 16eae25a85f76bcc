"""Quarantine: what can't be used waits here with its reason, and nothing is thrown away.

`quarantined` is the record, `holding` says what is still there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, update

from router.compact import compact
from router.deciding.batch import Arrival, Batch, Quarantined
from router.domain.broken import device_named
from router.domain.facts import Fact
from router.domain.timestamps import moment, stamp
from router.domain.words import FactType, QuarantineReason
from router.ledger.database import Database
from router.ledger.dialects import each_in, upsert
from router.ledger.prepared import Prepared, among, listed
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import holding, hubs, quarantined, registrations
from router.ports import Message

_WAITS = (QuarantineReason.UNKNOWN_HUB.value, QuarantineReason.NO_REGISTRATION.value)
_KEPT = select(
    quarantined.c.key,
    quarantined.c.id,
    quarantined.c.reason,
    holding.c.quarantined_id.is_not(None).label("waits"),
).outerjoin(holding, holding.c.quarantined_id == quarantined.c.id)


def add_quarantined(recorder: Recorder, batch: Batch) -> list[Row]:
    """Adds what is new to quarantine; gives the rows of what must wait there."""
    rows = {_quarantine_key(each): each for each in batch.quarantined}
    if not rows:
        return []
    found = recorder.connection.execute(_KEPT.where(quarantined.c.key.in_(rows))).all()
    known = {row.key: row.id for row in found}
    waiting: list[Row] = []
    for key, each in rows.items():
        row = _quarantine_row(key, each)
        number = known[key] if key in known else recorder.add(quarantined, row)
        waiting.append(
            {
                "quarantined_id": number,
                "reason": each.reason.value,
                # what names a hub and is no fact waits for nothing of it, and holds nothing up
                "device_id": row["device_id"] if isinstance(each.found, Fact) else None,
                "released": 0,
                "type": row["type"],
                "waits_since": stamp(batch.decided_at),
            }
        )
        again = each.arrival.quarantined_id
        if again is not None and again != number:
            batch.resolved.append(again)
    # A redelivery of what waits, or was settled, must not wait again; but one that waits for what
    # may come, and was closed, is a fact that nobody has used: it waits anew.
    released = {each.arrival.quarantined_id for each in rows.values()}
    old = {row.id for row in found if row.waits or row.reason not in _WAITS} - released
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
        "device_id": (
            found.data.device_id if isinstance(found, Fact) else device_named(found.body)
        ),
        "reason": each.reason.value,
        "detail": each.detail,
        **_arrival_columns(each.arrival),
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
_REGISTRATION = FactType.REGISTRATION.value
_KNOWN = select(hubs.c.device_id).where(hubs.c.device_id == holding.c.device_id).exists()
_MAY_LEAVE = (
    select(holding.c.quarantined_id)
    .where(
        or_(
            holding.c.released == 1,
            (holding.c.reason == QuarantineReason.UNKNOWN_HUB.value) & _KNOWN,
            (holding.c.reason == QuarantineReason.NO_REGISTRATION.value)
            & or_(
                holding.c.device_id.in_(select(registrations.c.device_id)),
                holding.c.waits_since <= bindparam("before"),
            ),
        )
    )
    .order_by(holding.c.quarantined_id)
    .limit(PORTION)
)
# In the order of their index, so that no portion reads all that wait.
_REGISTRATIONS_THAT_MAY = (
    select(holding.c.quarantined_id)
    .where(
        holding.c.type == _REGISTRATION,
        or_(
            holding.c.released == 1,
            (holding.c.reason == QuarantineReason.UNKNOWN_HUB.value) & _KNOWN,
        ),
    )
    .order_by(holding.c.device_id, holding.c.quarantined_id)
    .limit(PORTION)
)
_WAITING_FOR = (
    select(holding.c.quarantined_id)
    .where(
        holding.c.device_id.in_(bindparam("devices", expanding=True)),
        holding.c.reason.in_(_WAITS),
        or_(holding.c.device_id.in_(bindparam("hubs", expanding=True)), _KNOWN),
    )
    .limit(PORTION + 1)
)
_NUMBERS = quarantined.c.id.in_(bindparam("numbers", expanding=True))
_ORDER = (quarantined.c.type.is_distinct_from(_REGISTRATION), quarantined.c.id)
_THESE = (
    select(quarantined, holding.c.waits_since)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
    .where(_NUMBERS)
    .order_by(*_ORDER)
)
_SIZES = select(quarantined.c.id, func.length(quarantined.c.body)).where(_NUMBERS).order_by(*_ORDER)
# Whatever waits for one hub, one row of it is looked at.
_NAMED = each_in(bindparam("devices"))
_OF_HUB = (holding.c.device_id == _NAMED.c.value) & holding.c.quarantined_id.not_in(
    among("apart", numbers=True)
)
_AWAIT_THEIR_TURN = exists().where(
    holding.c.type == _REGISTRATION,
    _OF_HUB,
    or_(holding.c.reason == QuarantineReason.UNKNOWN_HUB.value, holding.c.released == 1),
)
_WAIT = exists().where(
    _OF_HUB, or_(*(holding.c.reason == reason for reason in _WAITS), holding.c.released == 1)
)
_HELD = Prepared(
    select(_NAMED.c.value, _AWAIT_THEIR_TURN).select_from(_NAMED).where(_WAIT), ("devices", "apart")
)


def released(
    database: Database, now: datetime, await_registration: timedelta, *, registrations_only: bool
) -> list[Arrival]:
    """A portion of what may leave quarantine; of registrations as long as there are any.

    An operator has released it, its hub or that hub's first registration has come, or it has
    waited for a registration for long enough. Registrations go home by home, all else in the order
    of receipt.
    """
    with database.transaction() as connection:
        numbers = list(connection.execute(_REGISTRATIONS_THAT_MAY).scalars())
        if not numbers and not registrations_only:
            given = {"before": stamp(now - await_registration)}
            numbers = list(connection.execute(_MAY_LEAVE, given).scalars())
        return _portion(connection, numbers, now)


def waiting_for(
    connection: Connection, devices: Iterable[str], hubs: Iterable[str], now: datetime
) -> tuple[list[Arrival], bool]:
    """What waits for hubs, or first registrations, of `devices`; and whether that is all of it.

    Of those that are known, or are among `hubs`: for nothing else do others wait. Registrations
    first, all in the order of receipt. Nothing, where it is more than a portion: part of a home
    is no help.
    """
    given = {"devices": sorted(devices), "hubs": sorted(hubs)}
    numbers = list(connection.execute(_WAITING_FOR, given).scalars())
    found = _portion(connection, numbers, now) if len(numbers) <= PORTION else []
    whole = len(found) == len(numbers)
    return found if whole else [], whole


def read_held(
    connection: Connection, devices: Collection[str], taken_up: Iterable[int]
) -> dict[str, bool]:
    """For which hubs facts wait that are not `taken_up`; True where registrations await their turn.

    A registration waits for nothing but its hub.
    """
    if not devices:
        return {}
    found = _HELD.ask(connection, listed(sorted(devices)), listed(sorted(taken_up)))
    return {row[0]: bool(row[1]) for row in found}


def _portion(connection: Connection, numbers: Sequence[int], now: datetime) -> list[Arrival]:
    """As many of these as PORTION_BYTES have room for, always the first.

    Registrations first, all in the order of receipt.
    """
    if not numbers:
        return []
    fit: list[int] = []
    size = 0
    for row in connection.execute(_SIZES, {"numbers": numbers}):
        if fit and size + row[1] > PORTION_BYTES:
            break
        fit.append(row[0])
        size += row[1]
    return [_arrival(row, now) for row in connection.execute(_THESE, {"numbers": fit})]


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
        waits_since=moment(row.waits_since),
        suspect=reason is QuarantineReason.ENGINE,
    )


def mark_released(connection: Connection, numbers: Sequence[int]) -> int:
    """Let quarantined facts be tried again; gives how many were waiting."""
    statement = update(holding).where(holding.c.quarantined_id.in_(numbers)).values(released=1)
    return connection.execute(statement).rowcount


def arrival_values(arrival: Arrival) -> tuple[int, str, str | None]:
    """What facts and quarantine both keep of a message's arrival: when, from where, evidence."""
    evidence = arrival.message.evidence
    return (
        stamp(arrival.received_at),
        f"{arrival.intake} {arrival.message.origin}",
        compact(dict(sorted(evidence.items()))).decode() if evidence else None,
    )


def _arrival_columns(arrival: Arrival) -> dict[str, Any]:
    return dict(zip(("received_at", "origin", "evidence"), arrival_values(arrival), strict=True))
