"""Another program on the same ledger, which reads, writes, or holds it."""

from __future__ import annotations

import re
import sqlite3
from types import TracebackType
from typing import Any, Self

import psycopg

_ALONE = "BEGIN; SELECT pg_advisory_xact_lock(1215652456)"
"""As `router/ledger/postgres/turns.py` takes a turn."""
_CHANGED = "UPDATE turns SET version = version + 1"
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE)")


class Beside:
    """A connection of its own; each statement commits by itself, but after BEGIN IMMEDIATE.

    What it writes the router of this ledger notices, as it does of any program of ours.
    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._driver: Any
        if url.startswith("sqlite:///"):
            file = url.removeprefix("sqlite:///")
            self._driver = sqlite3.connect(file, timeout=timeout, isolation_level=None)
        else:
            self._driver = psycopg.connect(url, autocommit=True)
            self._driver.execute(f"SET lock_timeout = {max(1, int(timeout * 1000))}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def in_transaction(self) -> bool:
        """Whether it holds the ledger."""
        if isinstance(self._driver, sqlite3.Connection):
            return self._driver.in_transaction
        return bool(self._driver.info.transaction_status != psycopg.pq.TransactionStatus.IDLE)

    def execute(self, text: str, values: tuple[Any, ...] = ()) -> Any:
        """The driver's cursor."""
        if isinstance(self._driver, sqlite3.Connection):
            return self._driver.execute(text, values)
        if text == "BEGIN IMMEDIATE":
            try:
                return self._driver.execute(_ALONE)
            except psycopg.Error:
                self._driver.rollback()
                raise
        found = self._driver.execute(text.replace("?", "%s"), values)
        if _WRITES.match(text):
            self._driver.execute(_CHANGED)
        return found

    def close(self) -> None:
        """What it held is free."""
        self._driver.close()
