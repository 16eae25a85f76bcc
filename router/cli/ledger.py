"""`hubherald ledger`: proof that nothing was changed, and care of the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import ledger, now, plain_file
from router.cli.printing import as_object, flat, line, output, raw
from router.domain.timestamps import rfc3339
from router.errors import LedgerError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.ledger.proof.verification import Verified


@click.group("ledger")
def command() -> None:
    """Prove that nothing was changed; copy the ledger while the router runs.

    What is recorded is chained: each transaction's records are hashed with the hash of the one
    before. Whoever can write to the ledger could write all of a chain anew: keep heads where they
    can't (`ledger head`, or `operations.heads` in the configuration).
    """


@command.command("verify")
@click.option(
    "--head",
    "heads",
    type=plain_file,
    multiple=True,
    metavar="FILE",
    help="A head that was exported before; may be given several times.",
)
@output
@click.pass_context
def verify(ctx: click.Context, heads: tuple[Path, ...], output: str) -> None:
    """Work out all hashes again, beside a running router; exit 1 when a record is not as it was.

    The first record that was changed, removed, added or moved is named. That the end of a chain was
    cut off, or all of it written anew, is seen against a head alone.

    \b
    Example:
      hubherald ledger verify --head /mnt/elsewhere/head-2026-11-27.json
    """
    from router.cli.bar import Bar
    from router.ledger.proof.heads import read_head
    from router.ledger.proof.verification import verify

    known = [read_head(file) for file in heads]
    with ledger(ctx.obj) as database, Bar("links of the chains", 0) as bar:
        found = verify(database, known, begin=bar.begin, advance=bar.advance)
    if output == "json":
        as_object(
            {
                "as_written": found.flaw is None,
                "records": found.records,
                "links": found.links,
                "uncovered": found.uncovered,
                "chains": [flat(each) for each in found.ends],
                "flaw": found.flaw and flat(found.flaw),
            }
        )
    else:
        _tell(found, len(known))
    ctx.exit(1 if found.flaw else 0)


def _tell(found: Verified, heads: int) -> None:
    counted = f"{plural(found.records, 'record')} in {plural(found.links, 'link')}"
    if found.flaw is not None:
        line(str(found.flaw))
        line(f"{counted} before it are as they were written")
        return
    line(f"as it was written: {counted}")
    for each in found.ends:
        at = f"written {rfc3339(each.at, 'seconds')}, hash {each.hash}"
        line(f"{each.writer}: up to link {each.link:,}, {at}")
    if found.uncovered:
        messages = plural(found.uncovered, "message")
        line(f"not covered: the bytes of {messages} that an older Hubherald sent")
    if not heads:
        line("against no head: whether the end of a chain was cut off can't be told; see --head")


@command.command("head")
@click.pass_obj
def head(config_file: Path) -> None:
    """Print the ends of all chains, as JSON, for `ledger verify --head`.

    Keep it where those who can write to the ledger can't. It holds hashes and nothing else.

    \b
    Example:
      hubherald ledger head > head.json
    """
    from router.ledger.proof.heads import as_text, ends_of

    with ledger(config_file) as database:
        raw(as_text(ends_of(database)))


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@output
@click.pass_obj
def backup(config_file: Path, *, file: Path, output: str) -> None:
    """Copy the ledger to FILE, as it is at this moment, while the router runs.

    FILE must not be there yet. A router that starts on the copy gives no number again: each user's
    sequence goes on far behind the last one that the copy knows. While it is copied, SQLite's log
    beside the ledger grows.

    \b
    Example:
      hubherald ledger backup /mnt/elsewhere/hubherald-2026-11-27.db
    """
    from router.cli.bar import Bar
    from router.config.ledgerplace import ledger_place
    from router.ledger.backup import back_up

    access = ledger_place(config_file).access
    with ledger(config_file) as database, Bar("pages of the ledger", 0) as bar:
        back_up(database, file, now(), access=access, begin=bar.begin, advance=bar.advance)
    size = file.stat().st_size
    if output == "json":
        as_object({"file": file, "bytes": size})
    else:
        line(f"the ledger is in {file}: {plural(size, 'byte')}")


@command.command("copy")
@click.argument("url", metavar="URL")
@click.option(
    "--password-file", type=plain_file, metavar="FILE", help="Has the password of the URL's user."
)
@output
@click.pass_obj
def copy(config_file: Path, *, url: str, password_file: Path | None, output: str) -> None:
    """Copy the ledger into an empty database of a PostgreSQL server, and prove the copy.

    Stop the router before. All of it is there in the end, or nothing. No router runs on the old one
    any more: set ledger.url to URL, or, to stay, `hubherald ledger reopen`.

    \b
    Example:
      hubherald ledger copy postgresql://hubherald@db.example/hubherald --password-file secret
    """
    from contextlib import closing

    from router.cli.bar import Bar
    from router.config.ledgerurl import ledger_url
    from router.ledger.copying import copy as copy_ledger
    from router.ledger.database import Use, open_database

    try:
        place = ledger_url(url, config_file.parent)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    secret = password_file.read_text().strip("\r\n") if password_file is not None else None
    with (
        ledger(config_file, Use.ROUTE) as old,
        closing(open_database(place, Use.CHANGE, password=secret)) as new,
        Bar("rows of the ledger", 0) as bar,
    ):
        found = copy_ledger(old, new, begin=bar.begin, advance=bar.advance)
        named = new.name
    if found.flaw is not None:
        raise LedgerError(
            f"the copy is not what it should be: {found.flaw}; drop the "
            f"database there, look with `hubherald ledger verify` here, and try again"
        )
    if output == "json":
        as_object({"ledger": named, "records": found.records, "links": found.links})
    else:
        counted = f"{plural(found.records, 'record')} in {plural(found.links, 'link')}"
        line(f"the ledger is in {named}, as it was written: {counted}; set ledger.url to it")


@command.command("reopen")
@click.pass_obj
def reopen(config_file: Path) -> None:
    """Let routers run again on a ledger that was copied to a server: the copy is given up.

    \b
    Example:
      hubherald ledger reopen
    """
    from router.ledger import lives
    from router.ledger.database import Use

    with ledger(config_file, Use.CHANGE) as database:
        lives.reopen(database)
    line("routers run on this ledger again; what one has written into the copy is not here")
