"""The bytes that a channel sends where they are not the Alert's own JSON: made once, and kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, case, or_, select

from router.ledger.database import Database
from router.ledger.queries.wanted import SHOWN_STATE
from router.ledger.tables import alerts, deliveries, forms, lanes


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one adapter sends, or sent, for an Alert."""

    channel: str
    """Where the Alert is now; what the adapter sent may have gone by another one."""
    state: str
    body: bytes | None
    """None until the first send."""


def rendered(database: Database, alert_id: str, adapter: str) -> list[Rendered] | None:
    """By channel of this adapter, or that had it once, in order of name; None when there is no
    such Alert."""
    with database.transaction() as connection:
        number = connection.execute(
            select(alerts.c.id).where(alerts.c.alert_id == alert_id)
        ).scalar_one_or_none()
        if number is None:
            return None
        its_own = deliveries.c.sent_by == adapter
        kept = and_(forms.c.delivery_id == deliveries.c.id, forms.c.adapter == adapter)
        body = case((its_own, deliveries.c.rendered), else_=forms.c.rendered)
        found = connection.execute(
            select(lanes.c.channel, SHOWN_STATE.label("state"), body.label("rendered"))
            .select_from(deliveries)
            .join(lanes, lanes.c.id == deliveries.c.lane_id)
            .outerjoin(forms, kept)
            .where(
                deliveries.c.alert == number,
                or_(lanes.c.adapter == adapter, its_own, forms.c.delivery_id.is_not(None)),
            )
            .order_by(lanes.c.channel)
        )
        return [Rendered(row.channel, row.state, row.rendered) for row in found]
