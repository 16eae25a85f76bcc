"""Who writes now, and which router it is that holds the ledger.

Whoever writes takes a turn: a lock until the end of the transaction, of the database and not of a
session, so that a pooler between two transactions is no harm. `turns` has one row. Its version
moves with each turn that is not the router's. A router holds the ledger by a token in that row,
which it looks at in each of its transactions: it can be taken over only when it was not seen for
LEASE, or when the server knows that its session is gone. Times are the database's.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass
from typing import Any

from router.errors import LedgerError
from router.ledger.store import LedgerGone

LEASE = 15.0
"""Seconds for which a router that is not seen still holds the ledger."""
RENEWED = 5.0
"""Seconds after which it shows itself again."""
ABANDONED = "2min"
"""A turn in which nothing is asked for as long ends: its program hangs, or is cut off."""
_LOCK = 0x48756268
_BEGIN = (
    "BEGIN; SET LOCAL lock_timeout = {wait}; "
    f"SET LOCAL idle_in_transaction_session_timeout = '{ABANDONED}'; "
    f"SELECT pg_advisory_xact_lock({_LOCK})"
)
_SEEN = "SELECT version, router FROM turns"
_CHANGED = "UPDATE turns SET version = version + 1 RETURNING version, router"
_SESSION = "pid || ' ' || extract(epoch FROM backend_start)"
_OWN = f"SELECT {_SESSION} FROM pg_stat_activity WHERE pid = pg_backend_pid()"  # noqa: S608
_HOLDER = f"""
SELECT router, place, seen_at, extract(epoch FROM clock_timestamp() - seen_at)::float8,
    session IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM pg_stat_activity WHERE pid::text = split_part(session, ' ', 1)
            AND (backend_start IS NULL OR {_SESSION} = session))
FROM turns
"""  # noqa: S608 - our own words; of other roles' sessions no more than the number is told
_TAKE = f"""
UPDATE turns SET router = %s, place = %s, seen_at = clock_timestamp(), version = version + 1,
    session = CASE WHEN %s THEN ({_OWN}) END
"""  # noqa: S608
_SHOW = f"""
UPDATE turns SET seen_at = clock_timestamp(),
    session = CASE WHEN %s THEN ({_OWN}) END
WHERE router = %s
"""  # noqa: S608


@dataclass
class WriteTurns:
    """The turns of one program on an open ledger."""

    name: str
    busy_seconds: float
    token: str | None = None
    """The router's; None for others."""
    version: int = 0
    """As it was when the last transaction began."""
    _shown: float = -RENEWED

    @property
    def _wait(self) -> int:
        """Milliseconds for which others are waited for; 0 would be for ever."""
        return max(1, int(self.busy_seconds * 1000))

    def lock(self, driver: Any) -> None:
        """Begin a transaction alone."""
        driver.execute(_BEGIN.format(wait=self._wait))

    def take(self, driver: Any) -> None:
        """The same; LedgerGone for a router that holds the ledger no more."""
        more = _SEEN if self.token is not None else _CHANGED
        cursor = driver.execute(f"{_BEGIN.format(wait=self._wait)}; {more}")
        while cursor.nextset():
            pass
        self._is(cursor.fetchone())

    def look(self, driver: Any, *, direct: bool) -> None:
        """Begin a transaction that only looks; the router shows that it is there."""
        late = self.token is not None and time.monotonic() > self._shown + RENEWED
        driver.execute(f"BEGIN; SET LOCAL lock_timeout = {self._wait}")
        if late:
            driver.execute(_SHOW, (direct, self.token))
            self._shown = time.monotonic()
        self._is(driver.execute(_SEEN).fetchone())

    def connected_anew(self) -> None:
        """The session that is on record is no more: the next look says which one is."""
        self._shown = -RENEWED

    def hold(self, driver: Any, *, direct: bool) -> None:
        """Be the router of this ledger. LedgerError when another one is.

        One that was seen lately is waited for: until it is seen again, or has not been for LEASE.
        """
        first = None
        while True:
            self.lock(driver)
            router, place, seen_at, ago, dead = driver.execute(_HOLDER).fetchone()
            if router is None or dead or ago > LEASE:
                self.token = secrets.token_hex(8)
                here = f"process {os.getpid()} on {socket.gethostname()}"
                driver.execute(_TAKE, (self.token, here, direct))
                driver.execute("COMMIT")
                self._shown = time.monotonic()
                return
            driver.execute("ROLLBACK")
            first = first or seen_at
            if direct or first != seen_at:
                raise LedgerError(
                    f"{self.name}: another router holds this ledger: {place}, last seen "
                    f"{max(ago, 0):.0f} s ago; stop it, or wait until it has not been seen for "
                    f"{LEASE:.0f} s"
                )
            time.sleep(0.5)

    def let_go(self, driver: Any) -> None:
        """Another router may have it."""
        if self.token is not None:
            driver.execute("UPDATE turns SET router = NULL WHERE router = %s", (self.token,))

    def _is(self, row: tuple[int, str | None] | None) -> None:
        if row is None:
            raise LedgerGone(f"{self.name}: the row of `turns` is gone; restore a backup")
        self.version, router = row
        if self.token is not None and router != self.token:
            raise LedgerGone(
                f"{self.name}: another router has taken this ledger over: this one was not seen "
                f"for {LEASE:.0f} s, or the server had lost its connection; it writes and sends no "
                f"more"
            )
