"""`hubherald quarantine repair` and `close`, and what a running router made of what was let go."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from router.cli.asking import because
from router.cli.context import ROW, ledger, operator, whole
from router.cli.printing import as_object, line
from router.cli.printing import output as output_option
from router.errors import UsageError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.domain.facts import Fact
    from router.ledger.database import Database
    from router.ledger.mending import Became

PATIENCE = 10.0
"""Seconds for which nothing need happen until it is said that the router has not come to it."""
LOOK = 0.1


@click.command("repair")
@click.argument("number", metavar="ID", type=ROW)
@click.argument("file", metavar="[FILE]", type=click.File("rb"), required=False)
@because
@output_option
@click.pass_obj
def repair_(
    config_file: Path, *, number: int, file: BinaryIO | None, reason: str | None, output: str
) -> None:
    """Mend a fact and have it decided: in your $EDITOR, or as it stands in FILE (- for input).

    It is checked before anything is changed. The original stays on record, and the new fact says
    that it was made from it. A fact whose id was decided with other data needs an id of its own.

    \b
    Example:
      hubherald quarantine repair 17
      hubherald quarantine show 17 --raw > fact.json
      hubherald quarantine repair 17 fact.json --reason "hyphens were missing"
    """
    from router.ledger.database import Use
    from router.ledger.mending import repair
    from router.ledger.queries.lists import quarantined_fact
    from router.ports import MAX_BODY

    with ledger(config_file) as database:
        found = quarantined_fact(database, number)
    if found is None:
        raise UsageError(f"nothing with number {number} was ever in quarantine")
    fact = _edited(found[1]) if file is None else _checked(whole(file, MAX_BODY))
    with ledger(config_file, Use.CHANGE) as database:
        new = repair(database, number, fact, operator(), reason=reason)
        became = wait_for_router(database, [new], new)
    if output == "json":
        as_object({"id": number, "repaired_as": new, **row_of(became)})
        return
    line(f"repaired: {number}, as {new}")
    tell_became(became)


def _checked(body: bytes) -> Fact:
    from router.domain.facts import Defect, parse

    found = parse(body)
    if isinstance(found, Defect):
        raise UsageError(f"still not a fact ({found.reason}): {found.detail}; nothing was changed")
    return found


def _edited(body: bytes) -> Fact:
    """As somebody leaves it in their editor; they may try again."""
    with tempfile.TemporaryDirectory(prefix="hubherald-") as folder:
        draft = Path(folder, "fact.json")
        draft.write_bytes(body)
        while True:
            click.edit(filename=str(draft))
            mended = draft.read_bytes()
            if mended == body:
                raise UsageError("it is as it was, so nothing was changed")
            try:
                return _checked(mended)
            except UsageError as error:
                line(f"error: {error}", err=True)
                click.confirm("edit it again?", default=True, abort=True, err=True)


@click.command("close")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True, type=ROW)
@click.option("--reason", metavar="TEXT", required=True, help="Why nothing is to be done.")
@output_option
@click.pass_obj
def close_(config_file: Path, *, numbers: tuple[int, ...], reason: str, output: str) -> None:
    """Settle facts that need nothing, such as a trial message; they stay on record.

    \b
    Example:
      hubherald quarantine close 17 --reason "trial of the sender, INC-4711"
    """
    from router.ledger.database import Use
    from router.ledger.mending import close

    with ledger(config_file, Use.CHANGE) as database:
        count = close(database, numbers, operator(), reason=reason)
    if output == "json":
        as_object({"closed": count, "ids": sorted(set(numbers)), "reason": reason})
        return
    line(f"closed: {plural(count, 'fact')}")


# --- what became of what was let go ---------------------------------------------------------


def wait_for_router(database: Database, numbers: Sequence[int], before: int) -> Became:
    """What a running router makes of these, as long as it gets on with them."""
    from router.ledger.mending import became, router_runs

    found = became(database, numbers, before)
    if not router_runs(database):
        return found
    late = time.monotonic() + PATIENCE
    while found.pending and time.monotonic() < late:
        time.sleep(LOOK)
        last, found = found, became(database, numbers, before)
        if found.pending != last.pending:
            late = time.monotonic() + PATIENCE
    return found


def row_of(found: Became) -> dict[str, object]:
    """For programs."""
    return {
        "taken": found.taken,
        "came_back": sum(found.came_back.values()),
        "reasons": dict(sorted(found.came_back.items())),
        "pending": found.pending,
    }


def tell_became(found: Became) -> None:
    """In lines for people."""
    if found.taken:
        line(f"taken: {plural(found.taken, 'fact')}")
    if found.came_back:
        back = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.came_back.items()))
        count = sum(found.came_back.values())
        line(f"came back: {plural(count, 'fact')} ({back}); `hubherald quarantine list` says why")
    if found.pending:
        line(
            f"still to be tried: {plural(found.pending, 'fact')}, by the router when it comes to it"
        )
