"""The one place where commands end, however they do: what people read, and the exit code.

0 is well, 1 is for findings and failures, 2 for wrong use. Nobody is shown a traceback: one of a
mistake of ours is kept in a file that nobody else can read, as it may hold anything.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import click

from router.cli.printing import code_of, line, lines
from router.errors import FilesError, RouterError
from router.files.counts import plural
from router.files.redaction import escaped

_UNTAKEN = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
LONGEST = 4_000
"""Characters of a line about a failure; an argument that it repeats may have no end."""


class InWords(click.ClickException):
    """A failure in lines for the operator, on standard error, with exit code 1."""


class Listed(click.UsageError):
    """Wrong use, with a list of what would be right: lines, each of them escaped."""


def end(work: Callable[[], object]) -> int:
    """Do the work of a command, tell what went wrong, and give the exit code."""
    try:
        done = work()
        return done if isinstance(done, int) else 0
    except click.ClickException as error:
        _tell_refusal(error)
        return error.exit_code
    except click.Abort:
        line("aborted", err=True)
        return 1
    except FilesError as error:
        lines(f"{error}\n{plural(len(error.problems) + error.more, 'problem')}", err=True)
        return code_of(error)
    except RouterError as error:
        line(f"error: {str(error)[:LONGEST]}", err=True)
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever read it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        line(f"error: {_file(error)}{error.strerror or type(error).__name__}", err=True)
    except Exception as error:  # ours: people get a line, and we the rest
        _tell_bug(error)
    return 1


def _tell_refusal(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # what it says is a group's help
        error.show()
    elif isinstance(error, click.UsageError):
        said = error.format_message()  # may repeat an argument
        said = said if isinstance(error, Listed) else escaped(said[:LONGEST])
        click.UsageError(said, error.ctx).show()
    else:
        whole = error.message if isinstance(error, InWords) else f"error: {error.format_message()}"
        lines(whole if isinstance(error, InWords) else escaped(whole), err=True)


def _file(error: OSError) -> str:
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: "
    return "what was to be written was not taken: " if error.errno in _UNTAKEN else ""


def _tell_bug(error: Exception) -> None:
    import tempfile
    from traceback import format_exception

    kept = "nowhere"
    try:
        number, kept = tempfile.mkstemp(prefix="hubherald-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(format_exception(error))
    except OSError:
        pass  # then there is no place for it
    line(
        f"error: this is a bug of Hubherald ({type(error).__name__}); where it happened stands in "
        f"{kept}: look whether it holds secrets, then please report it",
        err=True,
    )
