"""Whether something may leave quarantine, and whose turn it is not yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from router.deciding.batch import Batch
from router.intake.poison import Piece


class Turns:
    """What is left to be released behind what is being decided."""

    def __init__(self) -> None:
        self.left = False
        """Something may wait in quarantine for no other reason than its turn."""
        self._in_pieces = 0

    @property
    def whole(self) -> bool:
        """No batch is under way in pieces, of which registrations may still be to come."""
        return not self._in_pieces

    @contextmanager
    def together(self, pieces: Collection[Piece]) -> Iterator[None]:
        """What waits for one of these is not decided before all of them are."""
        several = len(pieces) > 1
        self._in_pieces += several
        try:
            yield
        finally:
            self._in_pieces -= several

    def recorded(self, batch: Batch) -> None:
        """A batch is committed."""
        self.left |= batch.more

    def look(self) -> None:
        """Now what may leave is asked for; what stays for the last of some pieces is left."""
        self.left = not self.whole

    def over(self, count: int) -> bool:
        """Whether that was all, when so many have left."""
        return not count and not (self.left and self.whole)
