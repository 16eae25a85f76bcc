"""What operators ask the ledger: lists, each row flat.

Nothing here changes anything. A row names its columns as contract.md does, so that it can be
printed as a table or as JSON without another word list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TextClause, case, func, select

from router.domain.timestamps import moment, stamp
from router.lanes.values import DeliveryState
from router.ledger.database import Database
from router.ledger.lanes import PENDING
from router.ledger.tables import alerts, deliveries, holding, lanes, quarantined

SHOWN_STATE: ColumnElement[str] = case(
    (
        deliveries.c.state.in_([DeliveryState.WAITING.value, DeliveryState.UNKNOWN.value])
        & lanes.c.closed.is_not(None),
        DeliveryState.HELD.value,
    ),
    else_=deliveries.c.state,
)
"""The state as people see it: what waits on a closed lane is held."""

Clause = ColumnElement[bool] | TextClause


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are meant; what is None does not matter."""

    state: DeliveryState | None = None
    user: str | None = None
    hub: str | None = None
    since: datetime | None = None
    """Decided at this moment or later."""

    def clauses(self) -> list[Clause]:
        """For a query over alerts, deliveries and lanes."""
        found: list[Clause] = []
        if self.state is not None:
            found.append(SHOWN_STATE.in_([self.state.value]))
        if self.state not in {
            None,
            DeliveryState.DELIVERED,
            DeliveryState.PARKED,
            DeliveryState.WITHDRAWN,
        }:
            found.append(PENDING)  # so that the partial index is used
        if self.user is not None:
            found.append(alerts.c.service_user_id == self.user)
        if self.hub is not None:
            found.append(alerts.c.device_id == self.hub)
        if self.since is not None:
            found.append(alerts.c.decided_at >= stamp(self.since))
        return found


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One Alert on one channel."""

    id: str
    service_user_id: str
    channel: str | None
    """None where the user had no channel when it was decided."""
    state: str | None
    sequence: int
    alert_code: str
    device_id: str
    firmware_version: str
    decided_at: datetime
    attempts: int
    due_at: datetime | None
    """Not to be sent before; None once it is settled."""


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A fact that could not be used and still waits."""

    id: int
    source: str | None
    type: str | None
    reason: str
    detail: str
    received_at: datetime
    event_id: str | None
    device_id: str | None
    origin: str
    released: bool
    """An operator has released it; the router will try it again."""


_ALERTS = (
    select(
        alerts.c.event,
        lanes.c.channel,
        SHOWN_STATE.label("shown"),
        deliveries.c.attempts,
        deliveries.c.due_at,
    )
    .select_from(alerts)
    .outerjoin(deliveries, deliveries.c.alert == alerts.c.id)
    .outerjoin(lanes, lanes.c.id == deliveries.c.lane_id)
)


def list_alerts(database: Database, wanted: Filter, *, limit: int) -> list[AlertRow]:
    """The newest that match, newest first."""
    # the same order either way; a user's own number is in the index that finds the user's
    newest = alerts.c.id.desc() if wanted.user is None else alerts.c.sequence.desc()
    statement = _ALERTS.where(*wanted.clauses()).order_by(newest, deliveries.c.id).limit(limit)
    with database.transaction() as connection:
        return [_alert_row(row) for row in connection.execute(statement)]


def _alert_row(row: Any) -> AlertRow:
    from router.ports import Alert  # noqa: PLC0415 - lists without Alerts need no models

    alert = Alert.from_event(row.event)
    settled = row.shown in {
        None,
        DeliveryState.DELIVERED,
        DeliveryState.PARKED,
        DeliveryState.WITHDRAWN,
    }
    return AlertRow(
        id=str(alert.id),
        service_user_id=alert.service_user_id,
        channel=row.channel,
        state=row.shown,
        sequence=alert.sequence,
        alert_code=alert.alert_code,
        device_id=alert.device_id,
        firmware_version=alert.firmware_version,
        decided_at=alert.decided_at,
        attempts=row.attempts or 0,
        due_at=None if settled else moment(row.due_at),
    )


_QUARANTINE = (
    select(quarantined, holding.c.released)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
    .order_by(quarantined.c.id)
)


def list_quarantine(
    database: Database, *, reason: str | None = None, limit: int
) -> list[QuarantineRow]:
    """What waits in quarantine, oldest first."""
    statement = _QUARANTINE.limit(limit)
    if reason is not None:
        statement = statement.where(holding.c.reason == reason)
    with database.transaction() as connection:
        return quarantine_rows(connection, statement)


def quarantine_rows(connection: Connection, statement: Select[Any]) -> list[QuarantineRow]:
    """The rows that a query over quarantined and holding gives."""
    return [_quarantine_row(row) for row in connection.execute(statement)]


def in_quarantine(connection: Connection, device_id: str) -> list[QuarantineRow]:
    """What waits there for one hub."""
    return quarantine_rows(connection, _QUARANTINE.where(holding.c.device_id == device_id))


def _quarantine_row(row: Any) -> QuarantineRow:
    return QuarantineRow(
        id=row.id,
        source=row.source,
        type=row.type,
        reason=row.reason,
        detail=row.detail,
        received_at=moment(row.received_at),
        event_id=row.event_id,
        device_id=row.device_id,
        origin=row.origin,
        released=bool(row.released),
    )


def quarantined_fact(
    database: Database, number: int
) -> tuple[QuarantineRow, bytes, dict[str, str]] | None:
    """One row of the quarantine with the body as it came, and what came with it: headers.

    Also when it has left since.
    """
    statement = (
        select(quarantined, func.coalesce(holding.c.released, 1).label("released"))
        .outerjoin(holding, holding.c.quarantined_id == quarantined.c.id)
        .where(quarantined.c.id == number)
    )
    with database.transaction() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return _quarantine_row(row), row.body, json.loads(row.evidence) if row.evidence else {}
