"""`hubherald lanes`: each user and channel, open or closed and why, and what waits there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.asking import because
from router.cli.context import ledger, moment_to_come, operator, reading, span_of
from router.cli.ending import InWords
from router.cli.listed import Portion, portioned, show
from router.cli.naming import NAME, named, service_user, with_names
from router.cli.printing import as_json, as_object, flat, line, lines, output, shown
from router.files.counts import plural
from router.lanes.values import LaneKey

if TYPE_CHECKING:
    from router.ledger.moves import LaneMoved
    from router.ledger.pauses import LaneChanged

COLUMNS = (
    NAME,
    "service_user_id",
    "channel",
    "adapter",
    "state",
    "reason",
    "since",
    "until",
    "waiting",
    "oldest",
    "oldest_alert",
    "failures",
    "next_try",
    "set_aside",
    "last_answer",
    "last_answer_at",
    "detail",
)


@click.group("lanes")
def command() -> None:
    """List the lanes (user and channel), pause and resume them, move what waits.

    A lane is closed with a reason: `suspended`, `user_removed`, `credentials`, `endpoint`,
    `operator`, `adapter_missing` or `adapter_broken`. Its Alerts are held, and time in which it is
    closed does not count.

    Where service_users.yaml names one channel of a user less and one more, what waits on the one
    moves to the other by itself. Where it is not one for one it is held: `lanes move` moves it.
    """


@command.command("list")
@click.option("--closed", is_flag=True, help="Only those that are closed.")
@portioned(order="From the last user and channel on.")
@click.pass_obj
def list_(config_file: Path, *, closed: bool, portion: Portion, output: str) -> None:
    """List the lanes by user and channel: open or closed and why, what waits, the last answer.

    The oldest Alert goes next, and holds the others up while it fails: `failures` says how often
    it was tried in vain, `next try` when it goes again. Those set aside hold nobody up.

    \b
    Example:
      hubherald lanes list
      hubherald lanes list --closed
    """
    from router.ledger.queries.lanes import list_lanes

    with reading(config_file) as database:
        found = [each for each in list_lanes(database) if each.reason or not closed]
    rows, more = portion.of(found)
    nothing = "no lane is closed" if closed else "no lanes yet; `hubherald run` makes them"
    show(with_names(rows), COLUMNS, output=output, nothing=nothing, more=more)


@command.command("pause")
@click.argument("user", type=service_user)
@click.argument("channel", required=False)
@because
@click.option(
    "--for",
    "span",
    type=span_of,
    metavar="TIME",
    help="For so long, such as 2h or 7d; the router resumes by itself.",
)
@click.option(
    "--until",
    type=moment_to_come,
    metavar="TIME",
    help="Until then, such as 2026-01-31T06:00 (London); the router resumes by itself.",
)
@output
@click.pass_obj
def pause(
    config_file: Path,
    *,
    user: str,
    channel: str | None,
    reason: str | None,
    span: timedelta | None,
    until: datetime | None,
    output: str,
) -> None:
    """Close the lanes of USER, or only that of CHANNEL: Alerts are held until you resume.

    With --for or --until they open by themselves, also where the router was restarted meanwhile.
    Said again with another reason or end, that is what holds; the one that is not said stays, and
    only a resume takes an end away. What closed by itself (credentials, endpoint) is no case for an
    end: mend it, and resume. Paused time does not count: nothing is parked for it.

    \b
    Example:
      hubherald lanes pause 90-B3-D5-1F-30-01-00-01 webhook
      hubherald lanes pause 90-B3-D5-1F-30-01-00-01 --for 2h --reason "maintenance, INC-4711"
    """
    from router.ledger.database import Use
    from router.ledger.pauses import PauseTerms, pause_lanes

    if span is not None and until is not None:
        raise click.UsageError("give --for or --until, not both")
    who = operator()
    end = until if span is None else who.now + span
    with ledger(config_file, Use.CHANGE) as database:
        changed = pause_lanes(database, user, channel, who, PauseTerms(reason, end))
    _say(changed, "paused", output)


@command.command("resume")
@click.argument("user", type=service_user)
@click.argument("channel", required=False)
@because
@output
@click.pass_obj
def resume(
    config_file: Path, *, user: str, channel: str | None, reason: str | None, output: str
) -> None:
    """Open the lanes of USER, or only that of CHANNEL.

    Opens what an operator paused and what closed by itself (credentials, endpoint). Who is
    still responsible is read again before anything is sent.

    \b
    Example:
      hubherald lanes resume 90-B3-D5-1F-30-01-00-01
    """
    from router.ledger.database import Use
    from router.ledger.pauses import resume_lanes

    with ledger(config_file, Use.CHANGE) as database:
        changed = resume_lanes(database, user, channel, operator(), reason=reason)
    _say(changed, "resumed", output)


def _lane(text: str) -> LaneKey:
    """USER/CHANNEL, as `lanes list` has the two."""
    user, slash, channel = text.partition("/")
    if not slash or not channel:
        raise click.BadParameter(f"{text!r} is no lane; write USER/CHANNEL")
    return service_user(user), channel


@command.command("move")
@click.argument("old", metavar="USER/OLD", type=_lane)
@click.argument("new", metavar="USER/NEW", type=_lane)
@click.option("--dry-run", is_flag=True, help="Only say what would be moved.")
@output
@click.pass_obj
def move(config_file: Path, *, old: LaneKey, new: LaneKey, dry_run: bool, output: str) -> None:
    """Move what waits on one channel of a user to another one, which service_users.yaml names.

    Each Alert keeps its number, its place and its attempts, and gets back the time that it was
    held; who is still responsible is read again. What the other channel sends already, or has, is
    withdrawn here. What is under way stays: run it again when it is answered. Parked Alerts stay,
    too: `alerts retry` them first. A running router takes it up by itself.

    \b
    Example:
      hubherald lanes move 90-B3-D5-1F-30-01-00-01/webhook 90-B3-D5-1F-30-01-00-01/duis --dry-run
    """
    from router.ledger.database import Use
    from router.ledger.moves import move_lane

    with ledger(config_file, Use.READ if dry_run else Use.CHANGE) as database:
        done = move_lane(database, old, new, operator(), dry_run=dry_run)
    if output == "json":
        as_object({**flat(done), "dry_run": dry_run})
        return
    for text in _told(done, dry_run=dry_run):
        line(text)


def _told(done: LaneMoved, *, dry_run: bool) -> Iterator[str]:
    user, old, new = done.service_user_id, done.from_channel, done.to_channel
    would = "would move" if dry_run else "moved:"
    yield f"{would} {plural(done.moved, 'delivery')} from {user}/{old} to {user}/{new}"
    if done.withdrawn:
        would = "would withdraw" if dry_run else "withdrawn:"
        yield f"{would} {plural(done.withdrawn, 'delivery')}: {new} sends these already, or has"
    if done.under_way:
        yield (
            f"{'would stay' if dry_run else 'stayed'}: {plural(done.under_way, 'delivery')}, under "
            f"way or about a hub with an Alert under way; run it again when that is answered"
        )
    if done.closed and done.moved:
        yield f"held there: {user}/{new} is closed ({done.closed}); see `hubherald lanes list`"


def _say(changed: list[LaneChanged], done: str, output: str) -> None:
    if output == "json":
        as_json(with_names(changed))
    for each in changed if output == "text" else ():
        if each.refused is None:
            end = f" until {shown(each.until)}" if each.until else ""
            line(named(f"{done}: {each.service_user_id} {each.channel}{end}"))
    refused = [each for each in changed if each.refused is not None]
    text = named(
        "\n".join(f"{each.service_user_id} {each.channel} {each.refused}" for each in refused)
    )
    if refused and len(refused) == len(changed):
        raise InWords(f"error: {text}")
    if refused:
        lines(text, err=True)
