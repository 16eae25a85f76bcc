"""A drill through every channel of a Service User, all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.delivery.drill import drill
from router.delivery.sending import words
from router.domain.users import Channel, ServiceUser
from router.errors import UsageError
from router.ports import Delivered, Originator


@dataclass(frozen=True, slots=True)
class DrillRow:
    """What one channel came to."""

    service_user_id: str
    channel: str
    adapter: str
    delivered: bool
    answer: str
    """Of the other side, in a line; or why there is none."""
    certificate_expires_at: datetime | None = None
    """That of the other side; None without TLS, or where nobody answered."""
    certificate_days_left: int | None = None


async def drill_all(
    user: ServiceUser, channels: Sequence[Channel], originator: Originator, now: datetime
) -> list[DrillRow]:
    """A row for each channel, in their order; one that hangs keeps no other waiting."""
    return await asyncio.gather(*(_row(user, each, originator, now) for each in channels))


async def _row(
    user: ServiceUser, channel: Channel, originator: Originator, now: datetime
) -> DrillRow:
    begun = user.id, channel.name, channel.adapter
    try:
        found = await drill(user, channel, originator, now)
    except UsageError as error:
        return DrillRow(*begun, delivered=False, answer=str(error))
    delivered, answer = isinstance(found.outcome, Delivered), words(found.outcome)
    if found.peer is None:
        return DrillRow(*begun, delivered, answer)
    ends = found.peer.expires_at
    return DrillRow(*begun, delivered, answer, ends, (ends - now) // timedelta(days=1))
