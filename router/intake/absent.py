"""What stands for a source that can't be made, as a file with a secret of it is of no use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

import structlog

from router.ports import Cursor, Message, Options, Source

_log = structlog.get_logger(__name__)


class AbsentSource(Source[Options]):
    """Gives nothing and says why; what waits in the ledger is delivered all the same."""

    Config = Options

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        self._why = f"{why}; mend it and restart the router"

    async def messages(
        self, cursors: Mapping[str, Cursor]
    ) -> AsyncGenerator[Message | Cursor, None]:
        _log.error("source.down", source=self._name, detail=self._why)
        await asyncio.Event().wait()
        yield Cursor("", 0)  # never; this is what makes it a generator

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        raise AssertionError("it gave none")

    def exhausted(self) -> bool:
        return False  # nobody knows what waits there

    def down(self) -> str | None:
        return self._why
