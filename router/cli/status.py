"""`hubherald status`: everything on one screen, and whether it needs a person."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ledger, now
from router.cli.printing import as_json, as_table, clear, listing
from router.errors import FilesError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.cli.status_report import Heard, OnDisk
    from router.config.configfile import OperationsOptions
    from router.service.attention import StatusLine

ANSWER = 5.0
"""Seconds that the router has to answer."""
EVERY = 5.0
"""Seconds between two looks."""
OURS = "hubherald_"
"""Begins the name of each metric of a router."""
LIVE = f"{OURS}rules_live_info"


@click.command("status")
@click.option("--watch", is_flag=True, help=f"Look again each {EVERY:g} seconds, until Ctrl-C.")
@listing
@click.pass_context
def command(ctx: click.Context, *, watch: bool, output: str) -> None:
    """Show router, intake, lanes, Alerts, quarantine, rules and files on one screen.

    Each line is `ok`, `waits` (it ends by itself, or somebody wanted it) or `act`: it needs a
    person, and the exit code is 1.

    \b
    Example:
      hubherald status
      hubherald status --watch
    """
    found: Sequence[StatusLine] = ()
    with suppress(KeyboardInterrupt) if watch else nullcontext():  # that is how watching ends
        while True:
            found = _gathered(ctx.obj)
            if watch:
                clear()
            if output == "json":
                as_json(found)
            else:
                as_table(found, ("state", "part", "detail"), nothing="")
            if not watch:
                break
            time.sleep(EVERY)
    if any(each.state == "act" for each in found):
        ctx.exit(1)


def _gathered(config_file: Path) -> list[StatusLine]:
    from router.cli import status_report as report
    from router.config.settings import own_settings
    from router.ledger.queries.overview import overview
    from router.service import attention

    at = now()
    on_disk = _on_disk(config_file)
    try:
        heard = _heard(own_settings(config_file).operations)
    except FilesError:  # told with the files
        heard = "its address stands in a file with mistakes"
    found = [report.of_router(heard)]
    try:
        with ledger(config_file) as database:
            seen = overview(database)
            of_ledger = report.of_ledger(database.sizes(), database.full())
    except LedgerError as error:
        found.append(attention.StatusLine("ledger", attention.Attention.ACT, str(error)))
    else:
        found.append(of_ledger)
        found += attention.of_intake(seen, at)
        found += attention.of_lanes(seen, on_disk.names, at)
        found += attention.of_alerts(seen, at)
    found += report.of_files(on_disk, heard)
    return found


def _on_disk(config_file: Path) -> OnDisk:
    from router.cli.status_report import OnDisk
    from router.files.codes import Code
    from router.workbench.checking import check

    found = check(config_file)
    told = [*found.problems, *found.warnings]
    return OnDisk(
        mistakes=[each.head for each in found.problems if each.code is not Code.KEY_FILE],
        warnings=[
            f"{each.location}: {each.message}"
            for each in found.warnings
            if each.code is not Code.KEY_FILE
        ],
        certificates=[
            f"{each.location}: {each.message}" for each in told if each.code is Code.KEY_FILE
        ],
        digest=found.config.rules.digest if found.config else None,
        names={user.id: user.name for user in found.config.users.by_id.values()}
        if found.config
        else {},
    )


def _heard(operations: OperationsOptions) -> Heard | str:
    """What the router says; or why it can't be asked."""
    import asyncio

    import aiohttp

    from router.cli.router_address import address

    where = address(operations)
    if where is None:
        return "can't be asked: operations.listen takes a free port; give it one"
    try:
        return asyncio.run(_asked(where, operations))
    except (TimeoutError, aiohttp.ClientError):
        return f"no router answers at {where}; is `hubherald run` running?"
    except ValueError:
        return f"what answers at {where} is no router; is operations.listen right?"


async def _asked(where: str, operations: OperationsOptions) -> Heard:
    """ValueError where it speaks as no router does."""
    from prometheus_client.parser import text_string_to_metric_families

    from router.cli.router_address import asking
    from router.cli.status_report import Heard

    async with asking(operations, ANSWER) as session:
        async with session.get(f"{where}/-/ready") as response:
            ready, said = response.status == 200, (await response.text()).strip()
        async with session.get(f"{where}/metrics") as response:
            status = response.status
            text = await response.text() if status == 200 else ""
    families = list(text_string_to_metric_families(text))
    if status in {200, 404} and not any(family.name.startswith(OURS) for family in families):
        raise ValueError(f"no metric of a router at {where}/metrics")
    samples = [sample for family in families for sample in family.samples]
    live = [sample.labels["digest"] for sample in samples if sample.name == LIVE]
    return Heard(ready, said.removeprefix("not ready: "), frozenset(live))
