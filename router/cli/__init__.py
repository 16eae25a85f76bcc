"""The command line.

Every command is a module of its own that is imported when it is called: `hubherald --help` must
not wait for a rules engine. What operators did wrong is told in a line on standard error, never
with a traceback: exit 1 for findings and failures, 2 for wrong use.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from router.errors import FilesError, RouterError
from router.files.counts import plural
from router.files.redaction import escaped_lines

COMMANDS = {
    "demo": "The main job on a small made-up estate, without any set-up.",
    "init": "Write a commented starter: configuration, users, rules with tests.",
    "run": "Route: facts in, Alerts out.",
    "check": "Find all mistakes in configuration, users and rules.",
    "test": "Run the unit tests of rules.",
    "diff": "Show who would gain or lose which Alerts under edited rules.",
    "capture": "Write a test of rules from a real decision.",
    "reload": "Make the running router take over changed rules and users.",
    "explain": "Decide about one fact without sending anything.",
    "why": "Say why Service Users were told about a hub, or were not.",
    "rollout": "Show how far a firmware version is, and who has been told.",
    "inventory": "Load hubs and registrations; show who is responsible for a hub.",
    "alerts": "List Alerts, show one, retry what is parked, check a signature.",
    "lanes": "List the lanes (user and channel), pause, resume, move what waits.",
    "quarantine": "List facts that could not be used, show one, release them.",
    "publish": "Put a file of facts on the broker, confirmed; goes on where it was ended.",
    "simulate": "Make up an estate with its files and facts.",
    "adapters": "List the installed sources and delivery adapters with their options.",
    "schema": "Print a JSON Schema, for editors and senders.",
}
"""Each command's name, which is its module's too, and what it does in a line."""


class InWords(click.ClickException):
    """A failure in words for the operator, on standard error, with exit code 1."""

    def show(self, file: Any = None) -> None:
        """The words alone: lines with a position stay whole, and nothing in them acts."""
        click.echo(escaped_lines(self.message), err=True, file=file)


class Commands(click.Group):
    """Finds commands by name, and tells the errors of the router as errors of the operator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command from its module."""
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"router.cli.{cmd_name}").command
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """With a suggestion where there is no such command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FilesError as error:
            raise InWords(f"{error}\n{plural(len(error.problems), 'problem')}") from error
        except RouterError as error:
            raise InWords(f"error: {error}") from error
        except click.UsageError as error:
            said = error.format_message()  # may repeat an argument
            if said == escaped_lines(said):
                raise
            raise click.UsageError(escaped_lines(said), error.ctx) from error


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `hubherald demo`, or with `hubherald init my-router`.",
)
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("hubherald.yaml"),
    envvar="HUBHERALD_CONFIG",
    show_default="./hubherald.yaml, or HUBHERALD_CONFIG",
    help="The configuration.",
)
@click.version_option(package_name="hubherald", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config_file: Path) -> None:
    """Tells energy companies which firmware the Communications Hubs of their homes activated."""
    ctx.obj = config_file
