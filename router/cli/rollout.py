"""`hubherald rollout`: how a firmware version gets on, and who has been told."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ledger
from router.cli.listed import Portion, portioned, show, tell_more
from router.cli.naming import NAME, with_names
from router.cli.printing import as_object, as_table, flat, line, shown
from router.errors import UsageError
from router.files.counts import plural
from router.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from router.ledger.database import Database
    from router.ledger.queries.rollout import VersionRow


@click.command("rollout")
@click.argument("version", required=False)
@portioned()
@click.pass_obj
def command(config_file: Path, version: str | None, *, portion: Portion, output: str) -> None:
    """Show how far each firmware version is: hubs that activated it, and who has been told.

    The newest version first. With VERSION: what each Service User is told of it. An Alert is
    outstanding while it waits, is being sent, or is held on a closed lane; one that goes through
    several channels counts once.

    \b
    Example:
      hubherald rollout
      hubherald rollout 01020304
    """
    from router.ledger.queries.rollout import VersionRow, versions

    if version is not None:
        _of_version(config_file, version, portion, output)
        return
    with ledger(config_file) as database:
        rows, more = portion.of(versions(database))
    columns = [field.name for field in fields(VersionRow)]
    show(rows, columns, output=output, nothing="no activations yet", more=more)


def _of_version(config_file: Path, version: str, portion: Portion, output: str) -> None:
    from router.ledger.queries.rollout import UserRow, users

    with ledger(config_file) as database:
        row = _named(database, version)
        told, more = portion.of(with_names(users(database, version)))
    if output == "json":
        as_object({**flat(row), "service_users": told})
    else:
        _tell(row)
        columns = [NAME, *(field.name for field in fields(UserRow))]
        as_table(told, columns, nothing="nobody was to be told; `hubherald why --hub ID` says why")
    tell_more(more)


def _named(database: Database, version: str) -> VersionRow:
    from router.ledger.queries.rollout import versions

    found = versions(database, version)
    if found:
        return found[0]
    known = [row.firmware_version for row in versions(database)]
    raise UsageError(f"no hub has activated {version!r}{did_you_mean(version, known[:20])}")


def _tell(row: VersionRow) -> None:
    line(
        f"{row.firmware_version}: {plural(row.hubs_activated, 'hub')} activated it, "
        f"{row.hubs_failed:,} failed, {row.hubs_running:,} run it now"
    )
    line(f"from {shown(row.first_activated_at)} to {shown(row.last_activated_at)}")
    line(
        f"{plural(row.alerts_due, 'Alert')}: {row.alerts_delivered:,} delivered, "
        f"{row.alerts_outstanding:,} outstanding, {row.alerts_parked:,} parked, "
        f"{row.alerts_withdrawn:,} withdrawn"
    )
    line("")
