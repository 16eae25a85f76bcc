"""A reader of a folder that looks only when it is told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters.folder.reader import FolderReader
from adapters.folder.telling import FolderLog
from router.ports import Cursor


@dataclass(frozen=True)
class Had:
    """What a ledger that stopped somewhere has."""

    bodies: set[bytes]
    cursors: dict[str, Cursor]


class Stepwise:
    """What it gives out, in order, with the cursors that go along."""

    def __init__(self, folder: Path, cursors: Mapping[str, Cursor] | None = None) -> None:
        log = FolderLog(structlog.get_logger())
        self.reader = FolderReader(folder, (cursors or {}).values(), log, lambda: None)
        self.given: list[tuple[bytes | None, Cursor | None]] = []

    @property
    def cursors(self) -> dict[str, Cursor]:
        """What the ledger would have by now."""
        return self.had(len(self.given)).cursors

    def had(self, count: int) -> Had:
        """What it would have with the first of what was given out."""
        taken = self.given[:count]
        cursors = {cursor.key: cursor for _, cursor in taken if cursor is not None}
        return Had({body for body, _ in taken if body is not None}, cursors)

    def look(self) -> list[bytes]:
        """What a look brings; another one where a file seems to be half written."""
        before = len(self.given)
        self.reader.writing = True
        while self.reader.writing:
            self.reader.look()
            while step := self.reader.step():
                if step.moved:
                    self.given.append((None, step.moved))
                self.given += [(message.body, message.cursor) for message in step.messages]
        return [body for body, _ in self.given[before:] if body is not None]
