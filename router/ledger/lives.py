"""Whether the last router ended by itself, or died, and when one last ran.

Only what is on disk before can say that.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from router.domain.timestamps import stamp
from router.ledger.database import Database
from router.ledger.dialects import upsert
from router.ledger.tables import lives


def begin(database: Database) -> int:
    """A router begins to take facts; gives how many in a row have died before it."""
    with database.transaction() as connection:
        last = connection.execute(select(lives)).one_or_none()
        deaths = last.deaths + 1 if last is not None and last.running else 0
        write = upsert(lives).values(id=1, running=1, deaths=deaths)
        connection.execute(
            write.on_conflict_do_update(
                index_elements=["id"],
                set_={"running": write.excluded.running, "deaths": write.excluded.deaths},
            )
        )
        return deaths


def end(database: Database, now: datetime) -> None:
    """It ends by itself: what it was at is no suspect."""
    with database.transaction() as connection:
        connection.execute(lives.update().values(running=0, deaths=0, seen_at=stamp(now)))


def moved_to(database: Database) -> str | None:
    """Where this ledger was copied to; None where it was not."""
    with database.transaction() as connection:
        found: str | None = connection.execute(select(lives.c.moved_to)).scalar_one_or_none()
        return found


def reopen(database: Database) -> None:
    """Let routers run on it again: the copy is given up."""
    with database.transaction() as connection:
        connection.execute(lives.update().values(moved_to=None))
