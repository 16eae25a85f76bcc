"""What operators ask the ledger: lists, each row flat.

Nothing here changes anything. A row names its columns as contract.md does, so that it can be
printed as a table or as JSON without another word list.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from router.domain.timestamps import moment, stamp
from router.ledger.database import Database
from router.ledger.dialects import holds, texts
from router.ledger.dialects import numbers as as_list
from router.ledger.queries.wanted import SETTLED, SHOWN_STATE, Filter
from router.ledger.tables import alerts, deliveries, facts, holding, lanes, quarantined


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


def list_alerts(
    database: Database, wanted: Filter, *, limit: int, oldest: bool = False
) -> list[AlertRow]:
    """The newest that match, newest first; or the oldest, oldest first."""
    # the same order either way; a user's own number is in the index that finds the user's
    number = alerts.c.id if wanted.user is None else alerts.c.sequence
    order = (number, deliveries.c.id) if oldest else (number.desc(), deliveries.c.id)
    with database.transaction() as connection:
        statement = _ALERTS.where(*wanted.clauses(connection)).order_by(*order)
        return [_alert_row(row) for row in connection.execute(statement.limit(limit))]


def count_alerts(database: Database, wanted: Filter, most: int) -> int:
    """How many rows `list_alerts` would have; no more than `most` are counted."""
    with database.transaction() as connection:
        return count(connection, _ALERTS.where(*wanted.clauses(connection)), most)


def count(connection: Connection, statement: Select[Any], most: int) -> int:
    """How many rows a query has that says `select_from`; no more than `most` are counted."""
    one: ColumnElement[int] = literal_column("1").label("one")
    found = statement.with_only_columns(one).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(found)).scalar_one())


def alerts_of(database: Database, numbers: Sequence[int]) -> list[AlertRow]:
    """Those of these deliveries, the newest first."""
    statement = _ALERTS.where(deliveries.c.id.in_(as_list(numbers)))
    with database.transaction() as connection:
        rows = connection.execute(statement.order_by(deliveries.c.id.desc()))
        return [_alert_row(row) for row in rows]


def unknown_alerts(database: Database, ids: Collection[str]) -> list[str]:
    """Those of these ids that no Alert has."""
    with database.transaction() as connection:
        known = select(alerts.c.alert_id).where(alerts.c.alert_id.in_(texts(ids)))
        return sorted(set(ids).difference(connection.execute(known).scalars()))


def _alert_row(row: Any) -> AlertRow:
    from router.ports import Alert  # noqa: PLC0415 - lists without Alerts need no models

    alert = Alert.from_event(row.event)
    settled = row.shown in {None, *SETTLED}
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


_WAITING = (
    select(quarantined, holding.c.released)
    .select_from(quarantined)
    .join(holding, holding.c.quarantined_id == quarantined.c.id)
)
_QUARANTINE = _WAITING.order_by(quarantined.c.id)
_EVER = select(quarantined, func.coalesce(holding.c.released, 1).label("released")).outerjoin(
    holding, holding.c.quarantined_id == quarantined.c.id
)


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which of what waits there is meant; what is None does not matter."""

    reason: str | None = None
    hub: str | None = None
    """The Device ID that it names, as far as that could be read."""
    source: str | None = None
    """The source that its sender named, or the one of hubherald.yaml that brought it."""
    text: str | None = None
    """Stands in its body, or in what is wrong with it."""
    since: datetime | None = None
    """Received at this moment or later."""

    def clauses(self) -> list[ColumnElement[bool]]:
        """For a query over quarantined and holding."""
        found: list[ColumnElement[bool]] = []
        if self.reason is not None:
            found.append(holding.c.reason == self.reason)
        if self.hub is not None:
            found.append(quarantined.c.device_id == self.hub)
        if self.source is not None:
            of = quarantined.c
            found.append(or_(of.source == self.source, of.intake == self.source))
        if self.text is not None:
            body = holds(quarantined.c.body, self.text.encode())
            found.append(or_(body, holds(quarantined.c.detail, self.text)))
        if self.since is not None:
            found.append(quarantined.c.received_at >= stamp(self.since))
        return found


EVERYTHING = QuarantineFilter()


def list_quarantine(
    database: Database,
    wanted: QuarantineFilter = EVERYTHING,
    *,
    limit: int,
    oldest: bool = False,
) -> list[QuarantineRow]:
    """What waits in quarantine, newest first; or the oldest, oldest first."""
    number = holding.c.quarantined_id  # of what waits alone, however much ever did
    order = number if oldest else number.desc()
    statement = _WAITING.where(*wanted.clauses()).order_by(order).limit(limit)
    with database.transaction() as connection:
        return quarantine_rows(connection, statement)


def count_quarantine(database: Database, wanted: QuarantineFilter, most: int) -> int:
    """How many rows `list_quarantine` would have; no more than `most` are counted."""
    with database.transaction() as connection:
        return count(connection, _WAITING.where(*wanted.clauses()), most)


def quarantine_rows(connection: Connection, statement: Select[Any]) -> list[QuarantineRow]:
    """The rows that a query over quarantined and holding gives."""
    return [_quarantine_row(row) for row in connection.execute(statement)]


def in_quarantine(connection: Connection, device_id: str) -> list[QuarantineRow]:
    """What waits there for one hub."""
    return quarantine_rows(connection, _QUARANTINE.where(quarantined.c.device_id == device_id))


def left_quarantine(connection: Connection, device_id: str) -> list[QuarantineRow]:
    """What waits there for one hub no more, and was not decided as it came."""
    same = facts.c.content_digest == quarantined.c.content_digest
    decided = exists().where(
        facts.c.source == quarantined.c.source, facts.c.event_id == quarantined.c.event_id, same
    )
    statement = _EVER.where(
        quarantined.c.device_id == device_id, holding.c.quarantined_id.is_(None), ~decided
    )
    return quarantine_rows(connection, statement.order_by(quarantined.c.id))


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
    with database.transaction() as connection:
        row = connection.execute(_EVER.where(quarantined.c.id == number)).one_or_none()
    if row is None:
        return None
    return _quarantine_row(row), row.body, json.loads(row.evidence) if row.evidence else {}
