"""Facts from a folder: each `*.jsonl` in it and its like, a fact a line.

The files are never changed, so that whoever puts them there keeps a whole copy of what was sent;
how far each has been read is in the ledger, in the same transaction as its facts.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, ParamSpec, Self, TypeVar

from pydantic import Field

from adapters.folder.look import ENDINGS, few, look
from router.ports import (
    Aside,
    Code,
    Cursor,
    FileCounts,
    Message,
    Options,
    Source,
    Unfit,
    UsageError,
)

if TYPE_CHECKING:
    from adapters.folder.reader import FolderReader

SOON = 0.02
"""Seconds until the next look where something came: what comes in small pieces is read together."""
QUIET = 0.5
"""Seconds in which a file must not change that seems to be half written."""
SILENCE = 15.0
"""Seconds after which a folder that has not answered is said to be down."""
P = ParamSpec("P")
T = TypeVar("T")


class FolderSourceOptions(Options):
    """What a folder of facts takes in hubherald.yaml."""

    path: Annotated[
        Path, Field(description=f"the folder; each file in it that ends in {', '.join(ENDINGS)}")
    ]
    poll: Annotated[
        float, Field(gt=0, le=3600, description="seconds between two looks at the folder")
    ] = 0.5

    def unfit(self) -> Sequence[Unfit]:
        """That it can't be read; or what is in it and will never be."""
        try:
            unread = look(self.path).unread
        except OSError as error:
            text = f"cannot be read ({error.strerror}); create the folder, or mend the path"
            return [Unfit("path", text, code=Code.FILE)]
        if not unread:
            return ()
        names = ", ".join(map(ascii, few(unread)))
        text = (
            f"{len(unread)} in {self.path} not read ({names}{', ...' if len(unread) > 5 else ''}): "
            f"only plain files that end in {', '.join(ENDINGS)} are, and no subfolders; "
            f"rename them, or move them away"
        )
        return [Unfit("path", text, warning=True, code=Code.FILE)]


class StoppedError(Exception):
    """The source is being left; what takes long ends."""


class FolderSource(Source[FolderSourceOptions]):
    """Takes each line of each *.jsonl or *.ndjson in a folder as a fact, also of a .gz of one."""

    Config = FolderSourceOptions

    def __init__(self, name: str, config: FolderSourceOptions) -> None:
        # who checks files makes no source: what it reads and logs with is imported here
        import structlog  # noqa: PLC0415

        from adapters.folder.telling import FolderLog  # noqa: PLC0415

        self._name = name
        self._folder = config.path
        self._poll = config.poll
        self._tell = FolderLog(structlog.get_logger().bind(source=name, folder=str(config.path)))
        # One thread: what is open is used only there, and a disk that hangs stalls nobody else.
        self._thread = Aside(f"source {name}")
        self._asked: float | None = None
        self._stopped = Event()
        self._reader = self._read_from(())
        self._readable = True
        self._exhausted = False

    async def __aenter__(self) -> Self:
        try:
            await self._thread.within(SILENCE, look, self._folder)
        except TimeoutError:
            pass  # it is down until it answers; other sources need not wait for that
        except OSError as error:
            raise UsageError(
                f"source {self._name!r}: folder {self._folder} cannot be read"
                f" ({error.strerror}); create it, or mend `path` of the source"
            ) from None
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.submit(self._reader.close)
        self._thread.shutdown()

    async def messages(
        self, cursors: Mapping[str, Cursor]
    ) -> AsyncGenerator[Message | Cursor, None]:
        """Every line from `cursors` (by file name) on; ends only by being closed."""
        from asyncio import sleep  # noqa: PLC0415

        self._reader = self._read_from(cursors.values())
        while True:
            came = False
            if await self._look():
                self._exhausted = False
            while step := await self._in_thread(self._reader.step):
                came, self._exhausted = True, False
                if step.moved is not None:
                    yield step.moved
                for message in step.messages:
                    yield message
            if not came:
                self._reader.tell_unfinished()
                self._exhausted = self._readable and not self._reader.writing
            pause = SOON if came else QUIET if self._reader.writing else self._poll
            await sleep(min(self._poll, pause))

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """The ledger has the cursors, the files stay as they are: nothing to do."""

    def exhausted(self) -> bool:
        """True when every whole line that was there at the last look has been given out."""
        return self._exhausted

    def down(self) -> str | None:
        """Set while the folder can't be read, or does not answer."""
        if self._asked is not None and time.monotonic() - self._asked > SILENCE:
            return f"folder {self._folder} does not answer; is what it is mounted from away?"
        if self._readable:
            return None
        return f"folder {self._folder} can't be read; see the log line folder.unreadable"

    def files(self) -> FileCounts:
        """Those that are not as they should be."""
        return FileCounts(ignored=self._reader.ignored, replaced=self._reader.replaced)

    def _read_from(self, cursors: Iterable[Cursor]) -> FolderReader:
        from adapters.folder.reader import FolderReader  # noqa: PLC0415 - as above

        return FolderReader(self._folder, cursors, self._tell, self._pause)

    async def _look(self) -> bool:
        """Whether there may be something to read."""
        try:
            news = await self._in_thread(self._reader.look)
        except OSError as error:
            self._readable = False
            self._tell.folder_unreadable(error)
            return False
        self._readable = True
        return news

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._asked = time.monotonic()
        try:
            return await self._thread.call(function, *args, **kwargs)
        finally:
            self._asked = None

    def _pause(self) -> None:
        if self._stopped.is_set():
            raise StoppedError
