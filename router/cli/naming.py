"""Service Users by name: as people write them, and beside the ids that are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from router.cli.printing import flat
from router.domain import eui

SEVERAL = 5
"""Names that are told where it is not clear which is meant."""
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


def with_names(config_file: Path, rows: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The rows as mappings, with the name of their Service User; None where it has none."""
    from router.config.usernames import user_names

    names = user_names(config_file)
    return [{**fields, NAME: names.get(fields["service_user_id"])} for fields in map(flat, rows)]


def beside_ids(text: str, names: Mapping[str, str]) -> str:
    """The text with the name behind each id that has one."""

    def named(found: re.Match[str]) -> str:
        return f"{found[0]} ({names[found[0]]})" if found[0] in names else found[0]

    return _ID.sub(named, text)
