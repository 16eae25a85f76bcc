"""`hubherald rules`: the rules that were live, and their files again."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from router.cli.alert_filters import digest_of
from router.cli.context import ledger
from router.cli.listed import Portion, portioned
from router.cli.listed import show as show_list
from router.cli.printing import as_object, line, lines, output
from router.errors import UsageError
from router.files.counts import plural

COLUMNS = ("since", "until", "digest", "trigger", "by")


@click.group("rules")
def command() -> None:
    """List the rules that were live, show them, write their files again.

    The ledger keeps the files of rules once for each digest, byte for byte. Tests of rules are not
    kept: no decision rests on them.
    """


@command.command("list")
@portioned()
@click.pass_obj
def list_(config_file: Path, *, portion: Portion, output: str) -> None:
    """List the rules that were live, the newest first: since when, until when, and by whom.

    \b
    Example:
      hubherald rules list
    """
    from router.ledger.queries.rules import live_rules

    with ledger(config_file) as database:
        rows, more = portion.of(live_rules(database))
    nothing = "no rules were live yet; `hubherald run` makes them"
    show_list(rows, COLUMNS, output=output, nothing=nothing, more=more)


@command.command("show")
@click.argument("digest", type=digest_of)
@output
@click.pass_obj
def show(config_file: Path, digest: str, output: str) -> None:
    """Show the files of rules by their DIGEST, or its first digits.

    \b
    Example:
      hubherald rules show 3f2a91c0
    """
    from router.ledger.queries.rules import rules_of

    with ledger(config_file) as database:
        whole, files = rules_of(database, digest)
    if output == "json":
        listed = [{"file": name, "text": text} for name, text in files.items()]
        as_object({"digest": whole, "files": listed})
        return
    for name, text in files.items():
        line(f"# {name}, of rules {whole}")
        lines(text)


@command.command("restore")
@click.argument("digest", type=digest_of)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    required=True,
    help="A folder that is new, or empty.",
)
@output
@click.pass_obj
def restore(config_file: Path, digest: str, *, folder: Path, output: str) -> None:
    """Write the files of rules with DIGEST into FOLDER, as they were. Nothing else is changed.

    \b
    Example:
      hubherald rules restore 3f2a91c0 --to rules.before
      hubherald diff rules.before --since 1d
    """
    from router.ledger.queries.rules import rules_of

    with ledger(config_file) as database:
        whole, files = rules_of(database, digest)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give a folder that is new, or empty")
    for name, text in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:  # no rules of ours: somebody wrote it there
            raise UsageError(
                f"{name!r} is no file below a folder of rules; nothing more is written"
            )
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())
    if output == "json":
        as_object({"digest": whole, "folder": folder, "files": list(files)})
        return
    line(f"written: {plural(len(files), 'file')} of rules {whole[:12]} to {folder}")
    line(f"what they would change: `hubherald diff {folder}`; tests of rules are not among them")
