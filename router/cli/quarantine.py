"""`hubherald quarantine`: facts that could not be used."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ROW, eui64, ledger, moment_of, operator
from router.cli.listed import COUNTED, Portion, portioned
from router.cli.listed import show as show_list
from router.cli.printing import as_object, flat, line, output, raw, shown
from router.cli.quarantine_work import (
    close_,
    repair_,
    row_of,
    tell_became,
    wait_for_router,
)
from router.domain.words import QuarantineReason
from router.errors import UsageError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.ledger.queries.lists import QuarantineRow

COLUMNS = ("id", "received_at", "reason", "type", "source", "origin", "released", "detail")
LONGEST_BODY = 2_000
"""Characters of a body that are shown to people."""

by_reason = click.option(
    "--reason",
    type=click.Choice([reason.value for reason in QuarantineReason]),
    help="For this reason.",
)


@click.group("quarantine")
def command() -> None:
    """List facts that could not be used, show one; release, repair, close them.

    Nothing is thrown away: a fact stays here until it is released and then can be used, or until
    somebody mends or closes it. Facts about an unknown hub leave by themselves when the hub
    arrives, activations of a hub that never had a registration with the first one.
    """


@command.command("list")
@by_reason
@click.option("--hub", type=eui64, metavar="ID", help="About this hub, as far as it could be read.")
@click.option("--source", metavar="NAME", help="Of this source.")
@click.option("--text", metavar="TEXT", help="With this in its body, or in what is wrong with it.")
@click.option(
    "--since", type=moment_of, metavar="TIME", help="Received since, such as 2026-01-31 or 7d."
)
@portioned()
@click.pass_obj
def list_(
    config_file: Path,
    *,
    reason: str | None,
    hub: str | None,
    source: str | None,
    text: str | None,
    since: datetime | None,
    portion: Portion,
    output: str,
) -> None:
    """List what waits, the newest first.

    \b
    Example:
      hubherald quarantine list --reason unknown_hub
      hubherald quarantine list --hub 90-B3-D5-1F-30-01-00-00 --since 7d
    """
    from router.ledger.queries.lists import QuarantineFilter, count_quarantine, list_quarantine

    wanted, limit = QuarantineFilter(reason, hub, source, text, since), portion.limit
    with ledger(config_file) as database:
        rows = list_quarantine(database, wanted, limit=limit + 1, oldest=portion.reverse)
        more = count_quarantine(database, wanted, limit + COUNTED + 1) if rows[limit:] else 0
    show_list(
        rows[:limit],
        COLUMNS,
        output=output,
        nothing="nothing is in quarantine",
        more=more - limit,
    )


@command.command("show")
@click.argument("number", metavar="ID", type=ROW)
@click.option(
    "--raw", "as_it_came", is_flag=True, help="Its bytes, exactly; its headers on standard error."
)
@output
@click.pass_obj
def show(config_file: Path, *, number: int, as_it_came: bool, output: str) -> None:
    """Show one fact with its body as it came, and with what came beside it, such as headers.

    \b
    Example:
      hubherald quarantine show 17
      hubherald quarantine show 17 --raw > fact.json
    """
    row, body, evidence, ended = _found(config_file, number)
    if as_it_came:
        for name, value in evidence.items():
            line(f"{name}: {value}", err=True)
        raw(body)
        return
    text = body.decode("utf-8", "backslashreplace")
    if output == "json":
        as_object({**flat(row), "ended": ended, "came_with": evidence, "body": text})
        return
    for name, value in flat(row).items():
        line(f"{name}: {shown(value)}")
    if ended:
        line(f"ended: {ended}")
    for name, value in evidence.items():
        line(f"came with {name}: {value}")
    line(f"body, {plural(len(body), 'byte')}: {text[:LONGEST_BODY]}")


def _found(
    config_file: Path, number: int
) -> tuple[QuarantineRow, bytes, dict[str, str], str | None]:
    """Last: who settled it how, if anybody did."""
    from router.ledger.queries.actions import end_of_fact
    from router.ledger.queries.lists import quarantined_fact

    with ledger(config_file) as database:
        found = quarantined_fact(database, number)
        end = end_of_fact(database, number)
    if found is None:
        raise UsageError(f"nothing with number {number} was ever in quarantine")
    if end is None:
        return *found, None
    why = f": {end.reason}" if end.reason else ""
    return *found, f"{end.action} by {end.operator} at {shown(end.at)}, {end.detail}{why}"


@command.command("release")
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=ROW)
@by_reason
@output
@click.pass_obj
def release(
    config_file: Path, *, numbers: tuple[int, ...], reason: str | None, output: str
) -> None:
    """Let facts be tried again: those with these ids, or all of one reason.

    What still can't be used comes back. A running router tries at once, and this says what became
    of them; else the next one tries.

    \b
    Example:
      hubherald quarantine release 17 18
      hubherald quarantine release --reason engine
    """
    from router.ledger.actions import release_numbers, release_reason
    from router.ledger.database import Use
    from router.ledger.mending import newest, waiting_for_reason

    if bool(numbers) == (reason is not None):
        raise click.UsageError("give either ids or --reason")
    with ledger(config_file, Use.CHANGE) as database:
        before = newest(database)
        if reason is not None:
            which = waiting_for_reason(database, reason)
            count = release_reason(database, reason, operator())
        else:
            which = sorted(set(numbers))
            count = release_numbers(database, numbers, operator())
        found = wait_for_router(database, which, before)
    if output == "json":
        as_object({"released": count, **row_of(found)})
        return
    line(f"released: {plural(count, 'fact')}")
    if count:
        tell_became(found)


command.add_command(repair_)
command.add_command(close_)
