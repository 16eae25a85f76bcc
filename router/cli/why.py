"""`hubherald why`: the story of a hub, from the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import eui64, ledger
from router.cli.naming import service_user
from router.cli.printing import as_json, line, output
from router.cli.story import tell
from router.errors import UsageError

if TYPE_CHECKING:
    from router.ledger.database import Database


@click.command("why")
@click.option("--hub", required=True, type=eui64, metavar="ID", help="Device ID of the hub.")
@click.option(
    "--user", type=service_user, metavar="USER", help="Only what concerns this Service User."
)
@output
@click.pass_obj
def command(config_file: Path, hub: str, user: str | None, output: str) -> None:
    """Say why Service Users were told about a hub, or were not.

    Everything the ledger knows, in the order of receipt: each fact, on what it was decided,
    which rule gave which verdict for whom, the Alerts, every attempt to deliver them, and what
    comes next. Also for what was not sent.

    \b
    Example:
      hubherald why --hub 90-B3-D5-1F-30-01-00-00
      hubherald why --hub 90-B3-D5-1F-30-01-00-00 --user 90-B3-D5-1F-30-02-00-01 -o json
    """
    from router.config.usernames import user_names
    from router.ledger.queries.why import why

    with ledger(config_file) as database:
        told = why(database, hub, user)
        if not told and not _is_known(database, hub):
            raise UsageError(
                f"nothing is known about hub {hub}: no fact came, and the inventory does not "
                f"have it (is the id right?)"
            )
    if output == "json":
        as_json(told)
    elif told:
        tell(told, user_names(config_file))
    else:
        line(f"no fact about hub {hub} has come yet; `hubherald inventory show {hub}` shows it")


def _is_known(database: Database, hub: str) -> bool:
    from router.ledger.queries.homes import find_home

    return find_home(database, hub) is not None
