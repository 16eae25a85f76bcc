"""The options of `hubherald alerts` that say which are meant, and the columns that show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from typing import Any

import click

from router.cli.context import eui64, moment_of
from router.cli.naming import NAME, alert_id_of, service_user
from router.lanes.values import DeliveryState

COLUMNS = (
    "decided_at",
    "state",
    NAME,
    "service_user_id",
    "channel",
    "sequence",
    "alert_code",
    "device_id",
    "firmware_version",
    "attempts",
    "id",
)
NARROWEST = 4
"""Digits of a digest that name it."""


def digest_of(text: str) -> str:
    """A digest of rules, or its first digits."""
    found = text.lower()
    if len(found) < NARROWEST or set(found) - set("0123456789abcdef"):
        raise click.BadParameter(
            f"{text!r} is no digest: write its first {NARROWEST} hexadecimal digits or more"
        )
    return found


def filters(answer: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that say which Alerts are meant; the command gets them as `wanted`.

    `answer` names the option for the reason of the last answer: some commands have a reason of
    their own.
    """
    time = "such as 2026-01-31 or 7d."
    options = (
        click.option(
            "--state",
            type=click.Choice([state.value for state in DeliveryState]),
            help="In this state.",
        ),
        click.option("--user", type=service_user, metavar="USER", help="To this Service User."),
        click.option("--channel", metavar="NAME", help="By this channel."),
        click.option("--hub", type=eui64, metavar="ID", help="About this hub."),
        click.option("--version", metavar="VERSION", help="About this firmware version."),
        click.option("--rule", metavar="NAME", help="Made by this rule."),
        click.option(
            "--rules-digest", type=digest_of, metavar="DIGEST", help="Decided under these rules."
        ),
        click.option("--since", type=moment_of, metavar="TIME", help=f"Decided since, {time}"),
        click.option("--until", type=moment_of, metavar="TIME", help=f"Decided before, {time}"),
        click.option(
            *answer,
            "answer",
            metavar="REASON",
            help="Whose last answer had this reason, such as server or timeout.",
        ),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def filtered(*args: Any, ids: Sequence[str] = (), **given: Any) -> None:
            from router.ledger.queries.wanted import Filter

            named = {
                each.name: given.pop(each.name) for each in fields(Filter) if each.name in given
            }
            if named["state"] is not None:
                named["state"] = DeliveryState(named["state"])
            command(*args, wanted=Filter(ids=tuple(dict.fromkeys(ids)) or None, **named), **given)

        found: Callable[..., None] = filtered
        for option in reversed(options):
            found = option(found)
        return found

    return decorate


by_id = click.argument("ids", metavar="[ID]...", nargs=-1, type=alert_id_of)
"""Alerts by their ids; they join the filter."""
