"""`hubherald init`: a starter to edit."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from router.cli.printing import line
from router.starter import HUB, write


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
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
    for file in write(folder):
        line(f"wrote {file}")
    line("")
    line("next:")
    for step in (
        f"cd {shlex.quote(str(folder))}",
        "hubherald inventory import --hubs hubs.csv --registrations registrations.csv",
        "hubherald run --until-idle",
        f"hubherald why --hub {HUB}",
    ):
        line(f"  {step}")
