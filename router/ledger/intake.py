"""The intake's side of the ledger: what is known, what is recorded, what is released.

One batch of messages is one transaction: facts, decisions, Alerts with their sequences,
deliveries, quarantine, inventory and the source's cursor are there together or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime

from sqlalchemy import Connection, literal_column, select
from sqlalchemy.dialects.sqlite import insert as upsert

from router.deciding.batch import Accepted, Batch, Known, LaneOfUser, Standing
from router.deciding.decisions import ABOUT_SOMEBODY, Due
from router.domain.facts import Activation, Fact, Registration
from router.domain.timestamps import stamp
from router.domain.words import QuarantineReason
from router.lanes.picking import pick_new
from router.lanes.values import Claimed, Offer, Recorded, Wish
from router.ledger.claims import NewDelivery, claim_new
from router.ledger.database import Database
from router.ledger.deliveries import take_in
from router.ledger.inventory import (
    read_inventory,
    write_hubs,
    write_registrations,
    write_running,
)
from router.ledger.poison import add_notes, clear
from router.ledger.prepared import Prepared, among, listed
from router.ledger.quarantine import (
    add_quarantined,
    arrival_columns,
    read_held,
    settle_quarantine,
)
from router.ledger.recorder import ROUTER, Recorder, Row
from router.ledger.tables import (
    alerts,
    cursors,
    decisions,
    deliveries,
    evaluations,
    facts,
    holding,
    quarantined,
    sequences,
)
from router.ports import Alert, Cursor
from router.ports.alerts import alert_id

NOTHING = Offer()
_FACTS = Prepared(
    select(facts.c.source, facts.c.event_id, facts.c.content_digest).where(
        # with the sources, though the ids would do: the index begins with them
        facts.c.source.in_(among("sources")),
        facts.c.event_id.in_(among("ids")),
    ),
    ("sources", "ids"),
)
_WAITING = Prepared(
    select(quarantined.c.source, quarantined.c.event_id, quarantined.c.content_digest)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
    .where(
        quarantined.c.event_id.in_(among("ids")),
        quarantined.c.reason.in_(
            [
                literal_column(f"'{reason.value}'")
                for reason in (
                    QuarantineReason.UNKNOWN_HUB,
                    QuarantineReason.NO_REGISTRATION,
                    QuarantineReason.ENGINE,
                )
            ]
        ),
    ),
    ("ids",),
)
_ACTIVATIONS = Prepared(
    select(
        facts.c.device_id, facts.c.activated_at, facts.c.firmware_version, facts.c.outcome
    ).where(
        facts.c.device_id.in_(among("devices")),
        facts.c.activated_at.in_(among("moments")),
        # one that nobody could be told about bars no other
        select(decisions.c.fact_id)
        .where(
            decisions.c.fact_id == facts.c.id,
            decisions.c.verdict.in_(
                [literal_column(f"'{verdict.value}'") for verdict in ABOUT_SOMEBODY]
            ),
        )
        .exists(),
    ),
    ("devices", "moments"),
)
_SEQUENCES = Prepared(
    select(sequences.c.service_user_id, sequences.c.last).where(
        sequences.c.service_user_id.in_(among("users"))
    ),
    ("users",),
)
_GIVEN = upsert(sequences)
_MOVED = upsert(cursors)
_REACHED = Prepared(
    _MOVED.on_conflict_do_update(
        index_elements=["intake", "key"],
        set_={name: _MOVED.excluded[name] for name in ("offset", "line", "digest", "identity")},
    ),
    ("intake", "key", "offset", "line", "digest", "identity"),
)
_NUMBERED = Prepared(
    _GIVEN.on_conflict_do_update(
        index_elements=["service_user_id"], set_={"last": _GIVEN.excluded.last}
    ),
    ("service_user_id", "last"),
)


def look_up(connection: Connection, found: Sequence[Fact], taken_up: Sequence[int] = ()) -> Known:
    """Everything that deciding about these facts needs, in a handful of queries.

    `taken_up` are those in quarantine that are decided with them, by number.
    """
    ids = listed(sorted({fact.id for fact in found}))
    sources = listed(sorted({fact.source for fact in found}))
    devices = {fact.data.device_id for fact in found}
    points = {fact.data.mpxn for fact in found if isinstance(fact.data, Registration)}
    activated = [fact.data for fact in found if isinstance(fact.data, Activation)]
    moments = {stamp(each.activated_at) for each in activated}
    taken = {(row[0], row[1]): row[2] for row in _FACTS.ask(connection, sources, ids)}
    waiting = {(row[0], row[1]): row[2] for row in _WAITING.ask(connection, ids)}
    same = _ACTIVATIONS.ask(connection, listed(sorted(devices)), listed(sorted(moments)))
    activations = {(row[0], row[1], row[2], row[3]) for row in same}
    inventory = read_inventory(connection, devices, points)
    held = read_held(connection, {each.device_id for each in activated}, taken_up)
    return Known(taken, waiting, activations, inventory, held)


def record(
    connection: Connection, batch: Batch, standing: Standing, offer: Offer = NOTHING
) -> Recorded:
    """Record a batch. Nothing is acknowledged before its transaction is committed.

    `offer` is what lanes would send at once, which is claimed with the same commit, and what came
    back from them.
    """
    recorder = Recorder(connection, ROUTER, stamp(batch.decided_at))
    known = recorder.version
    current = {lane: wish for lane, wish in offer.wishes.items() if wish.idle_at == known}
    take_in(connection, recorder, offer.news, batch.decided_at)
    write_hubs(connection, batch.hubs.values())
    write_registrations(connection, batch.registrations.values())
    write_running(connection, batch.running)
    due: list[tuple[int, Accepted, Due]] = []
    for accepted in batch.accepted:
        fact_id = recorder.add(facts, _fact_row(accepted))
        if accepted.grounds is not None:
            _add_decisions(recorder, fact_id, accepted, batch.decided_at, standing)
            due += [(fact_id, accepted, each) for each in accepted.due]
    waiting = add_quarantined(recorder, batch)
    new = _add_alerts(recorder, due, batch.decided_at, standing)
    sends = _claim(recorder, current, new, batch.decided_at)
    recorder.write()
    settle_quarantine(connection, waiting, batch.resolved)
    _write_cursors(connection, batch.cursors)
    clear(connection, batch.noted)
    before = add_notes(connection, batch.following, batch.decided_at)
    waits = frozenset(lane for lane, rows in new.items() if len(rows) > _count(sends.get(lane)))
    return Recorded(waits, sends, len(due), before)


def _claim(
    recorder: Recorder,
    offers: Mapping[int, Wish],
    new: Mapping[int, Sequence[NewDelivery]],
    now: datetime,
) -> dict[int, list[list[Claimed]]]:
    """The first attempts of what lanes have room for."""
    return {
        lane: claim_new(
            recorder,
            wish,
            pick_new(
                [(each.alert.device_id, each.alert.sequence, each) for each in new[lane]], wish
            ),
            now,
        )
        for lane, wish in offers.items()
        if lane in new
    }


def _count(requests: Sequence[Sequence[Claimed]] | None) -> int:
    return sum(map(len, requests or ()))


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
        **arrival_columns(arrival),
        "content_digest": fact.content_digest,
        "body": fact.body,
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
) -> dict[int, list[NewDelivery]]:
    """Adds the Alerts, with their sequences, and their deliveries; gives these by lane."""
    numbers = _next_sequences(recorder.connection, [each.service_user_id for _, _, each in due])
    new: dict[int, list[NewDelivery]] = defaultdict(list)
    for fact_id, accepted, each in due:
        sequence = numbers[each.service_user_id].pop(0)
        alert = _alert(accepted.fact, each, sequence, decided_at, standing)
        event = alert.event()
        number = recorder.add(
            alerts,
            {
                "alert_id": str(alert.id),
                "fact_id": fact_id,
                "service_user_id": alert.service_user_id,
                "sequence": sequence,
                "device_id": alert.device_id,
                "decided_at": stamp(decided_at),
                "event": event,
            },
        )
        for lane in standing.lanes.get(alert.service_user_id, ()):
            row = _delivery_row(number, alert, lane)
            recorder.add(deliveries, row)
            new[lane.id].append(NewDelivery(row, alert, event, accepted.arrival.received_at))
    return new


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


def _delivery_row(alert: int, content: Alert, lane: LaneOfUser) -> Row:
    at = stamp(content.decided_at)
    return {
        "alert": alert,
        "lane_id": lane.id,
        "sequence": content.sequence,
        "state": "waiting",
        "attempts": 0,
        "refusals": 0,
        "due_at": at,
        "expires_at": stamp(content.decided_at + lane.hold),
        "recheck": 0,
        "aside": 0,
    }


def _next_sequences(connection: Connection, users: Sequence[str]) -> dict[str, list[int]]:
    """The next numbers of each user, gapless, in the sorted order of users (a row lock each)."""
    wanted: dict[str, int] = defaultdict(int)
    for user in users:
        wanted[user] += 1
    if not wanted:
        return {}
    last = {row[0]: row[1] for row in _SEQUENCES.ask(connection, listed(sorted(wanted)))}
    numbers = {
        user: list(range(last.get(user, 0) + 1, last.get(user, 0) + count + 1))
        for user, count in sorted(wanted.items())
    }
    _NUMBERED.run(connection, [(user, given[-1]) for user, given in numbers.items()])
    return numbers


def move_cursors(database: Database, intake: str, moved: Sequence[Cursor]) -> None:
    """How far a source has been read, where no message says so."""
    with database.transaction() as connection:
        _write_cursors(connection, {(intake, each.key): each for each in moved})


def _write_cursors(connection: Connection, moved: Mapping[tuple[str, str], Cursor]) -> None:
    rows = [(intake, *astuple(cursor)) for (intake, _), cursor in moved.items()]
    _REACHED.run(connection, rows)


def read_cursors(database: Database, intake: str) -> dict[str, Cursor]:
    """How far a source had been read when the ledger was last written."""
    with database.transaction() as connection:
        rows = connection.execute(select(cursors).where(cursors.c.intake == intake))
        return {
            row.key: Cursor(row.key, row.offset, row.line, row.digest, row.identity) for row in rows
        }
