"""What is meant by the words of people, and names beside the ids that are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import click

from router.cli.printing import flat
from router.domain import eui

SEVERAL = 5
"""Names that are told where it is not clear which is meant."""
FEWEST, DIGITS, WHOLE = 8, 32, 36
"""Digits of an Alert's id: those that will do, all of them, and with their hyphens."""
MPAN = 13
"""Digits of one; an MPRN has fewer."""
NAME = "service_user"
"""What the name is called in a row, beside `service_user_id`."""
_ID = re.compile(r"`[^`]*`|\b[0-9A-F]{2}(?:-[0-9A-F]{2}){7}\b(?!/)")
"""One that stands in a command, or names a lane, is copied."""


def service_user(text: str) -> str:
    """The id of a Service User, from the same or from a name, or a part that one name alone has."""
    from router.config.usernames import user_names

    with suppress(ValueError):
        return eui.spelled(text)
    names = user_names(click.get_current_context().obj)
    part = " ".join(text.split()).casefold()
    found = [known for known, name in names.items() if name.casefold() == part] or [
        known for known, name in names.items() if part and part in name.casefold()
    ]
    if len(found) == 1:
        return found[0]
    if found:
        several = "; ".join(f"{names[known]} is {known}" for known in found[:SEVERAL])
        raise click.BadParameter(f"{text!r} may be one of {len(found)}: {several}")
    raise click.BadParameter(
        f"{text!r} is no id, such as 90-B3-D5-1F-30-01-00-00, and in no name of service_users.yaml"
    )


def whom_or_what(text: str) -> str:
    """The id of a Service User or hub, however it is written; of others the same text."""
    try:
        return service_user(text)
    except click.BadParameter:
        return text


def alert_id_of(text: str) -> str:
    """The id of an Alert, from the same or its first digits."""
    digits = _begun(text)
    if digits is None:
        raise click.BadParameter(
            f"{text!r} is no Alert id (a UUID, or its first {FEWEST} digits or more)"
        )
    return _alert(digits)[0] if len(digits) < WHOLE else digits


def hubs_meant(text: str) -> list[str]:
    """Device IDs: of a hub in any usual spelling, of a meter point's, or of an Alert's."""
    digits, number = _begun(text), "".join(text.split())
    with suppress(ValueError):
        hub = eui.spelled(text)
        return _about(digits) or [hub] if digits and not _in_inventory(hub) else [hub]
    if number.isdecimal() and number.isascii():
        try:
            return _at_point(number)
        except click.BadParameter:
            if digits and (found := _about(digits)):
                return found
            raise
    if digits is not None:
        return [_alert(digits)[1]]
    raise click.BadParameter(
        f"{text!r} is no Device ID (90-B3-D5-1F-30-01-00-00), no MPAN or MPRN, and no Alert id"
    )


def _in_inventory(hub: str) -> bool:
    from router.cli.context import ledger
    from router.ledger.queries.homes import find_home

    with ledger(click.get_current_context().obj) as database:
        return find_home(database, hub) is not None


def _at_point(number: str) -> list[str]:
    from router.cli.context import ledger
    from router.domain.meterpoints import mpan, mprn
    from router.ledger.queries.named import hubs_of_point

    try:
        mpxn = mpan(number) if len(number) == MPAN else mprn(number)
    except ValueError as error:
        raise click.BadParameter(f"{number!r}: {error}") from None
    with ledger(click.get_current_context().obj) as database:
        found = hubs_of_point(database, mpxn)
    if not found:
        raise click.BadParameter(f"meter point {mpxn} is not in the inventory (is it right?)")
    return found


def _begun(text: str) -> str | None:
    """A UUID, or its first digits, as the ledger writes it; None where it is neither."""
    digits = text.replace("-", "").lower()
    if not FEWEST <= len(digits) <= DIGITS or set(digits) - set("0123456789abcdef"):
        return None
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(filter(None, parts))


def _alert(digits: str) -> tuple[str, str]:
    """Id and Device ID of the one Alert that is meant."""
    found = _one(digits)
    if found is None:
        raise click.BadParameter(f"no Alert's id begins with {digits}")
    return found


def _about(digits: str) -> list[str]:
    """The Device ID of the one Alert that is meant; nothing where there is none."""
    return [found[1]] if (found := _one(digits)) else []


def _one(digits: str) -> tuple[str, str] | None:
    from router.cli.context import ledger
    from router.ledger.queries.named import alerts_beginning

    with ledger(click.get_current_context().obj) as database:
        found = alerts_beginning(database, digits, limit=SEVERAL)
    if len(found) > 1:
        several = ", ".join(known for known, _ in found)
        raise click.BadParameter(f"{digits!r} may be one of several: {several}")
    return found[0] if found else None


def with_names(rows: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The rows as mappings, those on a Service User with its name; None where it has none."""
    from router.config.usernames import user_names

    names = user_names(click.get_current_context().obj)
    return [
        {**fields, NAME: names.get(fields["service_user_id"])}
        if "service_user_id" in fields
        else fields
        for fields in map(flat, rows)
    ]


def named(text: str) -> str:
    """The text with names beside ids, as service_users.yaml has them."""
    from router.config.usernames import user_names

    return beside_ids(text, user_names(click.get_current_context().obj))


def beside_ids(text: str, names: Mapping[str, str]) -> str:
    """The text with the name behind each id that has one."""

    def named(found: re.Match[str]) -> str:
        return f"{found[0]} ({names[found[0]]})" if found[0] in names else found[0]

    return _ID.sub(named, text)
