"""`hubherald alerts`: what is on its way, and what is parked."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from functools import wraps
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from router.cli.context import InstalledKind, eui64, ledger, moment_of, operator, whole
from router.cli.printing import as_json, as_table, line, listing, output, raw
from router.cli.story import tell
from router.entrypoints import VERIFIERS
from router.errors import UsageError
from router.files.counts import plural
from router.lanes.values import DeliveryState

if TYPE_CHECKING:
    from router.ledger.queries.lists import AlertRow, Filter
    from router.ports import Verify

COLUMNS = (
    "decided_at",
    "state",
    "service_user_id",
    "channel",
    "sequence",
    "alert_code",
    "device_id",
    "firmware_version",
    "attempts",
    "id",
)


LARGEST_MESSAGE = 10_000_000
"""Bytes of a file whose signature is checked."""
LARGEST_CERTIFICATE = 1_000_000
MOST = 1_000_000
"""Rows of one list."""
SIGNED = InstalledKind(VERIFIERS)
"""The formats whose signatures can be checked."""


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which Alerts are meant; the command gets them as `wanted`."""

    @click.option(
        "--state",
        type=click.Choice([state.value for state in DeliveryState]),
        help="In this state.",
    )
    @click.option("--user", type=eui64, metavar="ID", help="To this Service User.")
    @click.option("--hub", type=eui64, metavar="ID", help="About this hub.")
    @click.option(
        "--since", type=moment_of, metavar="TIME", help="Decided since, such as 2026-01-31 or 7d."
    )
    @wraps(command)
    def filtered(*args: Any, **options: Any) -> None:
        from router.ledger.queries.lists import Filter

        given = {field.name: options.pop(field.name) for field in fields(Filter)}
        if given["state"] is not None:
            given["state"] = DeliveryState(given["state"])
        command(*args, wanted=Filter(**given), **options)

    return filtered


@click.group("alerts")
def command() -> None:
    """List Alerts, show one, retry what is parked, check a signature.

    An Alert is `waiting` for its turn, `sending`, `unknown` (the router stopped before the
    answer came), `delivered`, `parked` (given up, kept), `held` (its lane is closed) or
    `withdrawn` (its user is no longer responsible, or has it by another channel). One row is one
    Alert on one channel.
    """


def alert_id_of(text: str) -> str:
    """The id of an Alert, a UUID, as the ledger has it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no Alert id (a UUID)") from None


@command.command("list")
@filters
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=100, show_default=True, help="At most so many."
)
@listing
@click.pass_obj
def list_(config_file: Path, *, wanted: Filter, limit: int, output: str) -> None:
    """List Alerts, the newest first.

    \b
    Example:
      hubherald alerts list --state parked --since 7d
    """
    from router.ledger.queries.lists import list_alerts

    with ledger(config_file) as database:
        rows = list_alerts(database, wanted, limit=limit + 1)
    _print(rows[:limit], output)
    if len(rows) > limit:
        line(f"there are more than {limit:,}; see --limit", err=True)


def _print(rows: list[AlertRow], output: str) -> None:
    if output == "json":
        as_json(rows)
    else:
        as_table(rows, COLUMNS, nothing="no such Alerts")


@command.command("show")
@click.argument("alert_id", metavar="ID", type=alert_id_of)
@output
@click.option(
    "--format",
    "form",
    type=SIGNED,
    help="Print the bytes that are sent in this format, exactly.",
)
@click.option("--channel", metavar="NAME", help="Of this channel, when several send the format.")
@click.pass_obj
def show(
    config_file: Path,
    *,
    alert_id: str,
    output: str,
    form: EntryPoint | None,
    channel: str | None,
) -> None:
    """Show one Alert: what it says, where it stands, every attempt.

    \b
    Example:
      hubherald alerts show 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e
      hubherald alerts show 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e --format duis > alert.xml
    """
    from router.ledger.queries.why import alert_story

    if form is not None:
        _print_rendered(config_file, alert_id, form.name, channel)
        return
    if channel is not None:
        raise click.UsageError("--channel goes with --format")
    with ledger(config_file) as database:
        found = alert_story(database, alert_id)
    if found is None:
        raise _no_such(alert_id)
    alert, told = found
    if output == "json":
        as_json(told)
        return
    tell(told)
    line("  " + alert.event().decode())


def _print_rendered(config_file: Path, alert_id: str, form: str, channel: str | None) -> None:
    """To standard output as they are, without a line's end that they do not have."""
    from router.ledger.queries.rendered import rendered

    with ledger(config_file) as database:
        found = rendered(database, alert_id, form)
    if found is None:
        raise _no_such(alert_id)
    mine = [each for each in found if channel in {None, each.channel}]
    if not mine:
        raise UsageError(f"Alert {alert_id} goes to no such channel in {form}")
    if len(mine) > 1:
        names = ", ".join(each.channel for each in mine)
        raise UsageError(f"several channels send it in {form}, each as its own: --channel {names}")
    if mine[0].body is None:
        state = mine[0].state
        raise UsageError(f"not rendered yet (it is {state}): that happens right before it is sent")
    raw(mine[0].body)


