"""What commands share: types of arguments, who asks when, and the ledger and rules that are meant.

They come by these through hubherald.yaml alone: a mistake in rules or users must not keep an
operator from asking why something happened.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from router.cli.printing import line
from router.domain import eui
from router.domain.timestamps import duration
from router.entrypoints import installed
from router.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from router.ledger.actions import Operator
    from router.ledger.database import Database, Use
    from router.ledger.reader import Readable

ROW = click.IntRange(1, 2**63 - 1)
"""The number of a row in the ledger."""
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
"""Between which a moment may lie that somebody asks for."""
LONGEST = timedelta(days=3650)
"""The longest span of time that somebody may ask for."""


class InstalledKind(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on alone
    """A type of arguments: one of what is installed under a group of entry points, by its kind.

    What is installed is looked up when somebody asks: not for the help of another command.
    """

    name = "kind"

    def __init__(self, group: str) -> None:
        self._group = group

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """`[duis]`: all of them, for `--help`."""
        return f"[{'|'.join(sorted(installed(self._group))) or 'none is installed'}]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> EntryPoint:
        """The entry point of this kind."""
        known = installed(self._group)
        if value not in known:
            names = ", ".join(sorted(known)) or "none"
            self.fail(f"{value!r} is not one of those installed: {names}", param, ctx)
        return known[value]

    def only(self) -> EntryPoint:
        """The one that is meant when nobody says which. UsageError when that is not clear."""
        known = sorted(installed(self._group).items())
        if len(known) != 1:
            names = ", ".join(kind for kind, _ in known)
            raise click.UsageError(
                f"say which --format; installed are: {names}" if known else "none is installed"
            )
        return known[0][1]


def now() -> datetime:
    """The present moment, UTC: commands read the clock here, and once."""
    return datetime.now(UTC)


def eui64(text: str) -> str:
    """A Device ID or User ID in any usual spelling; as the ledger has it."""
    try:
        return eui.spelled(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from None


def moment_of(text: str) -> datetime:
    """A moment: RFC 3339, a day or time in Europe/London, or so long ago; aware, UTC."""
    from router.domain.inventory import LOCAL

    with suppress(ValueError, OverflowError):
        return max(EARLIEST, now() - duration(text))
    try:
        found = datetime.fromisoformat(text)
        local = found if found.tzinfo else found.replace(tzinfo=LOCAL)
        if EARLIEST <= (moment := local.astimezone(UTC)) <= LATEST:
            return moment
        raise click.BadParameter(f"{text!r}: nothing happened in that year")
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no time; write 2026-01-31T23:59:00Z, 2026-01-31 (midnight in London) "
            f"or 7d, 12h, 30m (ago)"
        ) from None


def moment_to_come(text: str) -> datetime:
    """A moment as in `moment_of`, but ahead: so long ago is none."""
    with suppress(ValueError):
        duration(text)
        raise click.BadParameter(f"{text!r} is no moment; --for takes a span of time")
    found = moment_of(text)
    if found <= now():
        raise click.BadParameter(f"{text!r} is past")
    return found


def span_of(text: str) -> timedelta:
    """A span of time of some length."""
    try:
        found = duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}") from None
    if not timedelta() < found <= LONGEST:
        raise click.BadParameter(f"{text!r}: give more than 0 s, and {LONGEST.days} days at most")
    return found


def plain_file(text: str) -> Path:
    """A file that has an end, and can be read from any place on: no pipe, no device."""
    file = Path(text)
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise click.BadParameter(f"{text} can't be read: {why}") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a plain file"
        raise click.BadParameter(f"{text} is {what}")
    return file


def whole(file: BinaryIO, most: int) -> bytes:
    """All that a file holds. UsageError where that is more than `most` bytes, or has no end."""
    found = b""
    while len(found) <= most and (more := file.read(most + 1 - len(found))):
        found += more
    if len(found) > most:
        raise UsageError(f"{file.name} holds more than {most:,} bytes; is it the right file?")
    return found


@contextmanager
def ledger(config_file: Path, use: Use | None = None, *, make: bool = False) -> Iterator[Database]:
    """The ledger that the configuration names, to read it unless said otherwise.

    `make`: one that is not there yet is made, and told of; there is nothing to change in it.
    """
    from router.config.ledgerplace import ledger_place
    from router.ledger.database import Use, open_database

    place = ledger_place(config_file)
    opened = open_database(
        place.url, use or Use.READ, access=place.access, password=place.password, make=make
    )
    with closing(opened) as database:
        if database.made:
            line(f"a new, empty ledger: {database.name}", err=True)
        yield database


@contextmanager
def reading(config_file: Path) -> Iterator[Readable]:
    """The same ledger, for what asks it so little that importing more would be most of the time."""
    from router.config.ledgerplace import ledger_place
    from router.ledger.reader import open_reader

    opened = open_reader(ledger_place(config_file).url)
    if opened is None:  # what is wrong with it is said there
        with ledger(config_file) as database:
            yield database
        return
    with closing(opened):
        yield opened


def rules_folder(config_file: Path) -> Path:
    """The folder of rules, as seen from here when it lies below: its positions are read."""
    from router.config.settings import own_settings

    folder = own_settings(config_file).rules_folder
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def operator() -> Operator:
    """Who runs this command, at this moment."""
    from router.ledger.actions import Operator, system_user

    return Operator(system_user(), now())
