"""Roll-outs of firmware as the ledger knows them: which hubs, and who has been told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from router.domain.timestamps import moment
from router.domain.words import ActivationOutcome
from router.lanes.values import DeliveryState
from router.ledger.database import Database
from router.ledger.stored import stored_alerts
from router.ledger.tables import deliveries, facts, firmware


@dataclass(frozen=True, slots=True)
class AlertTotals:
    """What became of Alerts; one that goes through several channels counts once, as its last."""

    due: int = 0
    delivered: int = 0
    outstanding: int = 0
    """Waiting, being sent, or held on a closed lane."""
    parked: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of firmware."""

    firmware_version: str
    hubs_activated: int
    hubs_failed: int
    """Hubs whose activation failed, also of those where a later one succeeded."""
    hubs_running: int
    """Hubs whose newest successful activation was of this version."""
    first_activated_at: datetime
    last_activated_at: datetime
    alerts_due: int
    alerts_delivered: int
    alerts_outstanding: int
    alerts_parked: int
    alerts_withdrawn: int


@dataclass(frozen=True, slots=True)
class UserRow:
    """What one Service User is told of one version."""

    service_user_id: str
    alerts_due: int
    alerts_delivered: int
    alerts_outstanding: int
    alerts_parked: int
    alerts_withdrawn: int
    oldest_outstanding: datetime | None
    """When it was decided."""


_version_column = facts.c.firmware_version
# the state of an Alert with several deliveries is that of the one with most left to do; what one
# channel delivered, another may have been spared
_LEFT = {DeliveryState.WITHDRAWN: 1, DeliveryState.DELIVERED: 2, DeliveryState.PARKED: 3}
_OUTSTANDING = 4


def versions(database: Database, version: str | None = None) -> list[VersionRow]:
    """Every version that was activated, the newest activation first; or the one that is named."""
    hubs = (
        select(
            _version_column,
            facts.c.outcome,
            func.count(facts.c.device_id.distinct()).label("hubs"),
            func.min(facts.c.activated_at).label("first"),
            func.max(facts.c.activated_at).label("last"),
        )
        .where(_version_column.is_not(None) if version is None else _version_column == version)
        .group_by(_version_column, facts.c.outcome)
    )
    running = select(firmware.c.version, func.count()).group_by(firmware.c.version)
    if version is not None:
        running = running.where(firmware.c.version == version)
    with database.transaction() as connection:
        outcomes: dict[str, dict[str, Any]] = {}
        for row in connection.execute(hubs):
            outcomes.setdefault(row.firmware_version, {})[row.outcome] = row
        now = {row[0]: int(row[1]) for row in connection.execute(running)}
        told = _told(connection, _version_column, version)
    found = [
        _version(name, rows, now.get(name, 0), told.get(name, AlertTotals()))
        for name, rows in outcomes.items()
    ]
    return sorted(found, key=lambda each: each.last_activated_at, reverse=True)


def users(database: Database, version: str) -> list[UserRow]:
    """Every Service User that is told of a version."""
    with database.transaction() as connection:
        told = _told(connection, stored_alerts.c.service_user_id, version)
        oldest = _oldest(connection, version)
    return [UserRow(user, *_counts(each), oldest.get(user)) for user, each in sorted(told.items())]


def _version(name: str, rows: dict[str, Any], running: int, told: AlertTotals) -> VersionRow:
    activated, failed = (rows.get(outcome.value) for outcome in ActivationOutcome)
    return VersionRow(
        name,
        activated.hubs if activated else 0,
        failed.hubs if failed else 0,
        running,
        moment(min(row.first for row in rows.values())),
        moment(max(row.last for row in rows.values())),
        *_counts(told),
    )


def _counts(told: AlertTotals) -> tuple[int, int, int, int, int]:
    return told.due, told.delivered, told.outstanding, told.parked, told.withdrawn


def _states(version: str | None, **columns: Any) -> Select[Any]:
    """Each Alert with what is left to do for it."""
    left = case({state.value: rank for state, rank in _LEFT.items()}, value=deliveries.c.state)
    statement = (
        # of one Alert the columns are all the same
        select(
            *(func.min(column).label(name) for name, column in columns.items()),
            func.max(func.coalesce(left, _OUTSTANDING)).label("left"),
        )
        .select_from(facts)
        .join(stored_alerts, stored_alerts.c.fact_id == facts.c.id)
        .join(deliveries, deliveries.c.alert == stored_alerts.c.id)
        .group_by(stored_alerts.c.id)
    )
    return statement.where(
        _version_column.is_not(None) if version is None else _version_column == version
    )


def _told(connection: Connection, by: Any, version: str | None) -> dict[str, AlertTotals]:
    states = _states(version, name=by).subquery()
    statement = select(states.c.name, states.c.left, func.count()).group_by(
        states.c.name, states.c.left
    )
    counted: dict[str, dict[int, int]] = {}
    for name, left, count in connection.execute(statement):
        counted.setdefault(name, {})[left] = count
    return {
        name: AlertTotals(
            sum(of.values()),
            of.get(_LEFT[DeliveryState.DELIVERED], 0),
            of.get(_OUTSTANDING, 0),
            of.get(_LEFT[DeliveryState.PARKED], 0),
            of.get(_LEFT[DeliveryState.WITHDRAWN], 0),
        )
        for name, of in counted.items()
    }


def _oldest(connection: Connection, version: str) -> dict[str, datetime]:
    of = stored_alerts.c
    states = _states(
        version, service_user_id=of.service_user_id, decided_at=of.decided_at
    ).subquery()
    statement = (
        select(states.c.service_user_id, func.min(states.c.decided_at))
        .where(states.c.left == _OUTSTANDING)
        .group_by(states.c.service_user_id)
    )
    return {user: moment(at) for user, at in connection.execute(statement)}
