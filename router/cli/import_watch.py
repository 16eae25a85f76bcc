"""What is shown of an import while it runs."""

from __future__ import annotations

from contextlib import ExitStack

from router.cli.bar import Bar
from router.cli.cautions import Cautions
from router.intake.inventory_import import BadRow, DoubtfulRow, ImportWatch


class Watch(ImportWatch, ExitStack):
    """A bar for the reading, then one for the loading; and what is said of rows."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._bar = self.enter_context(Bar("checking", size, of_bytes=True))
        self._cautions = Cautions(self._bar.say)
        self._loaded = 0

    def report(self, row: BadRow | DoubtfulRow) -> None:
        """Bad ones all, doubtful ones in part."""
        if isinstance(row, DoubtfulRow):
            self._cautions.hear(row)
        else:
            self._bar.say(str(row))

    def read(self, count: int) -> None:
        """So many bytes more."""
        self._bar.advance(count)

    def loaded(self, done: int, total: int) -> None:
        """So many hubs, of all."""
        if not done:
            self._cautions.end()
            self.close()
            self._bar = self.enter_context(Bar("loading", total))
        self._bar.advance(done - self._loaded)
        self._loaded = done
