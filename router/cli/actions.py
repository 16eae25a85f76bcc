"""`hubherald actions`: who changed what, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ledger, moment_of
from router.cli.listed import COUNTED, Portion, portioned, show
from router.cli.naming import named, whom_or_what
from router.cli.printing import flat

if TYPE_CHECKING:
    from router.ledger.queries.actions import ActionRow

COLUMNS = ("at", "operator", "action", "about", "count", "reason", "detail")


@click.group("actions")
def command() -> None:
    """List who changed what, when and why.

    Whatever a command changes in the ledger is on record with the system user that ran it, and so
    is what the router did by itself: reloads, pauses that ended, steps of the clock.
    """


@command.command("list")
@click.option("--since", type=moment_of, metavar="TIME", help="Such as 2026-01-31 or 7d.")
@click.option("--by", metavar="NAME", help="By this system user.")
@click.option(
    "--on",
    metavar="ID",
    type=whom_or_what,
    help="On this Service User (a name will do), hub, channel, fact or rules.",
)
@click.option("--action", metavar="NAME", help="Of this kind, such as `lanes pause` or `lanes`.")
@portioned()
@click.pass_obj
def list_(
    config_file: Path,
    *,
    since: datetime | None,
    by: str | None,
    on: str | None,
    action: str | None,
    portion: Portion,
    output: str,
) -> None:
    """List actions, the newest first.

    \b
    Example:
      hubherald actions list --since 7d
      hubherald actions list --on 90-B3-D5-1F-30-01-00-01 --action lanes
    """
    from router.ledger.queries.actions import ActionFilter, count_actions, list_actions

    wanted, limit = ActionFilter(since, by, on, action), portion.limit
    with ledger(config_file) as database:
        rows = list_actions(database, wanted, limit=limit + 1, oldest=portion.reverse)
        more = count_actions(database, wanted, limit + COUNTED + 1) if rows[limit:] else 0
    shown: Sequence[ActionRow | dict[str, object]] = rows[:limit]
    if output != "json":
        shown = [{**flat(each), "about": each.about and named(each.about)} for each in rows[:limit]]
    show(
        shown,
        COLUMNS,
        output=output,
        nothing="nobody has changed anything",
        more=more - limit,
    )
