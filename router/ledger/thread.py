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

from router.ledger.database import Database

P = ParamSpec("P")
T = TypeVar("T")


class LedgerThread:
    """Runs functions of this package that take the database, one after the other."""

    def __init__(self, database: Database) -> None:
        self.database = database
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
        """The function's result; a cancelled caller does not stop a transaction half-way."""
        loop = asyncio.get_running_loop()
        bound = partial(function, self.database, *args, **kwargs)
        return await asyncio.shield(loop.run_in_executor(self._executor, bound))
