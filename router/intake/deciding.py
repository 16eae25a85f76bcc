"""One piece, decided and recorded in one transaction: nothing comes between a look and the record.

It runs in the ledger's thread: the event loop goes on meanwhile, and a lone fact costs one hop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.deciding.batch import Arrival, Batch, Standing
from router.deciding.judgement import Found, Judgement
from router.domain.facts import Fact
from router.intake.reading import awaited, read
from router.lanes.values import Offer, Recorded
from router.ledger.database import Database, Transaction
from router.ledger.intake import look_up, record
from router.ledger.quarantine import waiting_for


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be decided, and under what."""

    found: Sequence[Found]
    judgement: Judgement
    standing: Standing
    now: datetime
    alone: bool
    """Nothing that waits in quarantine is taken along."""
    whole: bool
    """All that came together is here: see `Judgement.judge`."""
    given_up: Batch | None = None
    """What it comes to where nothing was read."""
    noted: Sequence[Arrival] = ()
    following: Sequence[Arrival] = ()
    """As in `Batch`."""


@dataclass(frozen=True, slots=True)
class DecidedPiece:
    """What became of it."""

    batch: Batch
    recorded: Recorded
    judging: float
    """Seconds."""
    mismatches: int
    rebuilds: int
    """Of the engine, meanwhile."""


def decide(database: Database, task: Task, offer: Offer) -> DecidedPiece:
    """All of it is in the ledger, or nothing. LedgerUnavailable when it can't be used now."""
    engine = task.judgement.engine
    mismatches, rebuilds = engine.mismatches, engine.rebuilds
    judging = 0.0
    with database.transaction() as connection:
        batch = task.given_up
        if batch is None:
            batch, judging = _judged(connection, task)
        batch.noted = task.noted
        batch.following = () if batch.more else task.following
        recorded = record(connection, batch, task.standing, offer)
    return DecidedPiece(
        batch, recorded, judging, engine.mismatches - mismatches, engine.rebuilds - rebuilds
    )


def _judged(connection: Transaction, task: Task) -> tuple[Batch, float]:
    """The batch, and the seconds that it took to judge."""
    by = awaited(task.found)
    held: Sequence[Arrival] = ()
    all_of_it = True
    if by.devices:
        held, all_of_it = waiting_for(connection, by.devices, by.hubs, task.now)
    if task.alone:
        held, all_of_it = (), all_of_it and not held
    beside = read(held)
    waiting, all_of_it = ((), False) if beside.rest else (beside.found, all_of_it)
    found = [*task.found, *waiting]
    known = look_up(
        connection,
        [fact for _, fact in found if isinstance(fact, Fact)],
        [each.quarantined_id for each, _ in found if each.quarantined_id],
    )
    started = time.perf_counter()
    batch = task.judgement.judge(task.found, known, task.now, waiting, whole=task.whole)
    batch.more |= not all_of_it
    return batch, time.perf_counter() - started
