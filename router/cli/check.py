"""`hubherald check`: every mistake in every file, at once."""

from __future__ import annotations

import click

from router.cli.printing import as_json, line, output, plural
from router.config import Config, load
from router.errors import FilesError
from router.trial import trial


@click.command("check")
@output
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Find all mistakes in configuration, users and rules, and start nothing.

    Each is told as `file:line:col: message` with the line and a caret; exit 1 when there is one.
    Right rules are also built by the rules engine, in a process of their own.

    \b
    Example:
      hubherald check
      hubherald --config /etc/hubherald/hubherald.yaml check -o json
    """
    try:
        config = load(ctx.obj)
    except FilesError as error:
        if output != "json":
            raise
        as_json(
            [
                {
                    "file": str(problem.location.file),
                    "line": problem.location.line,
                    "column": problem.location.column,
                    "message": problem.message,
                }
                for problem in error.problems
            ]
        )
        ctx.exit(1)
    trial(config.rules)
    for warning in config.warnings:
        click.echo(f"{warning.location}: warning: {warning.message}", err=True)
    if output == "json":
        as_json([])
    else:
        line(f"ok: {_counted(config)}")


def _counted(config: Config) -> str:
    users = config.users.by_id.values()
    return ", ".join(
        (
            plural(len(config.rules.rules), "rule"),
            plural(len(users), "Service User"),
            plural(sum(len(user.channels) for user in users), "channel"),
            plural(len(config.sources), "source"),
        )
    )
