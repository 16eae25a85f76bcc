"""The ledger in numbers: what waits in it, and what a run prints when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, Select, func, select

from router.deciding.decisions import Verdict
from router.lanes.values import DeliveryState
from router.ledger.backlog import count_waiting
from router.ledger.database import Database
from router.ledger.lanes import PARKED, PENDING
from router.ledger.queries.wanted import SHOWN_STATE
from router.ledger.stored import stored_alerts
from router.ledger.tables import decisions, deliveries, facts, holding, lanes


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """Counts over the whole ledger."""

    facts: Mapping[tuple[str, str], int]
    """By type and effect."""
    decisions: Mapping[tuple[str, str], int]
    """By verdict and role; the role is empty where the verdict is on the whole fact."""
    alerts: Mapping[str, int]
    """By Service User."""
    told: Mapping[tuple[str, str], int]
    """By Service User and role: an Alert for two roles counts in both."""
    deliveries: Mapping[str, int]
    """By state; Alerts on a closed lane are `held`."""
    suppressed: Mapping[tuple[str, str], int]
    """By rule and its reason."""
    quarantined: Mapping[str, int]
    """What waits in quarantine, by reason."""

    def in_state(self, state: DeliveryState) -> int:
        """How many deliveries are in a state."""
        return self.deliveries.get(state.value, 0)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """What is not done, and what there is of it on disk."""

    pending: Mapping[int, tuple[int, datetime]]
    """By lane: how many Alerts, and when the oldest was decided."""
    parked: Mapping[int, int]
    """By lane."""
    quarantined: Mapping[str, int]
    """By reason."""
    bytes: Mapping[str, int]
    """`database` and `log`, which SQLite folds into it now and then."""


def outstanding(database: Database) -> Outstanding:
    """Count what waits; grows with that and not with the ledger."""
    parked = _count(deliveries.c.lane_id).where(PARKED)
    with database.transaction() as connection:
        found = _singles(connection, parked)
        quarantined = _singles(connection, _count(holding.c.reason))
    pending = count_waiting(database)
    return Outstanding(pending, found, quarantined, database.sizes())


def outstanding_by_version(database: Database) -> dict[str, int]:
    """Alerts that wait or are held, by firmware version; some seconds where millions do."""
    version = facts.c.firmware_version
    statement = (
        select(version, func.count())
        .select_from(deliveries)
        .join(stored_alerts, stored_alerts.c.id == deliveries.c.alert)
        .join(facts, facts.c.id == stored_alerts.c.fact_id)
        .where(PENDING)
        .group_by(version)
    )
    with database.transaction() as connection:
        return _singles(connection, statement)


def ledger_totals(database: Database) -> LedgerTotals:
    """Count everything; takes its time on a large ledger."""
    of = decisions.c
    alerted, suppressed = Verdict.ALERTED.value, Verdict.SUPPRESSED.value
    with database.transaction() as connection:
        return LedgerTotals(
            facts=_pairs(connection, _count(facts.c.type, facts.c.effect)),
            decisions=_pairs(connection, _count(of.verdict, of.role)),
            alerts=_singles(connection, _count(stored_alerts.c.service_user_id)),
            told=_pairs(connection, _count(of.party_id, of.role).where(of.verdict == alerted)),
            deliveries=_singles(
                connection,
                select(SHOWN_STATE.label("shown"), func.count())
                .select_from(deliveries)
                .join(lanes, lanes.c.id == deliveries.c.lane_id)
                .group_by("shown")
                .order_by("shown"),
            ),
            suppressed=_pairs(
                connection, _count(of.rule, of.reason).where(of.verdict == suppressed)
            ),
            quarantined=_singles(connection, _count(holding.c.reason)),
        )


def _count(*columns: Any) -> Select[Any]:
    return select(*columns, func.count()).group_by(*columns).order_by(*columns)


def _singles(connection: Connection, statement: Executable) -> dict[Any, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}


def _pairs(connection: Connection, statement: Executable) -> dict[tuple[str, str], int]:
    return {(row[0] or "", row[1] or ""): row[2] for row in connection.execute(statement)}
