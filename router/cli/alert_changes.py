"""`hubherald alerts retry`, `withdraw` and `resend`: what goes again, and what must not go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.alert_filters import COLUMNS, by_id, filters
from router.cli.asking import Manner, dry_run, manner
from router.cli.context import ledger, now, operator
from router.cli.naming import beside_ids, with_names
from router.cli.printing import as_object, as_table, line, listing
from router.errors import UsageError
from router.files.counts import plural
from router.lanes.values import DeliveryState

if TYPE_CHECKING:
    from router.domain.users import ServiceUsers
    from router.lanes.succession import Stranded
    from router.lanes.values import LaneKey, Withdrawn
    from router.ledger.alerts import Reached
    from router.ledger.database import Database
    from router.ledger.queries.wanted import Filter


@click.command("retry")
@by_id
@filters(("--answer", "--reason"))
@dry_run
@listing
@click.pass_obj
def retry_(config_file: Path, *, wanted: Filter, dry_run: bool, output: str) -> None:
    """Send again what is parked, and at once what waits for its next attempt.

    Each Alert gets its whole holding time anew; its attempts stay on record. Whether its user
    is still responsible for the hub is read again first. What is held stays held until its lane
    opens; where no file names its channel any more, this says which `lanes move` sends it. A
    running router takes it up by itself.

    \b
    Example:
      hubherald alerts retry --user 90-B3-D5-1F-30-01-00-01 --state parked --dry-run
    """
    from router.ledger.alerts import in_vain, look_ahead, retriable, retry
    from router.ledger.database import Use

    states = retriable(wanted)
    users = _users(config_file)
    with ledger(config_file, Use.READ if dry_run else Use.CHANGE) as database:
        _known(database, wanted)
        held = in_vain(database, wanted, states)
        found = look_ahead(database, wanted, states, _responsible(users) if dry_run else None)
        if dry_run:
            _list(database, found, output)
        else:
            done = retry(database, wanted, operator(), hold=_hold(users))
    if output == "json":
        as_object(_row(found, dry_run=dry_run))
        return
    line(_would("retry", found) if dry_run else f"retried: {plural(done, 'delivery')}")
    _tell_held(held)


@click.command("withdraw")
@by_id
@filters(("--answer",))
@manner
@listing
@click.pass_obj
def withdraw_(config_file: Path, *, wanted: Filter, manner: Manner, output: str) -> None:
    """Take back Alerts that wait, are held or parked: by ids, or all that the filters let through.

    Each keeps its sequence number, and the ledger says that it was withdrawn, by whom and why. One
    that is under way may have been received: it is told apart, and not sent again. A running
    router sends nothing of it from this moment on. Withdrawn by mistake: `alerts resend --state
    withdrawn`. What an edited rule would not have sent: `diff --withdraw`. Of a batch that went
    before, the rest goes without it, under another batch id.

    \b
    Example:
      hubherald alerts withdraw --rule too-wide --since 2h --dry-run
      hubherald alerts withdraw --rule too-wide --since 2h --reason "rule too wide, INC-4711"
    """
    _named(wanted)
    take_back(config_file, wanted, manner, output=output)


def take_back(config_file: Path, wanted: Filter, manner: Manner, *, output: str) -> None:
    """Withdraw what is meant, with all that is said and asked about it."""
    from router.ledger.alerts import look_ahead, withdraw, withdrawable
    from router.ledger.database import Use

    states = withdrawable(wanted)
    with ledger(config_file) as database:
        _known(database, wanted)
        found = look_ahead(database, wanted, states, sending=False)
        if manner.dry_run:
            _list(database, found, output)
    if not manner.dry_run and found.deliveries:
        meant = _meant(config_file, found.deliveries, wanted)
        manner.make_sure(f"withdraw {meant}?", found.deliveries)
        with ledger(config_file, Use.CHANGE) as database:
            found = withdraw(database, wanted, operator(), reason=manner.reason)
    if output == "json":
        as_object(_row(found, dry_run=manner.dry_run))
        return
    done = "would withdraw" if manner.dry_run else "withdrawn:"
    line(f"{done} {plural(found.deliveries, 'delivery')}")
    if found.under_way:
        line(f"under way: {found.under_way:,} of them, which may have been received")


@click.command("resend")
@by_id
@filters(("--answer",))
@manner
@listing
@click.pass_obj
def resend_(config_file: Path, *, wanted: Filter, manner: Manner, output: str) -> None:
    """Send delivered Alerts again, for whoever lost them: by ids, or all that filters let through.

    The same bytes under the same id and sequence number, so that a receiver that has one knows it.
    They go before what is newer; what was a batch may go in others, with another batch id. With
    `--state withdrawn`: what an operator has withdrawn.

    \b
    Example:
      hubherald alerts resend 0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e
      hubherald alerts resend --user 90-B3-D5-1F-30-01-00-01 --since 2026-11-26 --until 2026-11-27
    """
    from router.ledger.alerts import in_vain, look_ahead, resend, resendable
    from router.ledger.database import Use

    _named(wanted)
    states, users = resendable(wanted), _users(config_file)
    anew = DeliveryState.WITHDRAWN in states
    with ledger(config_file) as database:
        _known(database, wanted)
        vain = in_vain(database, wanted, states)
        found = look_ahead(database, wanted, states, _responsible(users) if anew else None)
        if manner.dry_run:
            _list(database, found, output)
    done = found.deliveries
    if not manner.dry_run and done:
        manner.make_sure(f"send {_meant(config_file, done, wanted)} again?", done)
        with ledger(config_file, Use.CHANGE) as database:
            done = resend(database, wanted, operator(), hold=_hold(users), reason=manner.reason)
    if output == "json":
        as_object(_row(found, dry_run=manner.dry_run))
        return
    line(
        _would("send again", found)
        if manner.dry_run
        else f"to be sent again: {plural(done, 'delivery')}"
    )
    _tell_held(vain)


# --- what they share ------------------------------------------------------------------------


def _named(wanted: Filter) -> None:
    if wanted == type(wanted)():
        raise click.UsageError(
            "say which Alerts: their ids, or filters such as --user, --rule, --since; --since "
            "1900-01-01 means all"
        )


def _meant(config_file: Path, count: int, wanted: Filter) -> str:
    """How many, and to whom where that is said: part of a name may have meant somebody else."""
    from router.config.usernames import user_names

    counted = plural(count, "delivery")
    if wanted.user is None:
        return counted
    return beside_ids(f"{counted} to {wanted.user}", user_names(config_file))


def _known(database: Database, wanted: Filter) -> None:
    """UsageError for ids that no Alert has."""
    from router.ledger.queries.lists import unknown_alerts

    if unknown := unknown_alerts(database, wanted.ids or ()):
        raise UsageError(
            f"there is no Alert {', '.join(unknown)}; `hubherald alerts list` shows what there is"
        )


def _list(database: Database, found: Reached, output: str) -> None:
    from router.ledger.queries.lists import alerts_of

    if output == "json" or not found.first:
        return
    as_table(with_names(alerts_of(database, found.first)), COLUMNS, nothing="")
    if found.sends > len(found.first):
        line("and more: `hubherald alerts list` lists them, with the same filters and --limit")


def _row(found: Reached, *, dry_run: bool) -> dict[str, object]:
    row = asdict(found)
    del row["first"]
    return {**row, "dry_run": dry_run}


def _would(what: str, found: Reached) -> str:
    also = [
        f"{count:,} {words}"
        for count, words in (
            (found.held, "stay held until their lane opens"),
            (found.gone, "are withdrawn: their user is no longer responsible for the hub"),
        )
        if count
    ]
    return "; ".join([f"would {what} {plural(found.sends, 'delivery')}", *also])


def _tell_held(held: Sequence[Stranded]) -> None:
    for each in held:
        line(f"held: {each}")


def _users(config_file: Path) -> ServiceUsers | None:
    """The Service Users; None where their file has mistakes."""
    from router.config.settings import own_settings
    from router.config.usersfile import load as load_users

    users, _ = load_users(own_settings(config_file).users_file, os.environ)
    return users


def _responsible(users: ServiceUsers | None) -> Withdrawn | None:
    from router.deciding.responsibility import Responsibility

    return Responsibility(users.by_id, now) if users else None


def _hold(users: ServiceUsers | None) -> dict[LaneKey, timedelta]:
    """How long each channel holds an Alert; the usual 48 h where the users file has mistakes."""
    return {
        (user.id, channel.name): timedelta(hours=channel.hold_hours)
        for user in (users.by_id.values() if users else ())
        for channel in user.channels
    }
