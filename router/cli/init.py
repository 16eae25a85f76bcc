"""`hubherald init`: a starter to edit."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from router.cli.printing import as_object, line, output
from router.workbench.starter import HUB, fit_for_state, write


def _broker(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    from pydantic import TypeAdapter, ValidationError

    from router.ports import AmqpUrl

    if url is not None:
        try:
            TypeAdapter(AmqpUrl).validate_python(url)
        except ValidationError as error:
            (problem,) = error.errors()
            raise click.BadParameter(str(problem["ctx"]["error"])) from None
    return url


def _state(_context: click.Context, _option: click.Parameter, state: Path | None) -> Path | None:
    if state is not None:
        try:
            fit_for_state(state)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return state


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--rabbitmq",
    metavar="URL",
    callback=_broker,
    help="Take facts from this broker (amqp://localhost/, amqps://elsewhere/vhost), not a folder.",
)
@click.option(
    "--state",
    metavar="DIR",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    callback=_state,
    help="Where the ledger and Alerts in folders go, if not beside the configuration: for a "
    "service whose configuration is closed to it.",
)
@output
def command(*, folder: Path, rabbitmq: str | None, state: Path | None, output: str) -> None:
    """Write a commented starter into DIR: configuration, users, the shipped rules with tests.

    It works as it is, with a fact to try. Files that are there already are never overwritten.

    \b
    Example:
      hubherald init my-router
      cd my-router
      hubherald check
      hubherald test
      hubherald inventory import --hubs hubs.csv --registrations registrations.csv
      hubherald run --until-idle
    """
    files = write(folder, rabbitmq, state)
    if output == "json":
        as_object({"folder": folder, "files": list(files)})
        return
    for file in files:
        line(f"wrote {file}")
    line("")
    line("next:")
    for step in (
        f"cd {shlex.quote(str(folder))}",
        "hubherald inventory import --hubs hubs.csv --registrations registrations.csv",
        *(["hubherald publish inbox/facts.jsonl"] if rabbitmq else []),
        "hubherald run --until-idle",
        f"hubherald why --hub {HUB}",
    ):
        line(f"  {step}")
