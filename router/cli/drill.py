"""`hubherald drill`: whether a Service User could be told, without telling anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.context import ledger, operator
from router.cli.naming import service_user
from router.cli.printing import as_json, as_table, listing
from router.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.config.loading import Config
    from router.delivery.drilling import DrillRow
    from router.domain.users import Channel, ServiceUser

COLUMNS = ("channel", "adapter", "answer", "certificate_expires_at", "certificate_days_left")


@click.command("drill")
@click.option(
    "--user",
    required=True,
    type=service_user,
    metavar="USER",
    help="The Service User whose channels are tried.",
)
@click.option("--channel", metavar="NAME", help="This channel alone.")
@listing
@click.pass_context
def command(ctx: click.Context, *, user: str, channel: str | None, output: str) -> None:
    """Send a drill through each channel of a Service User, and tell what came back.

    A drill is marked as one (`hubherald.drill.v1`): it is no Alert and has no sequence number. On
    channels whose messages can't be marked so, such as duis, nothing is sent: the TLS handshake
    alone is tried. Told are the answer of the other side and the days that its certificate has
    left. It is recorded among `hubherald actions list`; a router may run meanwhile, whose lanes it
    does not touch. Exit 1 when a channel did not take it.

    \b
    Example:
      hubherald drill --user 90-B3-D5-1F-30-01-00-01
    """
    from router.config.loading import load
    from router.ledger.database import Use

    config = load(ctx.obj)
    if user not in config.users.by_id:
        raise UsageError(f"{config.users_file} has no user {user}")
    whom = config.users.by_id[user]
    chosen = _chosen(whom, channel)
    who = operator()
    with ledger(ctx.obj, Use.CHANGE, make=True) as database:
        rows = _drilled(config, whom, chosen)
        said = {each.channel: each.answer for each in rows}
        with database.transaction() as connection:
            who.record(connection, "drill", {"user": user, "answers": said})
    if output == "json":
        as_json(rows)
    else:
        as_table(rows, COLUMNS, nothing="")
    if not all(each.delivered for each in rows):
        ctx.exit(1)


def _chosen(user: ServiceUser, channel: str | None) -> Sequence[Channel]:
    found = [each for each in user.channels if channel in {None, each.name}]
    if not found:
        has = ", ".join(each.name for each in user.channels)
        raise UsageError(f"{user.id} has no channel {channel}; it has {has}")
    return found


def _drilled(config: Config, user: ServiceUser, channels: Sequence[Channel]) -> list[DrillRow]:
    import asyncio

    from router import logs
    from router.cli.context import now
    from router.config.discretion import discretion_of
    from router.delivery.drilling import drill_all
    from router.service.leftovers import let_go

    async def once() -> list[DrillRow]:
        try:
            return await drill_all(user, channels, config.dcc.originator, now())
        finally:
            await let_go()

    logs.configure(hide=discretion_of(config))
    logs.hear_libraries()
    return asyncio.run(once())
