"""The lanes as they stand, and what waits on them; asked of the driver alone (`driver.py`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from router.domain.timestamps import moment
from router.lanes.succession import Stranded, stranded
from router.lanes.values import ClosedReason, LaneKey, LaneRow
from router.ledger.driver import read

if TYPE_CHECKING:
    from router.ledger.driver import Asked
    from router.ledger.reader import Readable

# Literal, letter for letter as in the partial index: with bound values SQLite would not use it.
PENDING = "deliveries.state IN ('waiting', 'sending', 'unknown')"
# counted in the index alone: a lane that is closed for days has a million of them
_PENDING = f"""
SELECT gathered.lane_id, gathered.number, alerts.decided_at
FROM (
    SELECT lane_id, count(*) AS number, min(sequence) AS first
    FROM deliveries WHERE {PENDING} GROUP BY lane_id
) AS gathered
JOIN deliveries ON deliveries.lane_id = gathered.lane_id
JOIN alerts ON alerts.id = deliveries.alert
WHERE deliveries.sequence = gathered.first AND {PENDING}
"""  # noqa: S608 - our own words
_ASIDE = f"""
SELECT lane_id, count(*) FROM deliveries WHERE {PENDING} AND aside = 1 GROUP BY lane_id
"""  # noqa: S608 - our own words
_FAILING = f"""
SELECT DISTINCT lane_id FROM deliveries
WHERE {PENDING} AND attempts > 0 AND refusals = 0 AND aside = 0 AND state = 'waiting'
"""  # noqa: S608 - our own words
_LANES = "SELECT id, service_user_id, channel, closed, rest_until, unnamed_at FROM lanes"


def pending_by_lane(connection: Asked) -> dict[int, tuple[int, datetime]]:
    """By lane: how many are pending, and the decision of the oldest."""
    return {row[0]: (row[1], moment(row[2])) for row in read(connection, _PENDING)}


def count_waiting(database: Readable) -> dict[int, tuple[int, datetime]]:
    """The same, in a transaction of its own."""
    with database.transaction() as connection:
        return pending_by_lane(connection)


def count_aside(connection: Asked) -> dict[int, int]:
    """By lane: how many wait that are set aside."""
    return {row[0]: row[1] for row in read(connection, _ASIDE)}


def read_lanes(connection: Asked) -> dict[LaneKey, LaneRow]:
    """Every lane, by user and channel."""
    failing = {row[0] for row in read(connection, _FAILING)}
    pending = pending_by_lane(connection)
    return {
        (user, channel): LaneRow(
            number,
            user,
            channel,
            ClosedReason(closed) if closed else None,
            number in failing,
            None if rest_until is None else moment(rest_until),
            unnamed_at is None,
            *pending.get(number, (0, None)),
        )
        for number, user, channel, closed, rest_until, unnamed_at in read(connection, _LANES)
    }


def left_behind(database: Readable, wanted: Collection[LaneKey]) -> list[Stranded]:
    """What nobody would take over if the files that name these channels were taken up now."""
    with database.transaction() as connection:
        return stranded(read_lanes(connection), wanted)
