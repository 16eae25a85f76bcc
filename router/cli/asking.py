"""How a command changes what is many: on trial, with a reason, after one question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from router.cli.printing import line

because = click.option("--reason", metavar="TEXT", help="Why: kept with the record of it.")
dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@dataclass(frozen=True, slots=True)
class Manner:
    """What an operator says beside what is to be changed."""

    reason: str | None
    dry_run: bool
    yes: bool

    def make_sure(self, question: str, count: int) -> None:
        """Ask, where more than one is changed; whoever does not say yes has changed nothing."""
        if self.yes or count <= 1:
            return
        try:
            click.confirm(question, abort=True, err=True)
        except click.Abort:
            line("nothing was changed; --yes says yes beforehand", err=True)
            raise


def manner(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--reason`, `--dry-run` and `--yes`, as a Manner."""

    @because
    @dry_run
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @wraps(command)
    def asked(*args: Any, reason: str | None, dry_run: bool, yes: bool, **given: Any) -> None:
        command(*args, manner=Manner(reason, dry_run, yes), **given)

    return asked
