"""`hubherald evidence`: what proves an Alert, in an archive to give away."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.context import eui64, ledger, moment_of, plain_file, whole
from router.cli.naming import alert_id_of, service_user
from router.cli.printing import as_object, flat, line, output
from router.errors import UsageError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.ledger.database import Database
    from router.ledger.proof.extract import Extract

LARGEST = 256 * 2**20
"""Bytes of an archive that is checked."""
MOST = 10_000
"""Alerts in one archive."""


@click.command("evidence")
@click.argument("words", metavar="[ALERT | verify FILE]", nargs=-1)
@click.option("--hub", type=eui64, metavar="ID", help="Of all Alerts about this hub.")
@click.option(
    "--user", type=service_user, metavar="USER", help="Of all Alerts to this Service User."
)
@click.option("--since", type=moment_of, metavar="TIME", help="Decided since, such as 7d.")
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The archive; must not be there yet.  [default: evidence-ALERT.zip]",
)
@output
@click.pass_context
def command(
    ctx: click.Context,
    *,
    words: tuple[str, ...],
    hub: str | None,
    user: str | None,
    since: datetime | None,
    file: Path | None,
    output: str,
) -> None:
    """Write an archive that proves an Alert: fact, decision, rules, bytes sent, every attempt.

    It holds the records themselves and the links of the chain that they are in, of others' records
    the digests alone, and a README that says how to check it by hand. It names the home's meter
    points and all its companies: it is for who may know them. `evidence verify FILE` checks one,
    without a ledger; exit 1 when it is wrong.

    \b
    Example:
      hubherald evidence 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e
      hubherald evidence --user 90-B3-D5-1F-30-01-00-01 --since 7d --to week.zip
      hubherald evidence verify week.zip
    """
    chosen = hub is not None or user is not None
    if words[:1] == ("verify",):
        if len(words) != 2 or chosen or since or file:
            raise click.UsageError("`evidence verify` takes one FILE, and nothing else")
        ctx.exit(_verify(plain_file(words[1]), output))
    if len(words) + chosen != 1 or (since and not chosen):
        raise click.UsageError("give one ALERT, or --hub or --user with or without --since")
    named = [alert_id_of(words[0])] if words else []
    with ledger(ctx.obj) as database:
        wanted = named or _matching(database, hub, user, since)
        to = file or Path(f"evidence-{wanted[0] if words else 'of-all'}.zip")
        found = _write(database, wanted, to)
    if output == "json":
        told = {"unproved": found.unproved, "undigested": found.undigested}
        as_object({"file": to, "alerts": wanted, **told})
    else:
        _tell(found, len(wanted), to)


def _matching(
    database: Database, hub: str | None, user: str | None, since: datetime | None
) -> list[str]:
    from router.ledger.queries.lists import list_alerts
    from router.ledger.queries.wanted import Filter

    rows = list_alerts(database, Filter(hub=hub, user=user, since=since), limit=MOST + 1)
    if not rows:
        raise UsageError("there are no such Alerts; `hubherald alerts list` shows what there is")
    if len(rows) > MOST:
        raise UsageError(f"that is more than {MOST:,} Alerts; take less at a time, by --since")
    return sorted({row.id for row in rows})


def _write(database: Database, wanted: list[str], file: Path) -> Extract:
    from router.files.newfiles import Access, make_file
    from router.ledger.proof.archive import pack
    from router.ledger.proof.extract import extract

    found = extract(database, wanted)
    if found is None:
        raise UsageError(
            f"there is no Alert {wanted[0]}; `hubherald alerts list` shows what there is"
        )
    try:
        with make_file(file, Access.OWNER) as out:
            out.write(pack(found.files, [*found.unproved, *found.undigested]))
    except OSError as error:
        raise UsageError(f"{file}: the archive can't be written: {error.strerror}") from None
    return found


def _tell(found: Extract, alerts: int, file: Path) -> None:
    line(f"evidence of {plural(alerts, 'Alert')} is in {file}")
    if found.unproved:
        old = plural(len(found.unproved), "record")
        line(f"proved with the ledger alone, as an older Hubherald made them: {old}")
    if found.undigested:
        line(
            f"without a digest, as no attempt has kept one: {plural(len(found.undigested), 'file')}"
        )


def _verify(file: Path, output: str) -> int:
    from router.ledger.proof.archive import examine, unpack

    with file.open("rb") as opened:
        found = examine(unpack(whole(opened, LARGEST)))
    if output == "json":
        as_object({"as_recorded": not found.wrong, **flat(found)})
        return int(bool(found.wrong))
    for each in found.wrong:
        line(f"wrong: {each}")
    if found.wrong:
        return 1
    line(f"{plural(found.records, 'record')}, as they were recorded, in these links of the chain:")
    for each in found.links:
        named = re.fullmatch(r"(.+)-(\d+)-([0-9a-f]{64})", each)
        writer, number, hash_ = named.groups() if named else (each, "?", "?")
        line(f"  {writer}, link {number}, hash {hash_}")
    for each in found.unproved:
        line(f"proved with the ledger alone, as an older Hubherald recorded it: {each}")
    for each in found.undigested:
        line(f"no attempt has kept a digest of it, so nothing here proves these bytes: {each}")
    line("whoever has the ledger, or a head of it, can say whether these are its links")
    return 0
