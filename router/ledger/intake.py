"""The intake's side of the ledger: what is known, what is recorded, what is released.

One batch of messages is one transaction: facts, decisions, Alerts with their sequences,
deliveries, quarantine, inventory and the source's cursor are there together or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from router.alerts import Alert, alert_id
from router.decisions import Decision, Due
from router.facts import Activation, Defect, Fact, Hub, Reason, Registration
from router.ledger.inventory import (
    Inventory,
    RegistrationKey,
    Running,
    read_inventory,
    write_hubs,
    write_registrations,
    write_running,
)
from router.ledger.moments import stamp
from router.ledger.opening import Database
from router.ledger.recorder import Recorder, Row
from router.ledger.tables import (
    alerts,
    cursors,
    decisions,
    deliveries,
    documents,
    evaluations,
    facts,
    holding,
    hubs,
    quarantined,
    sequences,
)
from router.ports import Cursor, Message

FactKey = tuple[str, str]
ActivationKey = tuple[str, int, str, str]
"""Hub, activated_at, version, outcome: the same activation, whatever its event id."""


class Effect(StrEnum):
    """What a fact did."""

    DECIDED = "decided"
    APPLIED = "applied"
    STALE = "stale"  # an older one than what is stored: recorded, changes nothing


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with the name of the source that brought it; or one released from quarantine."""

    message: Message
    intake: str
    received_at: datetime
    quarantined_id: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A fact that is taken into the ledger, and for activations what was decided."""

    fact: Fact
    arrival: Arrival
    effect: Effect
    grounds: tuple[Hub, tuple[Registration, ...]] | None = None
    decisions: tuple[Decision, ...] = ()
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that can't be used now."""

    arrival: Arrival
    reason: Reason
    detail: str
    found: Fact | Defect


@dataclass(slots=True)
class Batch:
    """What a batch of messages comes to; recorded whole."""

    decided_at: datetime
    accepted: list[Accepted] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    hubs: dict[str, tuple[Hub, datetime]] = field(default_factory=dict)
    registrations: dict[RegistrationKey, tuple[Registration, datetime]] = field(
        default_factory=dict
    )
    running: dict[str, Running] = field(default_factory=dict)
    cursors: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    resolved: list[int] = field(default_factory=list)
    """Quarantine rows that need to wait no longer."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says about the facts and hubs of a batch."""

    taken: dict[FactKey, str]
    """Content digests of facts that are in the ledger."""
    waiting: dict[FactKey, str]
    """Content digests of good facts that wait in quarantine."""
    activations: set[ActivationKey]
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class Lane:
    """Where Alerts of a user go: one lane for each channel."""

    id: int
    hold: timedelta
    """How long after the decision an undelivered Alert is parked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Under what a batch was decided, and where its Alerts go."""

    dcc_id: str
    rules_digest: str
    users_digest: str
    lanes: Mapping[str, Sequence[Lane]]
    """By Service User."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a transaction did that others want to hear of."""

    lanes: frozenset[int]
    """With new deliveries."""
    alerts: int


_FACTS = select(facts.c.source, facts.c.event_id, facts.c.content_digest).where(
    facts.c.event_id.in_(bindparam("ids", expanding=True))
)
_WAITING = (
    select(quarantined.c.source, quarantined.c.event_id, quarantined.c.content_digest)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
    .where(
        quarantined.c.event_id.in_(bindparam("ids", expanding=True)),
        quarantined.c.reason.in_([Reason.UNKNOWN_HUB.value, Reason.ENGINE.value]),
    )
)
_ACTIVATIONS = select(
    facts.c.device_id, facts.c.activated_at, facts.c.firmware_version, facts.c.outcome
).where(
    facts.c.device_id.in_(bindparam("devices", expanding=True)),
    facts.c.activated_at.in_(bindparam("moments", expanding=True)),
)


def look_up(database: Database, found: Sequence[Fact]) -> Known:
    """Everything that deciding about these facts needs, in a handful of queries."""
    ids = sorted({fact.id for fact in found})
    devices = {fact.data.device_id for fact in found}
    points = {fact.data.mpxn for fact in found if isinstance(fact.data, Registration)}
    moments = {stamp(fact.data.activated_at) for fact in found if isinstance(fact.data, Activation)}
    with database.transaction() as connection:
        taken = {(row[0], row[1]): row[2] for row in connection.execute(_FACTS, {"ids": ids})}
        waiting = {(row[0], row[1]): row[2] for row in connection.execute(_WAITING, {"ids": ids})}
        same = connection.execute(
            _ACTIVATIONS, {"devices": sorted(devices), "moments": sorted(moments)}
        )
        activations = {(row[0], row[1], row[2], row[3]) for row in same}
        return Known(taken, waiting, activations, read_inventory(connection, devices, points))


