"""Lists: one order, one limit, and a line that says how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from router.cli.printing import as_json, as_table, line, listing

COUNTED = 100_000
"""So many rows beyond those that are shown are counted."""


@dataclass(frozen=True, slots=True)
class Portion:
    """How many rows of a list are wanted, and from which end."""

    limit: int
    reverse: bool

    def of(self, rows: Sequence[Any]) -> tuple[Sequence[Any], int]:
        """Of a whole list in its usual order: what is wanted, and how many more there are."""
        turned = rows[::-1] if self.reverse else rows
        return turned[: self.limit], len(rows[self.limit :])


def portioned(
    *names: str, order: str = "The oldest first."
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command that lists its `--limit`, `--reverse`, `-o` and `--wide`.

    It gets the first two as `portion`; `names` are others for `--reverse`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def told(*args: Any, limit: int, reverse: bool, **given: Any) -> None:
            command(*args, portion=Portion(limit, reverse), **given)

        found = listing(told)
        found = click.option("--reverse", *names, "reverse", is_flag=True, help=order)(found)
        limit = click.IntRange(1, 1_000_000)
        return click.option(
            "--limit", type=limit, default=100, show_default=True, help="At most so many."
        )(found)

    return decorate


def show(
    rows: Sequence[Any], columns: Sequence[str], *, output: str, nothing: str, more: int
) -> None:
    """The rows as a table or as JSON, and on standard error how many more there are.

    `more` is 0 or less where there are none.
    """
    if output == "json":
        as_json(rows)
    else:
        as_table(rows, columns, nothing=nothing)
    tell_more(more)


def tell_more(more: int) -> None:
    """The line that says so."""
    if more > 0:
        many = f"more than {COUNTED:,}" if more > COUNTED else f"{more:,}"
        line(f"{many} more: see --limit", err=True)
