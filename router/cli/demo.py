"""`hubherald demo`: the main job on a made-up estate."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.printing import line
from router.cli.story import tell
from router.cli.totals import tell_totals
from router.errors import RouterError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.demo.demonstration import Demonstration
    from router.domain.users import ServiceUser


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to: a new or empty folder. A temporary one unless given; it is kept.",
)
def command(*, out: Path | None) -> None:
    """The main job on a small made-up estate, without any set-up.

    Makes up 200 homes, awkward ones among them, and a campaign; routes its facts; delivers the
    Alerts to local recipients over HTTP and in DUIS, signed, and into folders; tells what came of
    it.

    \b
    Example:
      hubherald demo
    """
    from router.demo.demonstration import demonstrate

    folder = out or Path(tempfile.mkdtemp(prefix="hubherald-demo-"))
    line(f"simulating, importing and routing in {folder} ...")
    shown = demonstrate(folder)
    _tell(shown)
    if not shown.complete:
        raise RouterError(
            f"not all Alerts arrived as expected: compare {folder}/expected.json with "
            f"`hubherald alerts list`, and look into {folder}/router.log"
        )


def _tell(shown: Demonstration) -> None:
    from router.ledger.database import Use, open_database
    from router.ledger.queries.why import why

    made, totals = shown.made, shown.totals
    line(
        f"an estate of {plural(made.hubs, 'hub')} ({len(made.homes)} kinds of homes), "
        f"{plural(made.registrations, 'registration')}, {plural(made.users, 'Service User')}; "
        f"an inbox of {plural(made.expected.lines, 'line')}"
    )
    _heading("What was routed")
    tell_totals(totals)
    _heading("Alerts by Service User and role")
    _tell_users(shown)
    _heading("What was suppressed, and why")
    _tell_counts({f"{rule}: {why}": count for (rule, why), count in totals.suppressed.items()})
    _heading(f"Why, for one hub (hubherald why --hub {shown.hub})")
    names = {user.id: user.name for user in shown.config.users.by_id.values()}
    with closing(open_database(shown.config.ledger.url, Use.READ)) as database:
        tell(why(database, shown.hub), names)
    _heading("Where to look next")
    line(f"  cd {shown.folder}")
    for words in ("alerts list", "quarantine list", "lanes list", "check"):
        line(f"  {_program()} {words}")
    line("  then edit a rule in rules/, and `diff rules` says who would have been told otherwise")
    if shown.complete:
        line("")
        line(
            f"All {made.expected.alerts:,} Alerts that the simulation expects: "
            f"{shown.posted.total():,} over HTTP and {shown.signed.total():,} in DUIS over mutual "
            f"TLS, all with verified signatures, {shown.filed.total():,} as files, "
            f"{made.expected.held:,} held."
        )


def _program() -> str:
    """How to call this program again: `make demo` does not put it on the PATH."""
    found = shutil.which("hubherald")
    called = Path(sys.argv[0]).resolve()
    return "hubherald" if found and Path(found).resolve() == called else str(called)


def _heading(text: str) -> None:
    line("")
    line(text, style="bright_white")


def _tell_users(shown: Demonstration) -> None:
    for user in shown.config.users.by_id.values():
        roles = {
            role: count for (told, role), count in shown.totals.told.items() if told == user.id
        }
        count = shown.totals.alerts.get(user.id, 0)
        by_role = ", ".join(f"{number:,} as {role}" for role, number in roles.items())
        line(
            f"  {user.id} {user.name}: {plural(count, 'Alert')}"
            + (f" ({by_role}); {_whereabouts(shown, user)}" if count else "")
        )


def _whereabouts(shown: Demonstration, user: ServiceUser) -> str:
    from router.domain.words import UserStatus

    if user.status is UserStatus.SUSPENDED:
        return "held, as the user is suspended"
    if user.id in shown.filed:
        return f"{shown.filed[user.id]} in its folder"
    if user.id in shown.signed:
        return f"{shown.signed[user.id]} in DUIS {user.duis_version}"
    return f"{shown.posted[user.id]} over HTTP"


def _tell_counts(counts: Mapping[str, int]) -> None:
    for text, count in counts.items():
        line(f"  {count:>5,}  {text}")
