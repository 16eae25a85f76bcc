"""Where a ledger is kept: in a file of SQLite, or on a PostgreSQL server.

All that differs between the two but for the words of SQL (`dialects.py`) is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Connection

from router.errors import LedgerError

STORE = "store"
"""The option of a connection that names its store."""
ASIDE = "aside"
"""The option of a connection whose transactions change nothing that others see."""
LOOKING = "looking"
"""The option of a connection whose transactions ask only whether others have changed anything."""
WRITTEN = "written"
"""What is remembered of the records by their recorder (`recorder.Written`)."""
NUMBERS = "numbers"
"""The numbers of what repeats in records."""
WORDED = "worded"
"""How Alerts are worded."""
DOUBT = "doubt"
"""The end of the router's chain in a transaction of which nobody knows whether it was committed."""


class Use(StrEnum):
    """What a ledger is opened for."""

    ROUTE = "route"  # the router: alone, makes and migrates
    CHANGE = "change"  # an operator's change or import: makes and migrates
    READ = "read"  # must be there already


class LedgerUnavailable(LedgerError):
    """The database did not take it now (locked, disk full); the same may work later."""


class LedgerUnreachable(LedgerError):
    """The server of the ledger could not be asked."""


class LedgerGone(LedgerError):
    """The ledger at its path is not the one that was opened: trying again helps nobody."""


class SetBack(LedgerGone):
    """It is an older state of the ledger that was opened."""


class Store(Protocol):
    """A ledger's place, open; used by one thread at a time, but for `lost` and `full`.

    Transactions are begun alone where they may write what others see.
    """

    name: str
    """As people call it: a path, or an URL without a secret."""
    memory: dict[str, Any]
    """What is known of what stands there, from one transaction to the next."""

    def version(self, connection: Connection) -> int:
        """A number that moves when another process has changed the ledger."""
        ...

    def number(self, connection: Connection) -> int:
        """The number that tells this ledger from others; copies of it have the same."""
        ...

    def lost(self) -> str | None:
        """Why this is not the ledger any more that was opened, and what to do; None: it is."""
        ...

    def full(self) -> str | None:
        """That there is no room for another transaction, as far as that is known."""
        ...

    def explained(self, error: BaseException) -> LedgerError | None:
        """What a failure of the database means; None for what is no failure of it."""
        ...

    def failed(self, connection: Connection, error: BaseException) -> None:
        """A transaction has failed, and is not rolled back yet."""
        ...

    def uncommitted(self, connection: Connection, end: tuple[int, str] | None) -> None:
        """The commit of one that wrote records has failed: up to this end of the router's chain."""
        ...

    def give_up_after(self, connection: Connection, seconds: float) -> None:
        """From now on: what is still being read then ends with LedgerUnavailable."""
        ...

    def sizes(self, connection: Connection) -> Mapping[str, int]:
        """Bytes on disk, by part."""
        ...

    def close(self, connection: Connection) -> None:
        """Close the connection, then let go of the ledger."""
        ...


def store_of(connection: Connection) -> Store:
    """Where the ledger of a connection is kept."""
    store: Store = connection.get_execution_options()[STORE]
    return store
