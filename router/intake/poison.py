"""Which facts may have killed the router, how they are taken up, and when one is given up. Pure.

How often a source gave a message out before is only a hint: whatever ends a router or a connection
raises that count for every message in hand. So a suspect is taken up alone, after a note in the
ledger (`ledger/poison.py`), and only what such notes say counts as a kill.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.deciding.batch import Arrival, Batch, Note, Quarantined, note_of
from router.domain.facts import Defect
from router.domain.words import QuarantineReason

KILLS = 3
"""A fact with so many notes is decided no more. A source that counts stands in for one of them,
for what it gave out when the first router died, before anything was noted."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is judged and recorded together."""

    arrivals: list[Arrival]
    alone: bool
    """One suspect, and nothing that waits for it either."""

    def parted(self, last: int) -> tuple[Piece, Piece]:
        """In two, the last so many for themselves."""
        first, rest = self.arrivals[:-last], self.arrivals[-last:]
        return Piece(first, self.alone), Piece(rest, self.alone)

    def kills(self, before: Mapping[Note, int]) -> int:
        """How often the router died on a fact that was taken up alone, by its notes."""
        return before.get(note_of(self.arrivals[0]), 0) if self.alone else 0


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A piece whose notes are in the ledger, and that is not recorded yet."""

    arrivals: Sequence[Arrival]
    at: datetime
    """When they were written: what is given back takes no later note away."""
    before: Mapping[Note, int]
    """How often each had been noted before."""


def cut(arrivals: Sequence[Arrival], noted: Container[Note] = ()) -> list[Piece]:
    """In the order of arrival: suspects and what is noted alone, their neighbours together."""
    found: list[Piece] = []
    for arrival in arrivals:
        alone = arrival.suspect or (bool(noted) and note_of(arrival) in noted)
        if alone or not found or found[-1].alone:
            found.append(Piece([arrival], alone))
        else:
            found[-1].arrivals.append(arrival)
    return found


def hopeless(kills: int, deliveries: int) -> bool:
    """Whether a fact is given up that was taken up alone, and not finished, so often.

    `deliveries` is how often its source gave it out before, where it counts that.
    """
    return kills >= KILLS or (kills == KILLS - 1 and deliveries >= KILLS)


def given_up(arrival: Arrival, kills: int, now: datetime) -> Batch:
    """A batch that puts one message in quarantine without having read it."""
    detail = (
        f"the router died {kills} times while it was deciding on this fact, at last on this one "
        f"alone, so it was not read again; look at it with `hubherald quarantine show`, report it, "
        f"and release it once the router is mended"
    )
    batch = Batch(now)
    found = Defect(QuarantineReason.ENGINE, detail, arrival.message.body)
    batch.quarantined.append(Quarantined(arrival, QuarantineReason.ENGINE, detail, found))
    if arrival.message.cursor is not None:
        batch.cursors[(arrival.intake, arrival.message.cursor.key)] = arrival.message.cursor
    return batch
