"""`hubherald run`: the router."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from router.cli.context import ledger
from router.cli.printing import as_object, line, output
from router.cli.totals import in_rows, tell_totals
from router.errors import RouterError, UsageError

COLLECT = (50_000, 20, 20)
"""When Python looks for garbage in circles. A batch makes thousands of objects that go by
themselves; looking for others at each 700, as usual, took a seventh of a router's time."""


@click.command("run")
@click.option(
    "--until-idle",
    is_flag=True,
    help="End when all facts are decided and every Alert is delivered, parked or held.",
)
@click.option(
    "--timeout",
    "within",
    metavar="SECONDS",
    type=click.FloatRange(0, 31_536_000, min_open=True),
    help="With --until-idle: give up after so long, and exit 1.",
)
@output
@click.pass_context
def command(ctx: click.Context, *, until_idle: bool, within: float | None, output: str) -> None:
    """Route: take facts in, decide, store, deliver Alerts.

    Stops on SIGTERM or Ctrl-C: finishes and commits what it has taken, waits up to 30 s for
    answers, exits 0. With --until-idle, standard error says whom it waits for: a broker that is
    away, a lane that fails. Ends with 1, and says why, when its ledger is deleted, moved or
    replaced meanwhile; nothing is acknowledged or sent from then on. Logs go to standard error, as
    JSON unless that is a terminal; nobody waits for what reads them, and `log.dropped` stands where
    lines are missing.

    \b
    Example:
      hubherald run
      hubherald run --until-idle --timeout 60
    """
    import structlog

    from router import logs
    from router.config.discretion import discretion_of
    from router.config.loading import load
    from router.ledger.queries.totals import ledger_totals
    from router.service import app
    from router.service.lastresort import LastResort

    config_file: Path = ctx.obj
    if within is not None and not until_idle:
        raise click.UsageError("--timeout goes with --until-idle")
    app.keep_hangup()
    config = load(config_file)
    log = logs.stand_aside()
    last = LastResort(log) if log is not None else None  # else the process is not ours to end
    discretion, names = discretion_of(config), logs.UserNames()
    logs.configure(names, discretion)
    if last is not None:
        logs.hear_libraries()
        gc.freeze()  # what was imported stays
        gc.set_threshold(*COLLECT)
    try:
        left = app.run(
            config,
            until_idle=until_idle,
            within=within,
            discretion=discretion,
            log=log,
            last=last,
            names=names,
        )
    except (RouterError, OSError):
        raise
    except Exception as error:
        structlog.get_logger(__name__).critical("router.bug", exc_info=error)
        raise UsageError("the router ended by a bug of its own; its log says where") from error
    if until_idle:
        with ledger(config_file) as database:
            totals = ledger_totals(database)
        if output == "json":
            as_object(in_rows(totals, left))
        else:
            tell_totals(totals, unread=sorted(left.down))
        for what in left.waits_for:
            line(f"still waited for {what}", err=True)
        if left.late:
            line(f"not idle within {within:g} s", err=True)
    if last is not None:
        last.leave(int(left.late))
    if left.late:
        ctx.exit(1)
