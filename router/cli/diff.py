"""`hubherald diff`: who would gain or lose which Alerts under edited rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.alert_changes import take_back
from router.cli.asking import Manner, manner
from router.cli.bar import Bar
from router.cli.context import ledger, moment_of
from router.cli.naming import NAME, with_names
from router.cli.printing import as_object, as_table, line, listing
from router.errors import FilesError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.domain.users import ServiceUser
    from router.language.rules import Rules
    from router.ledger.database import Database
    from router.workbench.diffing import ChangedAlerts, Difference, Moved


@click.command("diff")
@click.argument("folder", metavar="RULES", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--since",
    type=moment_of,
    default="7d",
    show_default=True,
    metavar="TIME",
    help="From which decisions on: a day or moment, or so long ago (30d, 12h).",
)
@click.option(
    "--each",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="List the Alerts one by one, at most the newest N, rather than how many.",
)
@click.option("--withdraw", is_flag=True, help="Take back what they would not have sent.")
@manner
@listing
@click.pass_obj
def command(
    config_file: Path,
    folder: Path,
    *,
    since: datetime,
    each: int | None,
    withdraw: bool,
    manner: Manner,
    output: str,
) -> None:
    """Decide the ledger's facts again under the rules in the folder RULES, and show what changes.

    Who would gain or lose which Alerts, by user and rule. Service Users and registrations are those
    of the original decision, so every difference is the rules' alone. Nothing is sent and nothing
    is recorded; a router may run beside it.

    With --withdraw, what would be lost and is not delivered yet is taken back, as by `hubherald
    alerts withdraw`: have the router take up the edited rules first.

    \b
    Example:
      cp -r rules edited && $EDITOR edited/alerts.yaml
      hubherald diff edited --since 7d
      hubherald diff edited --since 7d --each 100
      hubherald diff rules --since 2h --withdraw --reason "rule too wide" --dry-run
    """
    from router.deciding.trial import trial
    from router.language.folder import load as load_rules
    from router.ledger.queries.history import ids_of
    from router.ledger.queries.wanted import Filter

    if not withdraw and manner != Manner(None, dry_run=False, yes=False):
        raise click.UsageError("--dry-run, --yes and --reason go with --withdraw")
    rules, problems = load_rules(folder)
    if rules is None:
        raise FilesError(problems)
    trial(rules)
    with ledger(config_file) as database:
        found = _decide_again(database, rules, since, each or 0)
        lost = ids_of(database, found.lost) if withdraw else []
    rows: Sequence[ChangedAlerts | Moved] = found.moved if each else found.rows()
    if output == "json" and not withdraw:
        as_object(_whole(rows, found))
    elif output != "json":
        _tell(rows, found)
    if each and found.total() > each:
        line(f"{found.total() - each:,} more: see --each", err=True)
    if withdraw:  # as JSON, of this alone
        take_back(config_file, Filter(ids=lost), manner, output=output)


def _decide_again(database: Database, rules: Rules, since: datetime, each: int) -> Difference:
    from router.deciding.engine import Engine
    from router.ledger.queries.history import count_past, past_pages, text_of
    from router.workbench.diffing import Differ
    from router.workbench.pastusers import users_of

    engine = Engine(rules)
    differ = Differ(engine, each)
    users: dict[str, dict[str, ServiceUser]] = {}
    try:
        with Bar("deciding again", count_past(database, since)) as bar:
            for page in past_pages(database, since):
                for digest in {past.users_digest for past in page} - users.keys():
                    users[digest] = users_of(text_of(database, digest), digest)
                differ.add(page, users)
                bar.advance(len(page))
    finally:
        engine.close()
    return differ.found


def _whole(rows: Sequence[ChangedAlerts | Moved], found: Difference) -> Mapping[str, object]:
    from router.workbench.diffing import GAINS, LOSES

    return {
        "activations": found.activations,
        "gained": found.total(GAINS),
        "lost": found.total(LOSES),
        "same": found.same,
        "otherwise": found.otherwise,
        "changes": with_names(rows),
    }


def _tell(rows: Sequence[ChangedAlerts | Moved], found: Difference) -> None:
    from router.workbench.diffing import GAINS, LOSES

    if rows:
        columns = [field.name for field in fields(rows[0])]
        columns.insert(columns.index("service_user_id"), NAME)
        as_table(with_names(rows), columns, nothing="")
        line("")
    more, fewer = plural(found.total(GAINS), "Alert"), f"{found.total(LOSES):,}"
    line(
        f"{plural(found.activations, 'activation')} decided again: {more} more, "
        f"{fewer} fewer, {found.same:,} the same"
        + (f" ({found.otherwise:,} of them by another rule or role)" if found.otherwise else "")
    )
