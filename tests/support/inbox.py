"""A folder source at work, as the tests of it need one."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.typing import EventDict

from adapters.folder import FolderSource
from router.ports import Cursor, Message


class Reader:
    """Reads a source as the intake does: a task takes Messages until the source is exhausted."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.messages: list[Message] = []
        self.cursors: dict[str, Cursor] = {}
        """What the ledger would have."""

    async def run(self, cursors: Mapping[str, Cursor]) -> None:
        self.cursors = dict(cursors)
        async for given in self.source.messages(cursors):
            if isinstance(given, Message):
                self.messages.append(given)
            cursor = given.cursor if isinstance(given, Message) else given
            if cursor is not None:
                self.cursors[cursor.key] = cursor

    async def until(self, count: int) -> list[Message]:
        """Waits for that many in all; a test that waits in vain is stopped by its own deadline."""
        async with asyncio.timeout(30):
            await until(lambda: len(self.messages) >= count and self.source.exhausted())
        return self.messages


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  what is waited for is on a disk
        await asyncio.sleep(0.002)


@asynccontextmanager
async def reading(
    folder: Path, cursors: Mapping[str, Cursor] | None = None
) -> AsyncIterator[Reader]:
    """A source at work on `folder`."""
    config = FolderSource.Config.model_validate({"path": folder, "poll": 0.005})
    async with FolderSource("drop", config) as source:
        reader = Reader(source)
        assert not source.exhausted()
        task = asyncio.create_task(reader.run(cursors or {}))
        yield reader
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read(folder: Path, cursors: Mapping[str, Cursor] | None = None) -> list[Message]:
    """All that is there now."""
    async with reading(folder, cursors) as reader:
        return await reader.until(0)


def cursor(file: Path, offset: int, line: int) -> Cursor:
    """How far a plain file was read that is still there."""
    status = file.stat()
    digest = hashlib.sha256(file.read_bytes()[:offset]).hexdigest()
    return Cursor(file.name, offset, line, digest, f"{status.st_dev}:{status.st_ino}")


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.body for message in messages]


def places(messages: list[Message]) -> list[str]:
    return [message.origin for message in messages]


def named(logs: list[EventDict], event: str) -> list[EventDict]:
    return [line for line in logs if line["event"] == event]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def add(file: Path, data: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(data)
