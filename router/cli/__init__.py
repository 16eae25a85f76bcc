"""The command line.

Every command is a module of its own that is imported when it is named, and imports what it works
with when it is called: who asks for help, or completes a word, must not wait for a rules engine, a
database or models of files. What stands at the head of these modules is light. What is shown goes
through `printing`, and whatever goes wrong ends in `ending`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from router.cli.ending import end

COMMANDS = {
    "demo": "The main job on a small made-up estate, without any set-up.",
    "init": "Write a commented starter: configuration, users, rules with tests.",
    "run": "Route: facts in, Alerts out.",
    "check": "Find all mistakes in configuration, users and rules.",
    "test": "Run the unit tests of rules.",
    "fmt": "Lay out files of rules; comments stay.",
    "diff": "Show who would gain or lose which Alerts under edited rules.",
    "capture": "Write a test of rules from a real decision.",
    "rules": "List the rules that were live, show them, write their files again.",
    "reload": "Make the running router take over changed rules and users.",
    "explain": "Decide about one fact without sending anything.",
    "status": "Show everything on one screen, and whether it needs a person.",
    "why": "Say why Service Users were told about a hub, or were not.",
    "rollout": "Show how far a firmware version is, and who has been told.",
    "inventory": "Load hubs and registrations; show who is responsible for a hub.",
    "alerts": "List Alerts, show one; retry, take back, send again; check a signature.",
    "lanes": "List the lanes (user and channel), pause, resume, move what waits.",
    "actions": "List who changed what, when and why.",
    "quarantine": "List facts that could not be used; release, repair, close them.",
    "ledger": "Prove that nothing in the ledger was changed; copy it.",
    "drill": "Try all channels of a Service User, without an Alert.",
    "evidence": "Write an archive that proves an Alert; check one.",
    "publish": "Put a file of facts on the broker, confirmed; goes on where it was ended.",
    "simulate": "Make up an estate with its files and facts.",
    "adapters": "List the installed sources and delivery adapters with their options.",
    "adapter": "Write a delivery adapter of your own, and try one.",
    "schema": "Print a JSON Schema, for editors and senders.",
}
"""Each command's name, which is its module's too, and what it does in a line."""


class Commands(click.Group):
    """Finds commands by name; all of them end in one place."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are met."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command from its module."""
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"router.cli.{cmd_name}").command
        assert isinstance(found, click.Command)
        _take_config(found)
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
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"no such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command, and end with its exit code."""

        def work() -> object:
            return super(Commands, self).main(
                args, prog_name, complete_var, standalone_mode=False, **extra
            )

        if not standalone_mode:
            return work()
        sys.exit(end(work))


def _name_config(ctx: click.Context, _: click.Parameter, file: Path | None) -> None:
    if file is not None:
        ctx.obj = file


CONFIG = click.Option(
    ["--config", "config_file"],
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    expose_value=False,
    is_eager=True,  # other options may mean something in it
    callback=_name_config,
    help="The configuration; also before the command.",
)


def _take_config(command: click.Command) -> None:
    """Have a command, and all commands of a group, take `--config` behind their name, too."""
    if CONFIG not in command.params:
        command.params.append(CONFIG)
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        _take_config(each)


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
