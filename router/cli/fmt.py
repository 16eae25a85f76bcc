"""`hubherald fmt`: files of rules in one layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from router.cli.context import rules_folder
from router.cli.printing import as_json, line, lines, output
from router.errors import FilesError, UsageError
from router.files.newfiles import replace


@click.command("fmt")
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, path_type=Path)
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@output
@click.pass_context
def command(ctx: click.Context, paths: Sequence[Path], *, check: bool, output: str) -> None:
    """Lay out files of rules and their tests: those in PATH, or in the folder of rules.

    Indents, spaces and the quotes of conditions become the same everywhere. Comments, blank lines
    and the order of everything stay, and no file comes to mean anything else. A file with mistakes
    stays as it is, and is told: exit 1.

    \b
    Example:
      hubherald fmt
      hubherald fmt --check rules
    """
    from router.language.folder import find

    found = [
        file
        for path in paths or (rules_folder(ctx.obj),)
        for file in (find(path)[0] if path.is_dir() else [path])
    ]
    changed: list[Path] = []
    left: list[str] = []
    for file in dict.fromkeys(found):
        try:
            changed += [file] if _format(file, check=check) else []
        except (FilesError, UsageError) as error:
            left.append(str(error))
    if output == "json":
        as_json([{"file": str(file), "written": not check} for file in changed])
    else:
        for file in changed:
            line(f"{'would change' if check else 'changed'}: {file}")
    for each in left:
        lines(each, err=True)
    if left or (check and changed):
        ctx.exit(1)


def _format(file: Path, *, check: bool) -> bool:
    """Whether it is, or would be, another file after that."""
    from router.files.plainfile import open_plain
    from router.files.yamlfile import MAX_BYTES
    from router.workbench.formatting import formatted

    try:
        with open_plain(file) as opened:
            raw = opened.read(MAX_BYTES + 1)
        laid_out = formatted(raw, file)
        if laid_out != raw and not check:
            replace(file, laid_out)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    return laid_out != raw
