"""`hubherald reload`: make the running router take over changed rules and users."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ledger, operator
from router.cli.printing import as_object, line, lines, output
from router.errors import UsageError

if TYPE_CHECKING:
    from router.config.configfile import OperationsOptions
    from router.service.whose import Whose

PATIENCE = 60.0
"""Seconds for the whole of it: reading, the trial in a process aside, and the change itself."""


@click.command("reload")
@output
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Make the running router take over changed rules and users, without a restart.

    All of it becomes live between two facts, or nothing does: then every problem is printed, the
    old rules serve on, and the exit code is 1. `hubherald check` finds most of them beforehand.
    Other keys of hubherald.yaml need a restart. A router of another configuration or ledger, which
    listens where this one should, refuses. Where a channel takes over from another, or leaves
    Alerts behind, a line says so.

    \b
    Example:
      hubherald check && hubherald test && hubherald reload
    """
    import asyncio

    from router.config.settings import own_settings
    from router.ledger.database import Use
    from router.service.whose import Whose

    config_file: Path = ctx.obj
    known = own_settings(config_file)
    whose = Whose.of(config_file, known.ledger.url)
    status, said = asyncio.run(_ask(known.operations, whose))
    if output == "json":
        as_object({"reloaded": status == 200, "said": said.splitlines()})
    else:
        lines(said, err=status != 200)
    if status != 200:
        line("not reloaded: the old rules and users serve on", err=True)
        ctx.exit(1)
    with ledger(config_file, Use.CHANGE) as database, database.transaction() as connection:
        operator().record(connection, "reload", {"answer": said})


async def _ask(operations: OperationsOptions, whose: Whose) -> tuple[int, str]:
    """Status and text of the router's answer. UsageError where there is none."""
    import aiohttp

    from router.cli.router_address import address, asking
    from router.service.whose import CONFIG

    where = address(operations)
    if where is None:
        raise UsageError(
            "operations.listen takes a free port, so nobody knows where to ask; give it a port, "
            "or send SIGHUP to the router"
        )
    url = f"{where}/-/reload"
    try:
        async with (
            asking(operations, PATIENCE, whose.headers()) as session,
            session.post(url, allow_redirects=False) as response,
        ):
            said = (await response.text()).rstrip()
            if response.status == 200 and CONFIG not in response.headers:
                raise UsageError(
                    f"what answers at {url} does not say whose router it is: another program, or "
                    f"an older Hubherald that serves until it is started again"
                )
            return response.status, said
    except TimeoutError:
        raise UsageError(
            f"{url} did not answer within {PATIENCE:g} s; its log says whether it reloads yet"
        ) from None
    except aiohttp.ClientError as error:
        raise UsageError(
            f"no router answers at {url} ({error}); is `hubherald run` running, with this "
            f"hubherald.yaml?"
        ) from None
