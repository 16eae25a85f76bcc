"""Runs a command of Hubherald and writes down every statement that SQLite is given in it.

    python recorded.py STATEMENTS run --until-idle

A statement stands there as it was prepared, with the values that it was first run with: with them
written into it, as SQLite's trace tells it, SQLite would choose indexes that it can't choose. The
trace holds the other end: what it tells of and was not seen being prepared is there as `UNSEEN`.
Nothing is written before the file STATEMENTS is there: make it when the router has started.
"""

from __future__ import annotations

import pickle
import re
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Statement = tuple[str, Any]
UNSEEN = "UNSEEN "


def read(file: Path) -> list[Statement]:
    """Each statement once, with the values of its first run."""
    found: dict[str, Any] = {}
    with file.open("rb") as records:
        while records.peek(1):
            text, values = pickle.load(records)
            found.setdefault(text, values)
    return list(found.items())


class Recorder:
    """All that the connections of this process are given."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[str] = set()
        self._begins: set[str] = set()
        self._lock = threading.Lock()

    def prepared(self, text: str, values: Any) -> None:
        """By a cursor."""
        with self._lock:
            self._begins.add(beginning(text))
            if text not in self._seen and self._file.exists():
                self._seen.add(text)
                with self._file.open("ab") as file:
                    file.write(pickle.dumps((text, values)))

    def traced(self, text: str) -> None:
        """By SQLite itself, which has written the values into it."""
        with self._lock:
            known = beginning(text) in self._begins
        if not known and text not in ("COMMIT", "ROLLBACK"):  # a connection says these itself
            self.prepared(UNSEEN + text, ())


def beginning(text: str) -> str:
    """What no value stands in: up to the first one, as it stands at either end."""
    return re.split(r"[?:'-]|\d|\bx'|\bNULL\b", " ".join(text.split()), maxsplit=1)[0]


def record(recorder: Recorder) -> None:
    """From now on, whoever connects."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    class Cursor(sqlite3.Cursor):
        def execute(self, text: str, values: Any = (), /) -> Any:
            recorder.prepared(text, values)
            return super().execute(text, values)

        def executemany(self, text: str, rows: Any, /) -> Any:
            rows = list(rows)
            if rows:
                recorder.prepared(text, rows[0])
            return super().executemany(text, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, text: str, values: Any = (), /) -> Any:
            return self.cursor().execute(text, values)

        def executemany(self, text: str, rows: Any, /) -> Any:
            return self.cursor().executemany(text, rows)

    def connected(*args: Any, **options: Any) -> sqlite3.Connection:
        made = connect(*args, **{"factory": Connection, **options})
        made.set_trace_callback(recorder.traced)
        return made

    sqlite3.connect = sqlite3.dbapi2.connect = connected  # type: ignore[assignment]


if __name__ == "__main__":
    record(Recorder(Path(sys.argv[1])))
    from router.cli import main

    main(sys.argv[2:])
