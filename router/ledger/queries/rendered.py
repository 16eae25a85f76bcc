"""The bytes that a channel sends where they are not the Alert's own JSON: made once, and kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from router.ledger.database import Database
from router.ledger.queries.lists import SHOWN_STATE
from router.ledger.tables import alerts, deliveries, lanes


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one channel sends, or sent, for an Alert."""

    channel: str
    state: str
    body: bytes | None
    """None until the first send."""


def rendered(database: Database, alert_id: str, adapter: str) -> list[Rendered] | None:
    """By channel of this adapter, in order of name; None when there is no such Alert."""
    with database.transaction() as connection:
        number = connection.execute(
            select(alerts.c.id).where(alerts.c.alert_id == alert_id)
        ).scalar_one_or_none()
        if number is None:
            return None
        found = connection.execute(
            select(lanes.c.channel, SHOWN_STATE.label("state"), deliveries.c.rendered)
            .join(lanes, lanes.c.id == deliveries.c.lane_id)
            .where(deliveries.c.alert == number, lanes.c.adapter == adapter)
            .order_by(lanes.c.channel)
        )
        return [Rendered(row.channel, row.state, row.rendered) for row in found]
