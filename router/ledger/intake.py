"""The intake's side of the ledger: what is known, what is recorded, what is released.

One batch of messages is one transaction: facts, decisions, Alerts with their sequences,
deliveries, quarantine, inventory and the source's cursor are there together or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from sqlalchemy import Connection, literal_column, select

from router.deciding.batch import Batch, Known, Standing
from router.deciding.decisions import ABOUT_SOMEBODY
from router.domain.facts import Activation, Fact, Registration
from router.domain.timestamps import stamp
from router.domain.words import QuarantineReason
from router.lanes.values import Claimed, Offer, Recorded
from router.ledger.claims import add_new
from router.ledger.database import Database
from router.ledger.decided import add_accepted
from router.ledger.deliveries import take_in
from router.ledger.dialects import upsert
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
    read_held,
    settle_quarantine,
)
from router.ledger.recorder import ROUTER, Recorder
from router.ledger.tables import (
    cursors,
    decisions,
    facts,
    holding,
    quarantined,
)
from router.ports import Cursor

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
        facts.c.activated_at.in_(among("moments", numbers=True)),
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
_MOVED = upsert(cursors)
_REACHED = Prepared(
    _MOVED.on_conflict_do_update(
        index_elements=["intake", "key"],
        set_={name: _MOVED.excluded[name] for name in ("offset", "line", "digest", "identity")},
    ),
    ("intake", "key", "offset", "line", "digest", "identity"),
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
    new = add_accepted(recorder, batch.accepted, batch.decided_at, standing)
    waiting = add_quarantined(recorder, batch)
    claims = {lane: add_new(recorder, each, current.get(lane)) for lane, each in new.items()}
    recorder.write()
    settle_quarantine(connection, waiting, batch.resolved)
    _write_cursors(connection, batch.cursors)
    clear(connection, batch.noted)
    before = add_notes(connection, batch.following, batch.decided_at)
    waits = [lane for lane, each in new.items() if len(each.deliveries) > _count(claims[lane])]
    sends = {lane: requests for lane, requests in claims.items() if requests}
    due = sum(len(each.due) for each in batch.accepted)
    return Recorded(frozenset(waits), sends, due, before)


def _count(requests: Sequence[Sequence[Claimed]]) -> int:
    return sum(map(len, requests))


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