def record(database: Database, batch: Batch, standing: Standing) -> Recorded:
    """Record a batch, in one transaction. Nothing is acknowledged before this has returned."""
    with database.transaction() as connection:
        recorder = Recorder(connection, "router", stamp(batch.decided_at))
        write_hubs(connection, batch.hubs.values())
        write_registrations(connection, batch.registrations.values())
        write_running(connection, batch.running)
        due: list[tuple[int, Accepted, Due]] = []
        for accepted in batch.accepted:
            fact_id = recorder.add(facts, _fact_row(accepted))
            if accepted.grounds is not None:
                _add_decisions(recorder, fact_id, accepted, batch.decided_at, standing)
                due += [(fact_id, accepted, each) for each in accepted.due]
        waiting = _add_quarantined(recorder, batch)
        rows = _add_alerts(recorder, due, batch.decided_at, standing)
        recorder.write()
        if rows:
            connection.execute(insert(deliveries), rows)
        _settle_quarantine(connection, waiting, batch.resolved)
        _move_cursors(connection, batch.cursors)
        return Recorded(frozenset(row["lane_id"] for row in rows), len(due))


def _fact_row(accepted: Accepted) -> Row:
    fact, arrival = accepted.fact, accepted.arrival
    activation = fact.data if isinstance(fact.data, Activation) else None
    return {
        "source": fact.source,
        "event_id": fact.id,
        "type": fact.data.type.value,
        "device_id": fact.data.device_id,
        "effect": accepted.effect.value,
        "firmware_version": activation.firmware_version if activation else None,
        "activated_at": stamp(activation.activated_at) if activation else None,
        "outcome": activation.outcome.value if activation else None,
        **_arrival_columns(arrival),
        "content_digest": fact.content_digest,
        "body": fact.body,
    }


def _arrival_columns(arrival: Arrival) -> Row:
    evidence = arrival.message.evidence
    return {
        "received_at": stamp(arrival.received_at),
        "origin": f"{arrival.intake} {arrival.message.origin}",
        "evidence": json.dumps(dict(evidence), sort_keys=True) if evidence else None,
    }


def _add_decisions(
    recorder: Recorder, fact_id: int, accepted: Accepted, at: datetime, standing: Standing
) -> None:
    assert accepted.grounds is not None
    hub, registered = accepted.grounds
    recorder.add(
        evaluations,
        {
            "fact_id": fact_id,
            "decided_at": stamp(at),
            "rules_digest": standing.rules_digest,
            "users_digest": standing.users_digest,
            "hub": hub.model_dump_json(exclude_none=True),
            "registrations": "["
            + ",".join(each.model_dump_json(exclude_none=True) for each in registered)
            + "]",
        },
    )
    for each in accepted.decisions:
        recorder.add(
            decisions,
            {
                "fact_id": fact_id,
                "party_id": each.party.id if each.party else None,
                "role": each.party.role.value if each.party else None,
                "verdict": each.verdict.value,
                "rule": each.rule,
                "reason": each.reason,
                "alert_code": each.alert_code,
            },
        )


def _add_alerts(
    recorder: Recorder,
    due: list[tuple[int, Accepted, Due]],
    decided_at: datetime,
    standing: Standing,
) -> list[Row]:
    """Adds the Alerts, with their sequences; gives the rows of their deliveries."""
    numbers = _next_sequences(recorder.connection, [each.service_user_id for _, _, each in due])
    rows: list[Row] = []
    for fact_id, accepted, each in due:
        sequence = numbers[each.service_user_id].pop(0)
        alert = _alert(accepted.fact, each, sequence, decided_at, standing)
        number = recorder.add(
            alerts,
            {
                "alert_id": str(alert.id),
                "fact_id": fact_id,
                "service_user_id": alert.service_user_id,
                "sequence": sequence,
                "device_id": alert.device_id,
                "decided_at": stamp(decided_at),
                "event": alert.event(),
            },
        )
        for lane in standing.lanes.get(alert.service_user_id, ()):
            rows.append(_delivery_row(recorder, number, alert, lane))
    return rows


