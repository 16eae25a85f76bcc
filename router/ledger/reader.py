"""A ledger opened to be read by the driver alone.

Importing SQLAlchemy takes longer than all the rest of a command that reads little. Such a command
asks statements as text (`driver.py`), which the router asks too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from router.errors import LedgerError

if TYPE_CHECKING:
    from router.ledger.driver import Asked

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = max(each.name[:4] for each in (MIGRATIONS / "versions").glob("[0-9]*.py"))
"""The revision that this program works with."""
BUSY_SECONDS = 5.0
"""How long a transaction waits for another program's."""


class Readable(Protocol):
    """A ledger that can be asked: a LedgerReader, or a Database."""

    def transaction(self) -> AbstractContextManager[Asked]:
        """A snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerReader:
    """A ledger of this program's revision, open to be read; used by one thread."""

    driver: sqlite3.Connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """BEGIN ... ROLLBACK: one snapshot. LedgerError when it can't be read now."""
        try:
            self.driver.execute("BEGIN")
            yield self.driver
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"the ledger can't be used now: {error}") from error
        finally:
            if self.driver.in_transaction:
                self.driver.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()


def open_reader(url: str) -> LedgerReader | None:
    """The ledger at sqlite:///FILE; None where it can't be read just so.

    Then `open_database` says what is wrong with it.
    """
    file = Path(url.removeprefix("sqlite:///")).absolute()
    if {*"?#%"} & {*url}:  # which mean something to SQLAlchemy
        return None
    try:
        driver = sqlite3.connect(
            f"file:{quote(str(file))}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
    except sqlite3.Error:
        return None
    try:
        driver.execute("PRAGMA query_only = ON")
        revisions = driver.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        revisions = []
    if revisions != [(NEWEST,)]:
        driver.close()
        return None
    return LedgerReader(driver)
