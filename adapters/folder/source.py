"""Facts from a folder: each `*.jsonl` in it, a fact a line.

The files are never changed, so that whoever puts them there keeps a whole copy of what was sent;
how far each has been read is in the ledger, in the same transaction as its facts.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import structlog
from pydantic import Field
from structlog.typing import FilteringBoundLogger

from adapters.folder.lines import Block, read_block
from router.ports import Cursor, Message, Options, Source, UsageError

SUFFIX = ".jsonl"


class FolderSourceOptions(Options):
    """What a folder of facts takes in hubherald.yaml."""

    path: Annotated[Path, Field(description="the folder; each *.jsonl in it is read")]
    poll: Annotated[
        float, Field(gt=0, le=3600, description="seconds between two looks at the folder")
    ] = 0.5


@dataclass(frozen=True, slots=True)
class _FileSeen:
    """A file as a look found it; one that is still the same need not be opened."""

    size: int
    changed: int


@dataclass(slots=True)
class _Reading:
    """How one file stands."""

    cursor: Cursor
    seen: _FileSeen | None = None
    """As it was when it was last read to its end; None until then."""
    unfinished: bool = False
    """The last line has no newline yet and is not a whole fact."""
    shrunk: bool = False
    """What stands where the cursor points is not what was there before."""
    missing: bool = False
    said_line: int = 0
    """The unfinished line that has been logged."""


class FolderSource(Source[FolderSourceOptions]):
    """Takes each line of each *.jsonl in a folder as a fact; progress is in the ledger."""

    Config = FolderSourceOptions

    def __init__(self, name: str, config: FolderSourceOptions) -> None:
        self._name = name
        self._folder = config.path
        self._poll = config.poll
        self._files: dict[str, _Reading] = {}
        self._readable = True
        self._exhausted = False
        self._said: set[tuple[str, str]] = set()
        self._log: FilteringBoundLogger = structlog.get_logger().bind(
            source=name, folder=str(config.path)
        )

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(_look, self._folder)
        except OSError as error:
            raise UsageError(
                f"source {self._name!r}: folder {self._folder} cannot be read"
                f" ({error.strerror}); create it, or mend `path` of the source"
            ) from None
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing is held open between two reads."""

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncGenerator[Message, None]:
        """Every line from `cursors` (by file name) on; ends only by being closed."""
        self._files = {key: _Reading(cursor) for key, cursor in cursors.items()}
        while True:
            grown = await self._grown()
            for reading, seen in grown:
                self._exhausted = False
                while block := await self._block(reading, seen):
                    for message in block.messages:
                        yield message
            # What could not be read is not worth another look at once.
            if not any(reading.seen == seen for reading, seen in grown):
                self._say_unfinished()
                self._exhausted = self._readable
                await asyncio.sleep(self._poll)

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """The ledger has the cursors, the files stay as they are: nothing to do."""

    def exhausted(self) -> bool:
        """True when every whole line that was there at the last look has been given out."""
        return self._exhausted

    def down(self) -> str | None:
        """Set while the folder can't be read."""
        if self._readable:
            return None
        return f"folder {self._folder} can't be read; see the log line folder.unreadable"

    async def _grown(self) -> list[tuple[_Reading, _FileSeen]]:
        """The files that are new or have changed since they were last read, by name."""
        try:
            found = await asyncio.to_thread(_look, self._folder)
        except OSError as error:
            self._readable = False
            self._say("folder.unreadable", "", reason=error.strerror)
            return []
        self._readable = True
        self._say_missing(found)
        grown = []
        for name, seen in sorted(found.items()):
            if seen is None:
                self._say("folder.ignored", name, reason="not a plain file with a printable name")
                continue
            reading = self._files.setdefault(name, _Reading(Cursor(name, 0)))
            reading.missing = False
            if seen != reading.seen and self._may_read(reading, seen):
                grown.append((reading, seen))
        return grown

    def _may_read(self, reading: _Reading, seen: _FileSeen) -> bool:
        read_to = reading.cursor.offset
        if seen.size < read_to:
            reading.shrunk = True
            advice = "files must only grow; give it a new name to have it read"
            name = reading.cursor.key
            self._say("folder.shrunk", name, size=seen.size, read_to=read_to, advice=advice)
        return not reading.shrunk

    async def _block(self, reading: _Reading, seen: _FileSeen) -> Block | None:
        """The next lines, up to the size that the look found; None when there are no more."""
        cursor = reading.cursor
        reading.unfinished = False
        if cursor.offset < seen.size:
            try:
                block = await asyncio.to_thread(read_block, self._folder, cursor, seen.size)
            except OSError as error:
                self._say("folder.unreadable", cursor.key, reason=error.strerror)
                return None
            if block.reached != cursor:
                reading.cursor = block.reached
                return block
            reading.unfinished = True
        reading.seen = seen
        return None

    def _say_unfinished(self) -> None:
        """Once for each line, and only when it has stayed so from one look to the next."""
        for name, reading in self._files.items():
            line = reading.cursor.line + 1
            if reading.unfinished and reading.said_line != line:
                reading.said_line = line
                advice = "it is read when it ends with a newline"
                self._log.warning("folder.unfinished_line", file=name, line=line, advice=advice)

    def _say_missing(self, found: Mapping[str, _FileSeen | None]) -> None:
        """One line for all of them: finished files are often moved away by the thousand."""
        gone = [name for name, reading in self._files.items() if name not in found]
        news = [name for name in gone if not self._files[name].missing]
        for name in news:
            self._files[name].missing = True
            self._files[name].unfinished = False
        if news:
            self._log.info("folder.missing", count=len(news), files=sorted(news)[:5])

    def _say(self, event: str, name: str, **details: object) -> None:
        """One warning for each finding, not one for each look."""
        if (event, name) not in self._said:
            self._said.add((event, name))
            self._log.warning(event, file=name, **details)


def _look(folder: Path) -> dict[str, _FileSeen | None]:
    """Every `*.jsonl` of the folder; None for what is not read, such as a folder or a link."""
    found: dict[str, _FileSeen | None] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(SUFFIX) or entry.name.startswith("."):
                continue
            found[entry.name] = None
            if entry.is_file(follow_symlinks=False) and entry.name.isprintable():
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # moved away since it was listed
                    del found[entry.name]
                    continue
                found[entry.name] = _FileSeen(status.st_size, status.st_mtime_ns)
    return found
