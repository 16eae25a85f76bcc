"""The ledger at a glance, for the status page: small whatever the size of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from router.domain.timestamps import moment
from router.ledger.database import Database
from router.ledger.lanes import PARKED
from router.ledger.queries.actions import ActionFilter, ActionRow, list_actions
from router.ledger.queries.lanes import LaneState, list_lanes
from router.ledger.queries.lists import QuarantineRow, list_quarantine
from router.ledger.tables import deliveries, facts, holding, lanes

ACTIONS = 10
"""How many actions are read."""
FACTS = 10
"""And facts in quarantine."""


@dataclass(frozen=True, slots=True)
class Overview:
    """How the intake and the lanes stand."""

    lanes: Sequence[LaneState]
    parked: Mapping[tuple[str, str], int]
    """How many Alerts, by user and channel; lanes without any are left out."""
    quarantined: Mapping[str, int]
    """How many facts wait in quarantine, by reason."""
    waiting_facts: Sequence[QuarantineRow]
    """The newest in quarantine."""
    last_fact: datetime | None
    """When the newest was received."""
    actions: Sequence[ActionRow]
    """The newest of operators and of the router itself."""


def overview(database: Database) -> Overview:
    """Read it. LedgerUnavailable when that can't be done now."""
    waiting = list_lanes(database)
    facts_waiting = list_quarantine(database, limit=FACTS)
    done = list_actions(database, ActionFilter(), limit=ACTIONS)
    parked = (
        select(deliveries.c.lane_id, func.count().label("parked"))
        .where(PARKED)
        .group_by(deliveries.c.lane_id)
        .subquery()
    )
    of_lane = select(lanes.c.service_user_id, lanes.c.channel, parked.c.parked).join(
        parked, parked.c.lane_id == lanes.c.id
    )
    reasons = select(holding.c.reason, func.count()).group_by(holding.c.reason)
    newest = select(func.max(facts.c.id)).scalar_subquery()
    received = select(facts.c.received_at).where(facts.c.id == newest)
    with database.transaction() as connection:
        last = connection.execute(received).scalar_one_or_none()
        return Overview(
            lanes=waiting,
            parked={(row[0], row[1]): row[2] for row in connection.execute(of_lane)},
            quarantined={row[0]: row[1] for row in connection.execute(reasons)},
            waiting_facts=facts_waiting,
            last_fact=None if last is None else moment(last),
            actions=done,
        )
