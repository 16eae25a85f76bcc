"""`hubherald lanes`: each user and channel, open or closed and why."""

from __future__ import annotations

from pathlib import Path

import click

from router.cli import InWords
from router.cli.context import eui64, ledger, operator
from router.cli.printing import as_json, as_table, line, output
from router.files.redaction import escaped_lines
from router.ledger.actions import LaneChanged, pause_lanes, resume_lanes
from router.ledger.database import Use
from router.ledger.queries.lists import list_lanes

COLUMNS = (
    "service_user_id",
    "channel",
    "adapter",
    "state",
    "reason",
    "since",
    "waiting",
    "set_aside",
    "oldest",
    "last_answer",
    "last_answer_at",
    "detail",
)


@click.group("lanes")
def command() -> None:
    """List the lanes (user and channel), pause and resume them.

    A lane is closed with a reason: `suspended`, `user_removed`, `credentials`, `endpoint`,
    `operator` or `adapter_missing`. Its Alerts are held, and time in which it is closed does not
    count.
    """


@command.command("list")
@output
@click.pass_obj
def list_(config_file: Path, output: str) -> None:
    """List the lanes: open or closed and why, how many Alerts wait, the last answer.

    \b
    Example:
      hubherald lanes list
    """
    with ledger(config_file) as database:
        rows = list_lanes(database)
    if output == "json":
        as_json(rows)
    else:
        as_table(rows, COLUMNS, nothing="no lanes yet; `hubherald run` makes them")


@command.command("pause")
@click.argument("user", type=eui64)
@click.argument("channel", required=False)
@click.pass_obj
def pause(config_file: Path, user: str, channel: str | None) -> None:
    """Close the lanes of USER, or only that of CHANNEL: Alerts are held until you resume.

    \b
    Example:
      hubherald lanes pause 90-B3-D5-1F-30-01-00-01 webhook
    """
    with ledger(config_file, Use.CHANGE) as database:
        _say(pause_lanes(database, user, channel, operator()), "paused")


@command.command("resume")
@click.argument("user", type=eui64)
@click.argument("channel", required=False)
@click.pass_obj
def resume(config_file: Path, user: str, channel: str | None) -> None:
    """Open the lanes of USER, or only that of CHANNEL.

    Opens what an operator paused and what closed by itself (credentials, endpoint). Who is
    still responsible is read again before anything is sent.

    \b
    Example:
      hubherald lanes resume 90-B3-D5-1F-30-01-00-01
    """
    with ledger(config_file, Use.CHANGE) as database:
        _say(resume_lanes(database, user, channel, operator()), "resumed")


def _say(changed: list[LaneChanged], done: str) -> None:
    for each in changed:
        if each.refused is None:
            line(f"{done}: {each.service_user_id} {each.channel}")
    refused = [each for each in changed if each.refused is not None]
    text = "\n".join(f"{each.service_user_id} {each.channel} {each.refused}" for each in refused)
    if refused and len(refused) == len(changed):
        raise InWords(f"error: {text}")
    if refused:
        click.echo(escaped_lines(text), err=True)
