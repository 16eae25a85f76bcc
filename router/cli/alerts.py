"""`hubherald alerts`: what is on its way, and what is parked."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from router.cli.alert_changes import resend_, retry_, withdraw_
from router.cli.alert_filters import COLUMNS, filters
from router.cli.context import InstalledKind, ledger, whole
from router.cli.listed import COUNTED, Portion, portioned
from router.cli.listed import show as show_list
from router.cli.naming import alert_id_of, with_names
from router.cli.printing import as_object, flat, line, output, raw
from router.cli.story import tell
from router.entrypoints import VERIFIERS
from router.errors import UsageError

if TYPE_CHECKING:
    from router.ledger.queries.wanted import Filter
    from router.ports import Verify

LARGEST_MESSAGE = 10_000_000
"""Bytes of a file whose signature is checked."""
LARGEST_CERTIFICATE = 1_000_000
SIGNED = InstalledKind(VERIFIERS)
"""The formats whose signatures can be checked."""


@click.group("alerts")
def command() -> None:
    """List Alerts, show one; retry, take back, send again; check a signature.

    An Alert is `waiting` for its turn, `sending`, `unknown` (the router stopped before the
    answer came), `delivered`, `parked` (given up, kept), `held` (its lane is closed) or
    `withdrawn` (taken back; its user is no longer responsible, or has it by another channel). One
    row is one Alert on one channel.
    """


@command.command("list")
@filters(("--answer", "--reason"))
@portioned("--oldest")
@click.pass_obj
def list_(config_file: Path, *, wanted: Filter, portion: Portion, output: str) -> None:
    """List Alerts, the newest first.

    \b
    Example:
      hubherald alerts list --state parked --since 7d
      hubherald alerts list --state waiting --user 90-B3-D5-1F-30-01-00-01 --oldest --limit 1
    """
    from router.ledger.queries.lists import count_alerts, list_alerts

    limit = portion.limit
    with ledger(config_file) as database:
        rows = list_alerts(database, wanted, limit=limit + 1, oldest=portion.reverse)
        more = count_alerts(database, wanted, limit + COUNTED + 1) if rows[limit:] else 0
    show_list(
        with_names(rows[:limit]),
        COLUMNS,
        output=output,
        nothing="no such Alerts",
        more=more - limit,
    )


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
    from router.config.usernames import user_names
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
    event = alert.event().decode()
    if output == "json":
        told_of, *others = told
        as_object(
            {
                **with_names([told_of])[0],
                "event": json.loads(event),
                "deliveries": [flat(each) for each in others],
            }
        )
        return
    tell(told, user_names(config_file))
    line("  " + event)


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
@output
def verify(file: BinaryIO, *, certificate: BinaryIO, form: EntryPoint | None, output: str) -> None:
    """Check the signature of a message in a file (- for standard input); exit 1 if not valid.

    \b
    Example:
      hubherald alerts show 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e --format duis > alert.xml
      hubherald alerts verify alert.xml --certificate dcc.pem
    """
    check: Verify = (form or SIGNED.only()).load()
    said = check(whole(file, LARGEST_MESSAGE), whole(certificate, LARGEST_CERTIFICATE))
    if output == "json":
        as_object({"valid": True, "detail": said})
    else:
        line(said)


command.add_command(retry_)
command.add_command(withdraw_)
command.add_command(resend_)
