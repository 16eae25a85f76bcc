"""The rules that were live: which, from when to when, who made them so, and their files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, func, select

from router.domain.timestamps import moment
from router.errors import UsageError
from router.ledger.database import Database
from router.ledger.recorder import ROUTER
from router.ledger.tables import actions, documents

START = "start"
"""The action of a router that began with other rules than were live before."""
_MADE_LIVE = ("reload", START)


@dataclass(frozen=True, slots=True)
class LiveRules:
    """Rules from when they went live until others did."""

    digest: str
    since: datetime
    until: datetime | None
    """None for those that are live now, or were last."""
    trigger: str
    """`http`, `SIGHUP`, `watch`, or `start` of a router."""
    by: str | None
    """Who asked for it, where that is known."""


def live_rules(database: Database) -> list[LiveRules]:
    """All of them, the newest first; the same rules stand twice where others were live between."""
    with database.aside() as connection:
        return list(_ended(_changes(connection)))[::-1]


def last_live(connection: Connection) -> str | None:
    """The digest of the rules that are live, or were last; None where there were none yet."""
    found = _changes(connection)
    return found[-1].digest if found else None


def _changes(connection: Connection) -> list[LiveRules]:
    """Each time that rules went live, in order."""
    asked = {}
    made = select(actions).where(actions.c.action.in_(_MADE_LIVE), actions.c.operator == ROUTER)
    for row in connection.execute(made):
        told = json.loads(row.detail)
        if "to" not in told:  # a person of that name has asked for a reload
            continue
        digest, by = told["to"]["rules"], told.get("by")
        change = LiveRules(digest, moment(row.at), None, told["trigger"], _person(by or ""))
        asked[row.at, digest] = change
    kept = select(documents).where(documents.c.kind == "rules")
    for row in connection.execute(kept):
        first = LiveRules(row.digest, moment(row.first_used_at), None, START, None)
        asked.setdefault((row.first_used_at, row.digest), first)
    return sorted(asked.values(), key=attrgetter("since"))


def _person(by: str) -> str | None:
    """The system user that asked, where it is known; else from where it was asked."""
    found = re.search(r"user (\S+) \(\d+\) of this machine", by)
    return found[1] if found else by or None


def _ended(changes: list[LiveRules]) -> Iterator[LiveRules]:
    """Each until the next others; a reload of the same is no change."""
    last: LiveRules | None = None
    for each in changes:
        if last is not None and last.digest == each.digest:
            continue
        if last is not None:
            yield replace(last, until=each.since)
        last = each
    if last is not None:
        yield last


def rules_of(database: Database, digest: str) -> tuple[str, Mapping[str, str]]:
    """The whole digest of the rules whose digest begins so, and their files: text by path.

    UsageError where none does, or several do.
    """
    begins = func.substr(documents.c.digest, 1, len(digest)) == digest
    with database.aside() as connection:
        rows = connection.execute(select(documents).where(documents.c.kind == "rules", begins))
        found = {row.digest: row.content for row in rows}
    if len(found) > 1:
        raise UsageError(f"several begin with {digest}: {', '.join(sorted(found))}")
    if not found:
        raise UsageError(
            f"no rules with digest {digest} were ever live; `hubherald rules list` shows which were"
        )
    ((whole, content),) = found.items()
    files: Mapping[str, str] = json.loads(content)
    return whole, files
