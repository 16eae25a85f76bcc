"""Runs a command of Hubherald; counts what SQLite is given in it for as long as a file is there.

    python traced.py FILE run

While FILE exists each statement is counted, one for each row that is written; when it goes, the
count is written to FILE.count. Tracing costs processor time: measure that without.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PAUSE_S = 0.05


class Tracing:
    """The connections of this process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connections: list[sqlite3.Connection] = []
        self._count = 0

    def note(self, event: str, words: tuple[Any, ...]) -> None:
        """What Python tells of itself."""
        if event == "sqlite3.connect/handle":
            self._connections.append(words[0])

    def watch(self) -> None:
        """For ever."""
        counting = False
        while True:
            if self._file.exists() != counting:
                counting = not counting
                for each in self._connections:
                    with suppress(sqlite3.ProgrammingError):  # it is closed by now
                        each.set_trace_callback(self._add if counting else None)
                if not counting:
                    self._file.with_suffix(".count").write_text(str(self._count))
                    self._count = 0
            time.sleep(PAUSE_S)

    def _add(self, _statement: str) -> None:
        self._count += 1


if __name__ == "__main__":
    tracing = Tracing(Path(sys.argv[1]))
    sys.addaudithook(tracing.note)
    threading.Thread(target=tracing.watch, daemon=True).start()
    from router.cli import main

    main(sys.argv[2:])
