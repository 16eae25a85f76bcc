"""The one place that shows text: rows on a terminal, in a pipe or as JSON.

Nothing from outside may move a cursor, colour the screen or make a line that looks like ours.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import click

from router.domain.timestamps import rfc3339
from router.errors import ConfigUnreadError, FilesError
from router.files.codes import Code
from router.files.problems import Problem
from router.files.redaction import escaped, escaped_lines

FOLDED = 4
"""Blanks before what goes on in the next line."""
_WIDE = "hubherald.wide"
_output = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print: text for people, JSON for programs.",
)


def output(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `-o`; mistakes in files are rows, too, for who wants JSON."""

    @functools.wraps(command)
    def told(*given: Any, output: str, **options: Any) -> None:
        try:
            command(*given, output=output, **options)
        except FilesError as error:
            if output != "json":
                raise
            rows = [problem_row(problem) for problem in error.problems]
            if error.more:
                message = f"and {error.more:,} more problems, not told; mend these first"
                rows.append({**rows[-1], "code": Code.TOO_LARGE, "message": message})
            as_json(rows)
            click.get_current_context().exit(code_of(error))

    return _output(told)


def listing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that shows a table its `-o` and `--wide`."""

    def wide(context: click.Context, _option: click.Parameter, value: bool) -> None:
        context.meta[_WIDE] = value

    option = click.option(
        "--wide",
        is_flag=True,
        expose_value=False,
        callback=wide,
        help="One line for each row, however long; as it is anyway where this is not a terminal.",
    )
    return option(output(command))


def code_of(error: FilesError) -> int:
    """Mistakes in files are findings; to name a configuration that can't be read is wrong use."""
    return 2 if isinstance(error, ConfigUnreadError) else 1


def problem_row(problem: Problem) -> dict[str, object]:
    """A mistake in a file, flat."""
    return {
        "file": str(problem.location.file),
        "line": problem.location.line,
        "column": problem.location.column,
        "code": problem.code,
        "message": problem.message,
    }


def as_json(rows: Sequence[Any]) -> None:
    """A list: a JSON array of objects, from dataclasses or mappings."""
    raw(json.dumps([flat(row) for row in rows], indent=1, default=_plain) + "\n")


def as_object(row: Any) -> None:
    """One thing: a JSON object, from a dataclass or mapping."""
    raw(json.dumps(flat(row), indent=1, default=_plain) + "\n")


def flat(row: Any) -> dict[str, Any]:
    """The fields of a row by name; where rows are of several kinds, `kind` says which."""
    if isinstance(row, Mapping):
        return dict(row)
    kind = getattr(row, "kind", None)
    fields = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return fields if kind is None else {"kind": kind, **fields}


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def as_table(rows: Sequence[Any], columns: Sequence[str], *, nothing: str) -> None:
    """These fields of each row; `nothing` is said when there are no rows.

    On a terminal it fits; ids and positions are copied, so no word is ever cut or folded.
    """
    if not rows:
        line(nothing)
        return
    from router.cli.tables import laid_out

    flattened = map(flat, rows)
    texts = [[shown(fields[name]) for name in columns] for fields in flattened]
    heads = [name.replace("_", " ") for name in columns]
    above, below = laid_out(heads, texts, _width())
    for each in above:
        click.secho(each, bold=True)
    for each in below:
        click.echo(each)


def _width() -> int | None:
    """Of the terminal, in cells; None where lines may be of any length."""
    context = click.get_current_context(silent=True)
    if (context is not None and context.meta.get(_WIDE)) or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def shown(value: object) -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):  # people can do without microseconds
        return rfc3339(value, "milliseconds" if value.microsecond else "seconds")
    return escaped(_plain(value))


def line(text: str, *, style: str | None = None, err: bool = False) -> None:
    """A line that is never wrapped."""
    click.echo(click.style(shown(text), fg=style) if style else shown(text), err=err)


def folded(text: str) -> None:
    """A line that is folded between words on a terminal; what follows is indented by four more."""
    from router.cli.tables import fold

    width = _width()
    indent = " " * (len(text) - len(text.lstrip()))
    if width is None:
        line(text)
        return
    first, *more = fold(shown(text.strip()), width - len(indent) - FOLDED)
    click.echo(indent + first)
    for each in more:
        click.echo(indent + " " * FOLDED + each)


def lines(text: str, *, err: bool = False) -> None:
    """Several lines, each shown as one."""
    click.echo(escaped_lines(text), err=err)


def clear() -> None:
    """An empty screen, where there is one."""
    click.clear()


def raw(content: str | bytes) -> None:
    """For programs and files: as it is, no end of line added; on a terminal nothing of it acts."""
    if sys.stdout.isatty():
        text = content if isinstance(content, str) else content.decode(errors="backslashreplace")
        content = escaped_lines(text)
    click.echo(content, nl=False)
