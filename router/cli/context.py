"""What commands share: types of arguments, who asks when, and the ledger and rules that are meant.

They come by these through hubherald.yaml alone: a mistake in rules or users must not keep an
operator from asking why something happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import click

from router.config.loading import settings
from router.domain import identifiers
from router.domain.inventory import LOCAL
from router.domain.timestamps import duration
from router.ledger.actions import Operator, system_user
from router.ledger.database import Database, Use, open_database
from router.ports.entrypoints import installed


def of_installed(group: str) -> Callable[[str], EntryPoint]:
    """A type of arguments: one of what is installed under a group of entry points, by its kind."""

    def kind(text: str) -> EntryPoint:
        known = installed(group)
        if text not in known:
            names = ", ".join(sorted(known)) or "none"
            raise click.BadParameter(f"{text!r} is not one of those installed: {names}")
        return known[text]

    return kind


def now() -> datetime:
    """The present moment, UTC: commands read the clock here, and once."""
    return datetime.now(UTC)


def eui64(text: str) -> str:
    """A Device ID or User ID, in either case; in upper case, as the ledger has it."""
    try:
        return identifiers.eui64(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from None


def moment(text: str) -> datetime:
    """A moment: RFC 3339, a day or time in Europe/London, or so long ago; aware, UTC."""
    with suppress(ValueError):
        return now() - duration(text)
    try:
        found = datetime.fromisoformat(text)
        local = found if found.tzinfo else found.replace(tzinfo=LOCAL)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time; write 2026-01-31T23:59:00Z, 2026-01-31 (midnight in London) "
            f"or 7d, 12h, 30m (ago)"
        ) from None


@contextmanager
def ledger(config_file: Path, use: Use = Use.READ) -> Iterator[Database]:
    """The ledger that the configuration names."""
    with closing(open_database(settings(config_file).ledger.url, use)) as database:
        yield database


def rules_folder(config_file: Path) -> Path:
    """The folder of rules, as seen from here when it lies below: its positions are read."""
    folder = settings(config_file).rules_folder
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def operator() -> Operator:
    """Who runs this command, at this moment."""
    return Operator(system_user(), now())
