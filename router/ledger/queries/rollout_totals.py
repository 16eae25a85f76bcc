"""Roll-outs as the ledger has them in all: counted once, for gauges that go on from there.

What comes after a moment the router counts itself. What was before is told by the numbers of
records, which only grow: so it can be counted later, in portions that hold nobody up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select

from router.ledger.database import Database
from router.ledger.stored import stored_alerts, stored_facts
from router.ledger.tables import deliveries, outcomes

PORTION = 50_000
"""Records in one transaction: some tens of milliseconds."""
_VERSION = stored_facts.c.firmware_version


@dataclass(frozen=True, slots=True)
class Upto:
    """The newest records of a moment; 0 where there are none."""

    facts: int
    alerts: int
    outcomes: int


@dataclass(slots=True)
class RolloutTotals:
    """By firmware version."""

    activations: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By version and outcome."""
    alerts: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)
    """Deliveries that arrived; one that was sent again counts again."""


def newest_records(database: Database) -> Upto:
    """As of now."""
    columns = (stored_facts.c.id, stored_alerts.c.id, outcomes.c.id)
    with database.transaction() as connection:
        return Upto(
            *(connection.execute(select(func.max(each))).scalar_one() or 0 for each in columns)
        )


def rollout_totals(
    database: Database, upto: Upto, wanted: Callable[[], bool] = lambda: True
) -> RolloutTotals | None:
    """All up to these records; None when it is not `wanted` any more."""
    found = RolloutTotals()
    outcome = stored_facts.c.outcome
    activations = (
        select(_VERSION, outcome, func.count())
        .where(_VERSION.is_not(None), stored_facts.c.id <= upto.facts)
        .group_by(_VERSION, outcome)
    )
    with database.transaction() as connection:
        found.activations.update(
            {(row[0], row[1]): row[2] for row in connection.execute(activations)}
        )
    for counter, last, portion in (
        (found.alerts, upto.alerts, _alerts),
        (found.delivered, upto.outcomes, _delivered),
    ):
        for first, behind in _portions(last):
            if not wanted():
                return None
            with database.transaction() as connection:
                rows = connection.execute(portion(first, behind))
                counter.update({row[0]: row[1] for row in rows})
    return found


def _portions(last: int) -> Iterator[tuple[int, int]]:
    for first in range(1, last + 1, PORTION):
        yield first, min(first + PORTION, last + 1)


def _alerts(first: int, behind: int) -> Select[Any]:
    return (
        select(_VERSION, func.count())
        .select_from(stored_alerts)
        .join(stored_facts, stored_facts.c.id == stored_alerts.c.fact_id)
        .where(stored_alerts.c.id >= first, stored_alerts.c.id < behind)
        .group_by(_VERSION)
    )


def _delivered(first: int, behind: int) -> Select[Any]:
    return (
        select(_VERSION, func.count())
        .select_from(outcomes)
        .join(deliveries, deliveries.c.id == outcomes.c.delivery_id)
        .join(stored_alerts, stored_alerts.c.id == deliveries.c.alert)
        .join(stored_facts, stored_facts.c.id == stored_alerts.c.fact_id)
        .where(outcomes.c.id >= first, outcomes.c.id < behind, outcomes.c.outcome == "delivered")
        .group_by(_VERSION)
    )