def _no_such(alert_id: str) -> UsageError:
    return UsageError(f"there is no Alert {alert_id}; `hubherald alerts list` shows what there is")


@command.command("verify")
@click.argument("file", type=click.File("rb"), metavar="FILE")
@click.option(
    "--certificate",
    type=click.File("rb"),
    metavar="FILE",
    required=True,
    help="Of who should have signed it, PEM.",
)
@click.option("--format", "form", type=SIGNED, help="The format of FILE; if there are several.")
def verify(file: BinaryIO, certificate: BinaryIO, form: EntryPoint | None) -> None:
    """Check the signature of a message in a file (- for standard input); exit 1 if not valid.

    \b
    Example:
      hubherald alerts show 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e --format duis > alert.xml
      hubherald alerts verify alert.xml --certificate dcc.pem
    """
    check: Verify = (form or SIGNED.only()).load()
    line(check(whole(file, LARGEST_MESSAGE), whole(certificate, LARGEST_CERTIFICATE)))


@command.command("retry")
@filters
@click.option("--dry-run", is_flag=True, help="Only say what would be retried.")
@click.pass_obj
def retry_(config_file: Path, *, wanted: Filter, dry_run: bool) -> None:
    """Send again what is parked, and at once what waits for its next attempt.

    Each Alert gets its whole holding time anew; its attempts stay on record. Whether its user
    is still responsible for the hub is read again first. What is held stays held until its lane
    opens; where no file names its channel any more, this says which `lanes move` sends it. A
    running router takes it up by itself.

    \b
    Example:
      hubherald alerts retry --user 90-B3-D5-1F-30-01-00-01 --state parked --dry-run
    """
    from router.ledger.actions import count_retried, retriable, retried_in_vain, retry
    from router.ledger.database import Use

    retriable(wanted)
    if dry_run:
        with ledger(config_file) as database:
            count, held = count_retried(database, wanted), retried_in_vain(database, wanted)
        line(f"would retry {plural(count, 'delivery')}")
    else:
        with ledger(config_file, Use.CHANGE) as database:
            held = retried_in_vain(database, wanted)
            count = retry(database, wanted, operator(), hold=_hold(config_file))
        line(f"retried: {plural(count, 'delivery')}")
    for each in held:
        line(f"held: {each}")


def _hold(config_file: Path) -> dict[tuple[str, str], timedelta]:
    """How long each channel holds an Alert; the usual 48 h where the users file has mistakes."""
    from router.config.settings import own_settings
    from router.config.usersfile import load as load_users

    users, _ = load_users(own_settings(config_file).users_file, os.environ)
    return {
        (user.id, channel.name): timedelta(hours=channel.hold_hours)
        for user in (users.by_id.values() if users else ())
        for channel in user.channels
    }
