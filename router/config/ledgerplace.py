"""Where hubherald.yaml says the ledger is: all that most commands want of it.

What is plainly right is taken as it stands, without the models, whose import alone takes longer
than such a command has. Anything else is read in full, which says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from router.config.ledgerurl import USUAL, ledger_url
from router.files.newfiles import Access
from router.files.yamlfile import read

KEYS = {"sources", "rules", "service_users", "ledger", "dcc", "operations", "facts", "watch"}
"""Of hubherald.yaml; a test holds them against its model."""


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """The ledger of a router."""

    url: str
    """sqlite:/// and the path of its file, or postgresql:// and where the server is."""
    access: Access = Access.OWNER
    """Who may open its files."""
    password: str | None = field(default=None, repr=False)
    """Of a server."""


def ledger_place(file: Path) -> LedgerPlace:
    """Of the router whose hubherald.yaml is `file`. FilesError when that can't be told of it.

    A mistake in what has no part in this is for `check`: it keeps nobody from asking the ledger.
    """
    found = _plain(file)
    if found is not None:
        return found
    from router.config.settings import own_settings  # noqa: PLC0415 - see above

    ledger = own_settings(file).ledger
    return LedgerPlace(ledger.url, ledger.access, ledger.secret)


def _plain(file: Path) -> LedgerPlace | None:
    document = read(file, guarded=True)
    value = document.value
    if document.problems or not isinstance(value, dict) or not {"sources", "dcc"} <= set(value):
        return None
    ledger = value.get("ledger", {})
    if not (set(value) <= KEYS and isinstance(ledger, dict) and set(ledger) <= {"url", "access"}):
        return None
    url, access = ledger.get("url", USUAL), ledger.get("access", Access.OWNER)
    if not isinstance(url, str) or "${" in url or access not in list(Access):
        return None
    try:
        return LedgerPlace(ledger_url(url, file.absolute().parent), Access(access))
    except ValueError:
        return None
