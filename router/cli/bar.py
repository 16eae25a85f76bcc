"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from router.cli.printing import line, shown


class Bar:
    """Drawn on standard error when that is a terminal; gone when the work is done."""

    def __init__(self, what: str, total: int, *, of_bytes: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        done = DownloadColumn() if of_bytes else MofNCompleteColumn()
        self._drawn = Progress(
            *(what, BarColumn(), done, TimeRemainingColumn()),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._drawn.add_task("", total=total)

    def __enter__(self) -> Self:
        self._drawn.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drawn.stop()

    def begin(self, total: int) -> None:
        """So much is to be done: known only now."""
        self._drawn.update(self._task, total=total)

    def advance(self, count: int) -> None:
        """So much more is done."""
        self._drawn.advance(self._task, count)

    def say(self, text: str) -> None:
        """A line on standard error, above the bar and never wrapped."""
        if self._console.is_terminal:
            self._console.print(shown(text), soft_wrap=True, markup=False, highlight=False)
        else:
            line(text, err=True)
