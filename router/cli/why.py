"""`hubherald why`: the story of a hub, from the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import eui64, ledger
from router.cli.naming import beside_ids, hubs_meant, service_user, with_names
from router.cli.printing import as_json, line, output
from router.cli.story import tell
from router.errors import UsageError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.ledger.database import Database
    from router.ledger.queries.story import StoryPart


@click.command("why")
@click.argument("about", metavar="HUB|MPAN|MPRN|ALERT", required=False)
@click.option("--hub", type=eui64, metavar="ID", help="Device ID of the hub.")
@click.option(
    "--user", type=service_user, metavar="USER", help="Only what concerns this Service User."
)
@output
@click.pass_obj
def command(
    config_file: Path, *, about: str | None, hub: str | None, user: str | None, output: str
) -> None:
    """Say why Service Users were told about a hub, or were not.

    The hub is meant by its Device ID, by a meter point that is or was registered there, or by an
    Alert about it. Everything the ledger knows, in the order of receipt: each fact, on what it was
    decided, which rule gave which verdict for whom, the Alerts, every attempt to deliver them, and
    what comes next. Also for what was not sent.

    \b
    Example:
      hubherald why 90-B3-D5-1F-30-01-00-00
      hubherald why 1234567890123 --user "Acme Energy"
      hubherald why 0b0f7f1c -o json
    """
    from router.config.usernames import user_names
    from router.ledger.queries.why import why

    if (about is None) is (hub is None):
        raise click.UsageError("say which hub: by its Device ID, a meter point or an Alert's id")
    names = user_names(config_file)
    told: list[StoryPart] = []
    for device in [hub] if hub is not None else hubs_meant(about or ""):
        with ledger(config_file) as database:
            found = why(database, device, user)
            if not found and not _is_known(database, device):
                raise UsageError(
                    f"nothing is known about hub {device}: no fact came, and the inventory does "
                    f"not have it (is the id right?)"
                )
        told += found
        if output == "text":
            _say(device, found, user, names)
    if output == "json":
        as_json(with_names(told))


def _say(hub: str, told: Sequence[StoryPart], user: str | None, names: Mapping[str, str]) -> None:
    if told:
        tell(told, names)
        if user is not None:
            line("")
            line(beside_ids(_in_a_sentence(told, user), names))
    else:
        line(f"no fact about hub {hub} has come yet; `hubherald inventory show {hub}` shows it")


def _in_a_sentence(told: Sequence[StoryPart], user: str) -> str:
    """Whether the user was told, and why not."""
    from router.ledger.queries.story import AlertTold, Decided

    sent = sum(isinstance(each, AlertTold) for each in told)
    if sent:
        return f"{user} was to be told: {plural(sent, 'Alert')}, as above."
    mine = [each for each in told if isinstance(each, Decided) and each.service_user_id == user]
    if not mine:
        return (
            f"{user} was not told: no registration made them responsible for this hub at any "
            f"moment that counted, and no rule asked for them."
        )
    last = mine[-1]
    by = f" by rule {last.rule}" if last.rule else ""
    why = f": {last.reason}" if last.reason else ""
    return f"{user} was not told: {last.verdict.replace('_', ' ')}{by}{why}."


def _is_known(database: Database, hub: str) -> bool:
    from router.ledger.queries.homes import find_home

    return find_home(database, hub) is not None
