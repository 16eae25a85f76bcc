"""Records as they are stored: what repeats as a number, what others say left out.

What is hashed is the record as it was made, and never this form of it: the views tell it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select

from router.ledger.abbreviations import Own, short_body, short_hub, short_registrations
from router.ledger.database import NUMBERS
from router.ledger.driver import Parameters
from router.ledger.prepared import Prepared
from router.ledger.stored import (
    standings,
    stored_alerts,
    stored_decisions,
    stored_evaluations,
    stored_facts,
    verdicts,
    wordings,
)

Rows = Sequence[Mapping[str, Any]]
FactRows = Mapping[int, Mapping[str, Any]]
"""The facts of the same transaction, by number."""


class Numbered:
    """A small table whose rows stand once, each with a number that others refer to."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = tuple(column.name for column in table.c if column.name != "id")
        self._find = select(table.c.id).where(
            *(table.c[name].is_not_distinct_from(bindparam(name)) for name in self._names)
        )

    def number(self, connection: Connection, values: tuple[str | None, ...]) -> int:
        """Of the row with these values; it is added where it is new."""
        known: dict[object, int] = connection.info.setdefault(NUMBERS, {})
        key = (self._table.name, values)
        if key not in known:
            row = dict(zip(self._names, values, strict=True))
            found = connection.execute(self._find, row).scalar_one_or_none()
            if found is None:
                found = connection.execute(insert(self._table), row).lastrowid
            known[key] = found
        return known[key]


_STANDINGS, _VERDICTS, _WORDINGS = map(Numbered, (standings, verdicts, wordings))


_FACT = tuple(column.name for column in stored_facts.c)
_AS_THEY_ARE = itemgetter(*_FACT[: _FACT.index("content_digest")])


def _facts(_connection: Connection, rows: Rows, _facts: FactRows) -> list[Parameters]:
    packed = []
    for row in rows:
        body = short_body(row["body"], row["device_id"], row["source"], row["event_id"])
        packed.append(
            (
                *_AS_THEY_ARE(row),
                bytes.fromhex(row["content_digest"]),
                row["body"] if body is None else body,
                row["link"],
            )
        )
    return packed


def _evaluations(connection: Connection, rows: Rows, facts: FactRows) -> list[Parameters]:
    packed = []
    for row in rows:
        device = facts[row["fact_id"]]["device_id"]
        packed.append(
            (
                row["fact_id"],
                row["decided_at"],
                short_hub(row["hub"], device),
                short_registrations(row["registrations"], device),
                row["link"],
                _STANDINGS.number(connection, (row["rules_digest"], row["users_digest"])),
            )
        )
    return packed


def _decisions(connection: Connection, rows: Rows, _facts: FactRows) -> list[Parameters]:
    return [
        (
            row["id"],
            row["fact_id"],
            row["party_id"],
            row["link"],
            _VERDICTS.number(
                connection,
                (row["role"], row["verdict"], row["rule"], row["reason"], row["alert_code"]),
            ),
        )
        for row in rows
    ]


def _alerts(connection: Connection, rows: Rows, facts: FactRows) -> list[Parameters]:
    packed = []
    for row in rows:
        event, number, previous = row["event"], None, None
        text = event.decode()
        if own := Own.of(text, row, facts[row["fact_id"]]):
            number = _wording(connection, row["service_user_id"], text, own)
        if own and number is not None:
            event, previous = None, own.previous
        packed.append(
            (
                row["id"],
                row["alert_id"],
                row["fact_id"],
                row["service_user_id"],
                row["sequence"],
                row["decided_at"],
                event,
                row["link"],
                number,
                previous,
            )
        )
    return packed


def _wording(connection: Connection, user: str, text: str, own: Own) -> int | None:
    """The number of the wording of this JSON; None where it has none that others could share."""
    known: dict[object, tuple[str, int]] = connection.info.setdefault(NUMBERS, {})
    if last := known.get(user):  # most are worded as their user's one before
        template, number = last
        if template % own.values == text:
            return number
    found = own.wording(text)
    if found is None:
        return None
    number = _WORDINGS.number(connection, (found,))
    known[user] = found, number
    return number


@dataclass(frozen=True, slots=True)
class Packing:
    """How the records of one table are stored."""

    table: Table
    rows: Callable[[Connection, Rows, FactRows], list[Parameters]]
    insert: Prepared


def _packing(
    table: Table, rows: Callable[[Connection, Rows, FactRows], list[Parameters]], names: str
) -> Packing:
    return Packing(table, rows, Prepared(insert(table), names.split()))


PACKINGS = {
    "facts": _packing(stored_facts, _facts, " ".join(_FACT)),
    "evaluations": _packing(
        stored_evaluations,
        _evaluations,
        "fact_id decided_at hub registrations link standing_id",
    ),
    "decisions": _packing(stored_decisions, _decisions, "id fact_id party_id link verdict_id"),
    "alerts": _packing(
        stored_alerts,
        _alerts,
        "id alert_id fact_id service_user_id sequence decided_at event link wording_id"
        " previous_firmware_version",
    ),
}
"""By the name that the record is read under."""
