"""What a step of the machine's clock means for moments that the ledger keeps.

What waits is moved along, so that it is due as long after now as it was before. Nothing that is
known of the inventory stays ahead of the clock: it would make every later right fact stale. Records
are left as they are: they say what the clock said.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, select, update

from router.domain.timestamps import moment, stamp
from router.ledger.database import Database
from router.ledger.lanes import PENDING
from router.ledger.recorder import Recorder
from router.ledger.tables import actions, deliveries, hubs, lanes, links, registrations

_NEWEST = (
    select(links.c.at).where(links.c.writer == "router").order_by(links.c.number.desc()).limit(1)
)


@dataclass(frozen=True, slots=True)
class MovedAlong:
    """How much was moved along with a step of the clock."""

    deliveries: int
    hubs: int
    registrations: int


def newest_moment(database: Database) -> datetime | None:
    """What the router's clock said when it last wrote; None where it never did."""
    with database.transaction() as connection:
        found = connection.execute(_NEWEST).scalar_one_or_none()
        return None if found is None else moment(found)


def move_along(database: Database, step: timedelta, now: datetime) -> MovedAlong:
    """The clock was set by `step`, and says `now`. Recorded as an action."""
    by = step // timedelta(microseconds=1)
    with database.transaction() as connection:
        waiting = connection.execute(
            update(deliveries)
            .where(PENDING)
            .values(due_at=deliveries.c.due_at + by, expires_at=deliveries.c.expires_at + by)
        ).rowcount
        connection.execute(
            update(lanes).values(
                closed_at=lanes.c.closed_at + by, rest_until=lanes.c.rest_until + by
            )
        )
        back = step < timedelta()
        known = [
            _not_ahead(connection, table, now) if back else 0 for table in (hubs, registrations)
        ]
        moved = MovedAlong(waiting, *known)
        recorder = Recorder(connection, "router", stamp(now))
        detail = {"step_s": round(step.total_seconds(), 3), **asdict(moved)}
        row = {"operator": "router", "action": "clock step", "detail": json.dumps(detail)}
        recorder.add(actions, {"at": stamp(now), **row})
        recorder.write()
        return moved


def _not_ahead(connection: Connection, table: Table, now: datetime) -> int:
    at = stamp(now)
    statement = update(table).where(table.c.updated_at > at).values(updated_at=at)
    return connection.execute(statement).rowcount
