"""Notes of facts that may kill the router, each written before its fact is taken up.

Nothing but a note that is on disk beforehand can say what a dead process was at. A note counts how
often its fact was taken up and not finished; it goes in the transaction that records the fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_, update

from router.deciding.batch import Arrival, Note, note_of
from router.domain.timestamps import stamp
from router.ledger.database import Database
from router.ledger.dialects import upsert
from router.ledger.tables import suspects


def noted(database: Database, arrivals: Sequence[Arrival]) -> dict[Note, int]:
    """Which of these have been taken up and not finished, and how often."""
    with database.transaction() as connection:
        return _read(connection, {note_of(arrival) for arrival in arrivals})


def take_up(database: Database, arrivals: Sequence[Arrival], now: datetime) -> dict[Note, int]:
    """Note that these are being taken up now; gives how often that had gone wrong before."""
    with database.transaction() as connection:
        return add_notes(connection, arrivals, now)


def add_notes(
    connection: Connection, arrivals: Sequence[Arrival], now: datetime
) -> dict[Note, int]:
    """The same, in the transaction that records what comes before these."""
    if not arrivals:
        return {}
    notes = {note_of(arrival) for arrival in arrivals}
    before = _read(connection, notes)
    write = upsert(suspects)
    write = write.on_conflict_do_update(
        index_elements=["intake", "digest"],
        set_={"taken": write.excluded.taken, "at": write.excluded.at},
    )
    rows = [
        {"intake": note[0], "digest": note[1], "taken": before.get(note, 0) + 1}
        for note in sorted(notes)
    ]
    connection.execute(write, [{**row, "at": stamp(now)} for row in rows])
    return before


def lay_down(database: Database, arrivals: Sequence[Arrival], now: datetime) -> None:
    """These were taken up at `now` and are given back undecided: that does not count."""
    rows = _bound(arrivals)
    with database.transaction() as connection:
        connection.execute(
            update(suspects)
            .where(_THIS, suspects.c.at == stamp(now))
            .values(taken=suspects.c.taken - 1),
            rows,
        )
        connection.execute(delete(suspects).where(_THIS, suspects.c.taken <= 0), rows)


def clear(connection: Connection, arrivals: Sequence[Arrival]) -> None:
    """In the transaction that records these: the router has lived through them."""
    if arrivals:
        connection.execute(delete(suspects).where(_THIS), _bound(arrivals))


_THIS = (suspects.c.intake == bindparam("of_intake")) & (
    suspects.c.digest == bindparam("of_digest")
)


def _bound(arrivals: Sequence[Arrival]) -> list[dict[str, Any]]:
    notes = sorted({note_of(arrival) for arrival in arrivals})
    return [{"of_intake": intake, "of_digest": digest} for intake, digest in notes]


def _read(connection: Connection, notes: set[Note]) -> dict[Note, int]:
    statement = select(suspects).where(
        tuple_(suspects.c.intake, suspects.c.digest).in_(sorted(notes))
    )
    return {(row.intake, row.digest): row.taken for row in connection.execute(statement)}
