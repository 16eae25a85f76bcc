"""A progress bar for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TimeRemainingColumn,
)


@contextmanager
def bar(what: str, total: int, *, of_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told of each step; draws nothing when standard error is no terminal."""
    errors = Console(stderr=True)
    if not errors.is_terminal:
        yield lambda _: None
        return
    done = DownloadColumn() if of_bytes else MofNCompleteColumn()
    with Progress(
        what, BarColumn(), done, TimeRemainingColumn(), console=errors, transient=True
    ) as drawn:
        task = drawn.add_task("", total=total)
        yield lambda count: drawn.advance(task, count)
