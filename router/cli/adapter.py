"""`hubherald adapter`: write one, and try one."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import now
from router.cli.naming import named, service_user, with_names
from router.cli.printing import as_object, line, output
from router.errors import UsageError

if TYPE_CHECKING:
    from router.domain.users import Channel, ServiceUser


@click.group("adapter")
def command() -> None:
    """Write a delivery adapter of your own, and try it.

    `hubherald adapters` lists those that are installed.
    """


@command.command("new")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    help="Where it goes, if not to hubherald-NAME.",
)
@output
def new(*, name: str, folder: Path | None, output: str) -> None:
    """Write a little project that is an adapter: it works as it is, and passes all its tests.

    Among these is the conformance suite, which says whether an adapter keeps the contract. The
    guide that leads on from there is adapters/WRITING.md.

    \b
    Example:
      hubherald adapter new my-queue
      cd hubherald-my-queue
      pip install -e . && pytest
      hubherald adapters
    """
    from router.workbench.scaffold import write

    files = write(name, folder)
    if output == "json":
        as_object({"folder": folder or files[0].parent, "files": files})
        return
    for file in files:
        line(f"wrote {file}")
    line("")
    line("next:")
    line(f"  cd {shlex.quote(str(folder or files[0].parent))}")
    line("  pip install -e . && pytest   # pytest comes with: pip install 'hubherald[conformance]'")
    line("  hubherald adapters")


@command.command("try")
@click.argument("name")
@click.option(
    "--user",
    required=True,
    type=service_user,
    metavar="USER",
    help="The Service User whose channel is tried.",
)
@click.option("--channel", help="Which of its channels, where it has several of this adapter.")
@output
@click.pass_obj
def attempt(config_file: Path, *, name: str, user: str, channel: str | None, output: str) -> None:
    """Send one drill through a user's channel of this adapter, and tell what came back.

    A drill is marked as one (`hubherald.drill.v1`): it is no Alert, has no sequence number, and the
    ledger knows nothing of it; `hubherald drill` is the same for all channels, and recorded. A
    router may run meanwhile. Exit 1 when it was not delivered.

    \b
    Example:
      hubherald adapter try webhook --user 90-B3-D5-1F-30-01-00-01
    """
    import asyncio

    from router import logs
    from router.config.discretion import discretion_of
    from router.config.loading import load
    from router.delivery.drilling import DrillRow, drill_all
    from router.service.leftovers import let_go

    config = load(config_file)
    if user not in config.users.by_id:
        raise UsageError(f"{config.users_file} has no user {user}")
    whom = config.users.by_id[user]
    found = _channel(whom, name, channel)

    async def once() -> list[DrillRow]:
        try:
            return await drill_all(whom, [found], config.dcc.originator, now())
        finally:
            await let_go()

    logs.configure(hide=discretion_of(config))
    logs.hear_libraries()
    (row,) = asyncio.run(once())
    if output == "json":
        as_object(with_names([row])[0])
    else:
        line(named(f"{user} {found.name}: {row.answer}"))
        if row.certificate_expires_at is not None:
            ends, left = row.certificate_expires_at, row.certificate_days_left
            line(f"the certificate of the other side ends on {ends:%Y-%m-%d}, in {left} days")
    if not row.delivered:
        raise click.exceptions.Exit(1)


def _channel(user: ServiceUser, name: str, channel: str | None) -> Channel:
    able = [each for each in user.channels if each.adapter == name]
    wanted = [each for each in able if channel in {None, each.name}]
    if len(wanted) == 1:
        return wanted[0]
    has = ", ".join(f"{each.name} ({each.adapter})" for each in user.channels)
    which = "say which with --channel" if wanted else "there is no such channel"
    raise UsageError(f"{user.id} has the channels {has}: {which}")
