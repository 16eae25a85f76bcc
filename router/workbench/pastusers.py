"""The Service Users as they were when something was decided, from the text that the ledger keeps.

That text is service_users.yaml with its secrets covered and its variables as they were written, so
only what rules can ask of a user is read; its channels are no matter here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from router.config.usersfile import UserEntry
from router.domain.users import ServiceUser
from router.errors import LedgerError
from router.files.values import expand, read_model
from router.files.yamlfile import parse

_ASKED = ("id", "name", "roles", "status", "subscriptions", "duis_version")
_A_CHANNEL = {"adapter": "log"}  # an entry must have one, whichever


def users_of(
    text: str, digest: str, environment: Mapping[str, str] = os.environ
) -> dict[str, ServiceUser]:
    """The users in a text, by id. LedgerError where it can't be read any more."""
    document = parse(_uncovered(text).encode(), Path(f"service users {digest[:12]} of the ledger"))
    entries = document.value["service_users"] if document.value else []
    document.value = {
        "service_users": [{key: each[key] for key in _ASKED if key in each} for each in entries]
    }
    expand(document, environment)
    found: dict[str, ServiceUser] = {}
    for number, each in enumerate(document.value["service_users"]):
        entry = read_model(
            document, UserEntry, {**each, "channels": [_A_CHANNEL]}, "service_users", number
        )
        if entry is not None:
            found[entry.id] = ServiceUser(
                id=entry.id,
                name=entry.name,
                roles=frozenset(entry.roles),
                status=entry.status,
                subscriptions=entry.subscriptions,
                duis_version=entry.duis_version,
            )
    if document.problems:
        problems = "; ".join(problem.head for problem in document.problems)
        raise LedgerError(f"the Service Users of then can't be read any more: {problems}")
    return found


_LINES = re.compile(r"^\*+$", re.MULTILINE)
_VALUES = re.compile(
    r"((?:^|[{,\[])\s*(?:- +)*[\"']?[\w-]+[\"']?: +|^\s*(?:- +)+)\*+", re.MULTILINE
)


def _uncovered(text: str) -> str:
    """The text with something for the stars that cover secrets: to YAML they begin an alias."""
    return _VALUES.sub(r"\1x", _LINES.sub("", text))
