"""`hubherald publish`: a file of facts onto the broker."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from router.cli.bar import Bar
from router.cli.cautions import Cautions
from router.cli.context import plain_file
from router.cli.printing import as_object, line, output
from router.domain.acceptance import CheckDigits
from router.errors import PublishError, UsageError
from router.files.counts import plural
from router.files.plainfile import open_plain

if TYPE_CHECKING:
    from router.publishing.checking import BadLine, DoubtfulLine
    from router.publishing.progress import Progress

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT."""


def _again_readable(text: str) -> Path:
    if text == "-":
        raise click.BadParameter(
            "standard input can't be read again after an interruption; write it to a file first"
        )
    return plain_file(text)


@click.command("publish")
@click.argument("file", metavar="FILE.jsonl", type=_again_readable)
@click.option(
    "--source", metavar="NAME", help="The source in hubherald.yaml; if there are several."
)
@click.option(
    "--rate",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="At most N facts a second, evenly.",
)
@click.option("--no-check", is_flag=True, help="Publish bad lines too, as they are.")
@click.option("--again", is_flag=True, help="Begin anew, whatever is confirmed already.")
@output
@click.pass_context
def command(
    ctx: click.Context,
    *,
    file: Path,
    source: str | None,
    rate: float | None,
    no_check: bool,
    again: bool,
    output: str,
) -> None:
    """Publish each line of a file as a fact, to the RabbitMQ that hubherald.yaml names.

    The bytes go as they are, with the fact's type as routing key and its id as message id,
    persistent, and the broker confirms each. All lines are checked first: bad ones are told as
    `file:line: what`, and nothing is published then. With --no-check bad ones go too (routing
    key `unknown` where no type can be read) and end in the router's quarantine. Meter point
    numbers whose check digits do not fit are told as warnings and go, unless hubherald.yaml
    refuses them.

    What is confirmed is remembered in FILE.jsonl.published. After Ctrl-C, a crash or trouble with
    the broker the same command goes on behind the last confirmed line, and later it publishes
    the lines that were appended. A few hundred facts may then be sent twice; that does no harm,
    as a fact with the same id is decided once.

    \b
    Example:
      hubherald publish facts.jsonl
      hubherald publish facts.jsonl --source dsp --rate 200
    """
    from router.config.loading import settings
    from router.publishing.checking import holds_facts
    from router.publishing.progress import Progress
    from router.publishing.sending import send
    from router.publishing.target import publisher_of, target_of

    known = settings(ctx.obj)
    publisher = publisher_of(known, source)
    progress = Progress(file, target_of(publisher), known.ledger.access)
    with _opened(file) as opened:
        end = os.fstat(opened.fileno()).st_size
        progress.require_writable()
        if not again:
            progress.resume(opened, end)
        if not holds_facts(opened, progress.mark, end):
            if output == "json":
                as_object(_row(file, progress, 0, 0.0))
            else:
                _tell_nothing_left(file, progress)
            return
        try:
            if not no_check:
                _check(file, opened, progress, end, known.facts.check_digits)
            progress.save()  # with --again nothing is confirmed from now on
            started = time.monotonic()
            with Bar("publishing", end - progress.mark.bytes, of_bytes=True) as bar:
                sent = send(publisher, opened, end, progress, rate=rate, report=bar.advance)
        except PublishError as error:
            raise PublishError(f"{error}; {_standing(file, progress, again=again)}") from error
        except KeyboardInterrupt:
            line(f"interrupted; {_standing(file, progress, again=again)}", err=True)
            ctx.exit(INTERRUPTED)
    seconds = time.monotonic() - started
    if output == "json":
        as_object(_row(file, progress, sent, seconds))
        return
    speed = f"{seconds:,.1f} s, {sent / seconds:,.0f} a second"
    line(f"published: {plural(sent, 'fact')}, confirmed by {target_of(publisher)} ({speed})")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file, for us alone: two that publish it would each forget what the other confirmed."""
    try:
        opened = open_plain(file)
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from None
    with opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{file} is being published by another process") from None
        except OSError:
            pass  # not every file system has locks
        yield opened


def _check(
    file: Path, opened: BinaryIO, progress: Progress, end: int, check_digits: CheckDigits
) -> None:
    from router.publishing.checking import check_lines

    with Bar("checking", end - progress.mark.bytes, of_bytes=True) as bar:
        cautions = Cautions(bar.say)

        def report(found: BadLine | DoubtfulLine) -> None:
            from router.publishing.checking import DoubtfulLine

            if isinstance(found, DoubtfulLine):
                cautions.hear(found)
            else:
                bar.say(str(found))

        bad = check_lines(
            file,
            opened,
            progress.mark,
            end,
            check_digits=check_digits,
            report=report,
            progress=bar.advance,
        )
        cautions.end()
    if bad:
        raise UsageError(
            f"{plural(bad, 'bad line')}, nothing was published; mend them, or publish them as they"
            " are with --no-check"
        )


def _row(file: Path, progress: Progress, sent: int, seconds: float) -> Mapping[str, object]:
    """`lines`: how many of the file are confirmed by now."""
    return {"file": file, "published": sent, "lines": progress.mark.lines, "seconds": seconds}


def _tell_nothing_left(file: Path, progress: Progress) -> None:
    if not progress.mark.lines:
        line(f"nothing to publish: {file} holds no facts")
        return
    line(
        f"nothing to publish: all {plural(progress.mark.lines, 'line')} of {file} are confirmed"
        f" (see {progress.path.name}); --again publishes them again"
    )


def _standing(file: Path, progress: Progress, *, again: bool) -> str:
    same = "the same command without --again" if again else "the same command"
    lines = progress.mark.lines
    if not lines:
        return f"no line of {file} is confirmed, {same} begins at the first"
    return f"confirmed are {plural(lines, 'line')} of {file}, {same} goes on from there"
