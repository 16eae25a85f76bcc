"""`hubherald rollout`: how a firmware version gets on, and who has been told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.context import ledger
from router.cli.naming import NAME, with_names
from router.cli.printing import as_json, as_table, line, listing, shown
from router.errors import UsageError
from router.files.counts import plural
from router.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from router.ledger.database import Database
    from router.ledger.queries.rollout import VersionRow


@click.command("rollout")
@click.argument("version", required=False)
@listing
@click.pass_obj
def command(config_file: Path, version: str | None, output: str) -> None:
    """Show how far each firmware version is: hubs that activated it, and who has been told.

    With VERSION: what each Service User is told of it. An Alert is outstanding while it waits, is
    being sent, or is held on a closed lane; one that goes through several channels counts once.

    \b
    Example:
      hubherald rollout
      hubherald rollout 01020304
    """
    from router.ledger.queries.rollout import UserRow, VersionRow, users, versions

    with ledger(config_file) as database:
        if version is None:
            rows = versions(database)
            told: list[Mapping[str, Any]] = []
        else:
            rows = [_named(database, version)]
            told = with_names(users(database, version))
    if output == "json":
        as_json(rows if version is None else told)
    elif version is None:
        columns = [field.name for field in fields(VersionRow)]
        as_table(rows, columns, nothing="no activations yet")
    else:
        _tell(rows[0])
        columns = [NAME, *(field.name for field in fields(UserRow))]
        as_table(told, columns, nothing="nobody was to be told; `hubherald why --hub ID` says why")


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
        f"{row.hubs_failed:,} failed, {row.hubs_running:,} run it now; "
        f"from {shown(row.first_activated_at)} to {shown(row.last_activated_at)}"
    )
    line(
        f"{plural(row.alerts_due, 'Alert')}: {row.alerts_delivered:,} delivered, "
        f"{row.alerts_outstanding:,} outstanding, {row.alerts_parked:,} parked, "
        f"{row.alerts_withdrawn:,} withdrawn"
    )
    line("")
