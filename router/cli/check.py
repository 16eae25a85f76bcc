"""`hubherald check`: every mistake in every file, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router.cli.printing import as_json, line, output
from router.errors import EngineError
from router.files.codes import Code
from router.files.counts import plural
from router.files.problems import Location, Problem

if TYPE_CHECKING:
    from router.config.loading import Config
    from router.deciding.trial import Trial


@click.command("check")
@output
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Find all mistakes in configuration, users, rules and their tests, and start nothing.

    Each is told as `file:line:col: code message` with the line and a caret; exit 1 when there is
    one. Right rules are also built by the rules engine, in a process of their own. Where there is
    a ledger, it also warns of Alerts that wait on channels which service_users.yaml names no more.

    \b
    Example:
      hubherald check
      hubherald --config /etc/hubherald/hubherald.yaml check -o json
    """
    from router.deciding.trial import Trial

    with Trial() as trial:  # it gets ready while the files are read
        from router.config.settings import refused
        from router.workbench.checking import check, ledger_trouble, left_waiting

        found = check(ctx.obj)
        for warning in found.warnings:
            line(f"{warning.location}: warning: {warning.message}", err=True)
        if found.config is not None:
            for waiting in left_waiting(found.config):
                line(f"{Location(found.config.users_file)}: warning: {waiting}", err=True)
        problems = found.problems
        if found.config is not None and not problems:
            wrong, doubtful = ledger_trouble(found.config)
            for warning in doubtful:
                line(f"{warning.location}: warning: {warning.message}", err=True)
            problems = wrong or _tried(trial, found.config)
    if problems or found.config is None:
        raise refused(ctx.obj, problems)
    if output == "json":
        as_json([])
    else:
        line(f"ok: {_counted(found.config, found.tests)}")


def _tried(trial: Trial, config: Config) -> list[Problem]:
    """What the rules engine has against rules without mistakes."""
    try:
        trial.evaluate(config.rules)
    except EngineError as error:
        return [Problem(Location(config.rules_folder), str(error), Code.ENGINE)]
    return []


def _counted(config: Config, tests: int) -> str:
    users = config.users.by_id.values()
    return ", ".join(
        (
            plural(len(config.rules.rules), "rule"),
            plural(tests, "test"),
            plural(len(users), "Service User"),
            plural(sum(len(user.channels) for user in users), "channel"),
            plural(len(config.sources), "source"),
        )
    )
