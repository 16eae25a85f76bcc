"""What operators have done, as the records of it tell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import func, select

from router.lanes.values import LaneKey
from router.ledger.database import Database
from router.ledger.tables import actions

_WITHDRAWS, _MOVES = "alerts withdraw", "lanes move"


def newest_action(database: Database) -> int:
    """The number of the newest record; 0 where there is none."""
    with database.transaction() as connection:
        return int(connection.execute(select(func.max(actions.c.id))).scalar_one() or 0)


def withdrawn_since(database: Database, number: int) -> tuple[int, Mapping[LaneKey, int]]:
    """How many deliveries operators withdrew after that record, by lane; and the newest record."""
    statement = select(actions).where(actions.c.id > number).order_by(actions.c.id)
    counts: Counter[LaneKey] = Counter()
    with database.transaction() as connection:
        for row in connection.execute(statement):
            number = row.id
            told = json.loads(row.detail)
            if row.action == _WITHDRAWS:
                for lane, count in told["lanes"].items():
                    user, _, channel = lane.partition("/")
                    counts[user, channel] += count
            elif row.action == _MOVES:
                counts[told["user"], told["from"]] += told.get("withdrawn", 0)
    return number, counts
