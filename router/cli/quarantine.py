"""`hubherald quarantine`: facts that could not be used."""

from __future__ import annotations

from pathlib import Path

import click

from router.cli.context import ROW, ledger, operator
from router.cli.printing import as_json, as_table, flat, line, listing, output, shown
from router.domain.words import QuarantineReason
from router.errors import UsageError
from router.files.counts import plural

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
    """List facts that could not be used, show one, release them.

    Nothing is thrown away: a fact stays here until it is released and then can be used. Facts
    about an unknown hub leave by themselves when the hub arrives, activations of a hub that never
    had a registration with the first one.
    """


@command.command("list")
@by_reason
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="At most so many.",
)
@listing
@click.pass_obj
def list_(config_file: Path, reason: str | None, limit: int, output: str) -> None:
    """List what waits, the oldest first.

    \b
    Example:
      hubherald quarantine list --reason unknown_hub
    """
    from router.ledger.queries.lists import list_quarantine

    with ledger(config_file) as database:
        rows = list_quarantine(database, reason=reason, limit=limit + 1)
    if output == "json":
        as_json(rows[:limit])
    else:
        as_table(rows[:limit], COLUMNS, nothing="nothing is in quarantine")
    if len(rows) > limit:
        line(f"there are more than {limit:,}; see --limit", err=True)


@command.command("show")
@click.argument("number", metavar="ID", type=ROW)
@output
@click.pass_obj
def show(config_file: Path, number: int, output: str) -> None:
    """Show one fact with its body as it came, and with what came beside it, such as headers.

    \b
    Example:
      hubherald quarantine show 17
    """
    from router.ledger.queries.lists import quarantined_fact

    with ledger(config_file) as database:
        found = quarantined_fact(database, number)
    if found is None:
        raise UsageError(f"nothing with number {number} was ever in quarantine")
    row, body, evidence = found
    text = body.decode("utf-8", "backslashreplace")
    came_with = [f"{name}: {value}" for name, value in evidence.items()]
    if output == "json":
        as_json([{**flat(row), "came_with": came_with, "body": text}])
        return
    for name, value in flat(row).items():
        line(f"{name}: {shown(value)}")
    for each in came_with:
        line(f"came with {each}")
    line(f"body, {plural(len(body), 'byte')}: {text[:LONGEST_BODY]}")


@command.command("release")
@click.argument("numbers", metavar="[ID]...", nargs=-1, type=ROW)
@by_reason
@click.pass_obj
def release(config_file: Path, numbers: tuple[int, ...], reason: str | None) -> None:
    """Let facts be tried again: those with these ids, or all of one reason.

    What still can't be used comes back. A running router tries at once, else the next one.

    \b
    Example:
      hubherald quarantine release 17 18
      hubherald quarantine release --reason engine
    """
    from router.ledger.actions import release_numbers, release_reason
    from router.ledger.database import Use

    if bool(numbers) == (reason is not None):
        raise click.UsageError("give either ids or --reason")
    with ledger(config_file, Use.CHANGE) as database:
        if reason is not None:
            count = release_reason(database, reason, operator())
        else:
            count = release_numbers(database, numbers, operator())
    line(f"released: {plural(count, 'fact')}")
