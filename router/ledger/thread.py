"""The ledger's own thread.

SQLite through the synchronous driver in one thread beats an asynchronous wrapper by far, and one
thread is also what makes the router the ledger's single writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import structlog

from router.ledger.database import Database, LedgerUnavailable
from router.ledger.store import LedgerGone

P = ParamSpec("P")
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class LedgerThread:
    """Runs functions of this package that take the database, one after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gone: LedgerGone | None = None
        """From when the ledger was found not to be the one at its path."""
        self.trouble: str | None = None
        """Why the last that was asked of it could not be done; None when it was."""
        self.noticed = asyncio.Event()
        """Set when it is gone."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self.database.close()

    async def call(
        self, function: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The function's result; a cancelled caller does not stop a transaction half-way.

        LedgerGone is for all callers, however it then stands at the path: who got it first has
        perhaps committed to a file that is nowhere.
        """
        if self.gone is not None:
            raise self.gone
        loop = asyncio.get_running_loop()
        bound = partial(function, self.database, *args, **kwargs)
        try:
            done = await asyncio.shield(loop.run_in_executor(self._executor, bound))
        except LedgerUnavailable as error:
            self.trouble = str(error)
            raise
        except LedgerGone as gone:
            if self.gone is None:
                self.gone = gone
                self.noticed.set()
                _log.error("ledger.gone", detail=str(gone), advice="the router ends")
            raise
        self.trouble = None
        return done

    async def after(self, function: Callable[[], None]) -> None:
        """Have this done in the thread, once all that was asked of it before is through."""
        loop = asyncio.get_running_loop()
        await asyncio.shield(loop.run_in_executor(self._executor, function))

    def lost(self) -> str | None:
        """Why the ledger is not the one at its path any more; None while it is."""
        return str(self.gone) if self.gone is not None else self.database.lost()

    def refusing(self) -> str | None:
        """Why it takes nothing now, as far as is known; None while it does."""
        return self.trouble or self.database.full()
