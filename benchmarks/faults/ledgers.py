"""The ledgers that every row is run on: how each is named, copied, asked and locked by others."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from support.beside import Beside
from support.postgres import Postgres

FILE = "hubherald.db"


class LedgerKind(Protocol):
    """One kind, open while rows are played on it (a server runs as long).

    `estate` is the folder of a row, or of what all rows are copied from.
    """

    name: str
    shared: bool
    """Several routers may work on one at the same time."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exc: object) -> None: ...

    def url(self, estate: Path) -> str:
        """What the configuration of that estate says."""

    def copy(self, estate: Path, to: Path) -> None:
        """Give `to` what the ledger of `estate` holds; its files are copied already."""

    def ask(self, estate: Path, question: str) -> list[tuple[Any, ...]]:
        """What it says, in SQL."""

    def move(self, estate: Path, disk: Path) -> None:
        """Put it onto another disk, where nobody has it open."""

    def restart(self) -> None:
        """Its server stops and starts, where it has one."""

    def locked(self, estate: Path) -> AbstractContextManager[None]:
        """A context in which another program keeps it for itself."""


class Sqlite:
    """A file in the estate's folder."""

    name = "SQLite"
    shared = False

    def __init__(self) -> None:
        self.places: dict[Path, Path] = {}
        """Estates whose ledger lies elsewhere."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """The files go with their folders."""

    def url(self, estate: Path) -> str:
        return f"sqlite:///{self._file(estate)}"

    def copy(self, estate: Path, to: Path) -> None:
        """Nothing is left to do."""

    def move(self, estate: Path, disk: Path) -> None:
        for file in estate.glob(f"{FILE}*"):
            shutil.move(file, disk)
        self.places[estate] = disk / FILE

    def ask(self, estate: Path, question: str) -> list[tuple[Any, ...]]:
        place = f"file:{self._file(estate)}?mode=ro"
        with closing(sqlite3.connect(place, uri=True)) as ledger:
            return ledger.execute(question).fetchall()

    def restart(self) -> None:
        raise NotImplementedError("a file has no server")

    @contextmanager
    def locked(self, estate: Path) -> Iterator[None]:
        with closing(sqlite3.connect(self._file(estate), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def _file(self, estate: Path) -> Path:
        return self.places.get(estate, estate / FILE)


class Postgresql:
    """A database of its own for each estate, on a private server."""

    name = "PostgreSQL"
    shared = False

    def __init__(self) -> None:
        self.server = Postgres()
        self._names: dict[Path, str] = {}

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.server.__exit__(None, None, None)

    def url(self, estate: Path) -> str:
        if estate not in self._names:
            self._make(estate, "template0")
        return self.server.url(self._names[estate])

    def copy(self, estate: Path, to: Path) -> None:
        self._make(to, self._names[estate])

    def ask(self, estate: Path, question: str) -> list[tuple[Any, ...]]:
        return self.server.ask(question, self._names[estate])

    @contextmanager
    def locked(self, estate: Path) -> Iterator[None]:
        with Beside(self.url(estate)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def move(self, estate: Path, disk: Path) -> None:
        raise NotImplementedError(f"{estate} can't be moved to {disk}: a server's disk is its own")

    def restart(self) -> None:
        """The server stops and starts, as when it is upgraded."""
        self.server.stop()
        self.server.start()

    def _make(self, estate: Path, template: str) -> None:
        self._names[estate] = name = f"estate_{len(self._names)}"
        self.server.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
