"""What people name by something else than its id: hubs by meter points, Alerts by digits."""

from __future__ import annotations

from sqlalchemy import select

from router.ledger.database import Database
from router.ledger.tables import alerts, registrations

AFTER = "g"
"""Comes after each hexadecimal digit."""


def hubs_of_point(database: Database, mpxn: str) -> list[str]:
    """Device IDs of the hubs that a meter point is or was registered at, by Device ID."""
    asked = select(registrations.c.device_id).where(registrations.c.mpxn == mpxn).distinct()
    with database.transaction() as connection:
        return sorted(connection.execute(asked).scalars())


def alerts_beginning(database: Database, digits: str, *, limit: int) -> list[tuple[str, str]]:
    """Id and Device ID of Alerts whose id begins so."""
    asked = (
        select(alerts.c.alert_id, alerts.c.device_id)
        .where(alerts.c.alert_id >= digits, alerts.c.alert_id < digits + AFTER)
        .order_by(alerts.c.alert_id)
        .limit(limit)
    )
    with database.transaction() as connection:
        return [(row[0], row[1]) for row in connection.execute(asked)]