def _alert(fact: Fact, due: Due, sequence: int, decided_at: datetime, standing: Standing) -> Alert:
    activation = fact.data
    assert isinstance(activation, Activation)
    return Alert(
        id=alert_id(fact.source, fact.id, due.service_user_id, due.alert_code),
        alert_code=due.alert_code,
        dcc_id=standing.dcc_id,
        service_user_id=due.service_user_id,
        device_id=activation.device_id,
        firmware_version=activation.firmware_version,
        previous_firmware_version=activation.previous_firmware_version,
        activated_at=activation.activated_at,
        decided_at=decided_at,
        roles=tuple(due.rules),
        rules=due.rules,
        sequence=sequence,
        rules_digest=standing.rules_digest,
    )


def _delivery_row(recorder: Recorder, alert: int, content: Alert, lane: Lane) -> Row:
    at = stamp(content.decided_at)
    return {
        "id": recorder.number(deliveries),
        "alert": alert,
        "lane_id": lane.id,
        "sequence": content.sequence,
        "state": "waiting",
        "attempts": 0,
        "refusals": 0,
        "due_at": at,
        "expires_at": stamp(content.decided_at + lane.hold),
        "recheck": 0,
    }


def _next_sequences(connection: Connection, users: Sequence[str]) -> dict[str, list[int]]:
    """The next numbers of each user, gapless, in the sorted order of users (a row lock each)."""
    wanted: dict[str, int] = defaultdict(int)
    for user in users:
        wanted[user] += 1
    if not wanted:
        return {}
    statement = select(sequences).where(sequences.c.service_user_id.in_(sorted(wanted)))
    last = {row.service_user_id: row.last for row in connection.execute(statement)}
    numbers = {
        user: list(range(last.get(user, 0) + 1, last.get(user, 0) + count + 1))
        for user, count in sorted(wanted.items())
    }
    write = upsert(sequences)
    write = write.on_conflict_do_update(
        index_elements=["service_user_id"], set_={"last": write.excluded.last}
    )
    connection.execute(
        write, [{"service_user_id": user, "last": given[-1]} for user, given in numbers.items()]
    )
    return numbers


def _add_quarantined(recorder: Recorder, batch: Batch) -> list[Row]:
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
        **_arrival_columns(each.arrival),
        "content_digest": found.content_digest,
        "body": found.body,
    }


def _settle_quarantine(
    connection: Connection, waiting: Sequence[Row], resolved: Sequence[int]
) -> None:
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


def _move_cursors(connection: Connection, moved: Mapping[tuple[str, str], Cursor]) -> None:
    if not moved:
        return
    write = upsert(cursors)
    write = write.on_conflict_do_update(
        index_elements=["intake", "key"],
        set_={"offset": write.excluded.offset, "line": write.excluded.line},
    )
    rows = [
        {"intake": intake, "key": key, "offset": cursor.offset, "line": cursor.line}
        for (intake, key), cursor in moved.items()
    ]
    connection.execute(write, rows)


def read_cursors(database: Database, intake: str) -> dict[str, Cursor]:
    """How far a source had been read when the ledger was last written."""
    with database.transaction() as connection:
        rows = connection.execute(select(cursors).where(cursors.c.intake == intake))
        return {row.key: Cursor(row.key, row.offset, row.line) for row in rows}


_RELEASED = (
    select(quarantined)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
    .where(
        or_(
            holding.c.released == 1,
            (holding.c.reason == Reason.UNKNOWN_HUB.value)
            & holding.c.device_id.in_(select(hubs.c.device_id)),
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


def _arrival(row: Any, now: datetime) -> Arrival:
    evidence = json.loads(row.evidence) if row.evidence else {}
    origin = row.origin.removeprefix(f"{row.intake} ")
    return Arrival(Message(row.body, origin, None, evidence), row.intake, now, row.id)


def keep_document(
    database: Database, *, digest: str, kind: str, content: str, now: datetime
) -> None:
    """Keep the text of the rules or users, once, so that decisions can be read later."""
    with database.transaction() as connection:
        known = select(documents.c.digest).where(documents.c.digest == digest)
        if connection.execute(known).first():
            return
        recorder = Recorder(connection, "router", stamp(now))
        row = {"digest": digest, "kind": kind, "content": content, "first_used_at": stamp(now)}
        recorder.add(documents, row)
        recorder.write()


def mark_released(connection: Connection, numbers: Sequence[int]) -> int:
    """Let quarantined facts be tried again; gives how many were waiting."""
    statement = update(holding).where(holding.c.quarantined_id.in_(numbers)).values(released=1)
    return connection.execute(statement).rowcount
