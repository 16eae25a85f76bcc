"""Records as they are stored: what repeats as a number, what others say left out.

What is hashed is the record as it was made, and never this form of it: the views tell it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, bindparam, insert, select

from router.ledger.abbreviations import Own, short_body, short_hub, short_registrations
from router.ledger.dialects import POSTGRESQL
from router.ledger.driver import Parameters
from router.ledger.store import NUMBERS, WORDED, store_of
from router.ledger.stored import (
    standings,
    stored_alerts,
    stored_decisions,
    stored_evaluations,
    stored_facts,
    verdicts,
    wordings,
)
from router.ports import Alert

Numbers = dict[object, int]
"""What has got a number: by table and values."""


class Numbered:
    """A small table whose rows stand once, each with a number that others refer to."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._names = tuple(column.name for column in table.c if column.name != "id")
        self._find = select(table.c.id).where(
            *(table.c[name].is_not_distinct_from(bindparam(name)) for name in self._names)
        )

    def number(self, connection: Connection, known: Numbers, values: tuple[str | None, ...]) -> int:
        """Of the row with these values; it is added where it is new."""
        key = (self._table.name, values)
        found = known.get(key)
        if found is None:
            row = dict(zip(self._names, values, strict=True))
            found = connection.execute(self._find, row).scalar_one_or_none()
            if found is None:
                added = connection.execute(insert(self._table), row).inserted_primary_key
                found = int(added[0]) if added else 0
            known[key] = found
        return found


_STANDINGS, _VERDICTS, _WORDINGS = map(Numbered, (standings, verdicts, wordings))


@dataclass(frozen=True, slots=True)
class Form:
    """How the records of one table are stored."""

    table: Table
    columns: Sequence[str]


FORMS = {
    "facts": Form(stored_facts, stored_facts.c.keys()),
    "evaluations": Form(
        stored_evaluations,
        ("fact_id", "decided_at", "hub", "registrations", "link", "standing_id"),
    ),
    "decisions": Form(stored_decisions, ("id", "fact_id", "party_id", "link", "verdict_id")),
    "alerts": Form(
        stored_alerts,
        (
            *("id", "alert_id", "fact_id", "service_user_id", "sequence", "decided_at", "event"),
            *("link", "wording_id", "previous_firmware_version"),
        ),
    ),
}
"""By the name that the record is read under."""


class Packer:
    """Gives records as they are stored, each from the row that is told of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._in_bytes = connection.dialect.name == POSTGRESQL  # whose columns have one type each
        memory = store_of(connection).memory
        self._known: Numbers = memory.setdefault(NUMBERS, {})
        self._worded: dict[object, tuple[str, int]] = memory.setdefault(WORDED, {})

    def fact(self, row: Parameters) -> Parameters:
        """One that came in."""
        _, source, event_id, _, device, *_ = row
        *as_they_are, digest, body, link = row
        short: str | bytes | None = short_body(body, device, source, event_id)
        if isinstance(short, str) and self._in_bytes:
            short = b"\0" + short.encode()
        return (*as_they_are, bytes.fromhex(digest), body if short is None else short, link)

    def evaluation(self, row: Parameters, device: str) -> Parameters:
        """The grounds of a decision about this hub."""
        fact, at, rules, users, hub, registrations, link = row
        standing = _STANDINGS.number(self._connection, self._known, (rules, users))
        hub, registrations = short_hub(hub, device), short_registrations(registrations, device)
        return fact, at, hub, registrations, link, standing

    def decision(self, row: Parameters) -> Parameters:
        """What was decided for one candidate."""
        number, fact, party, *verdict, link = row
        return (
            *(number, fact, party, link),
            _VERDICTS.number(self._connection, self._known, tuple(verdict)),
        )

    def event(self, alert: Alert) -> tuple[bytes, int | None, str | None]:
        """The JSON of an Alert, the number of its wording, and what stands beside that.

        Of Alerts that are worded alike, one is encoded; without a number where there are no others.
        """
        own = Own.of(alert)
        if own is None:
            return alert.event(), None, None
        alike = (alert.dcc_id, alert.alert_code, alert.roles, *alert.rules.items())
        key = (alert.rules_digest, alike)
        if known := self._worded.get(key):
            template, number = known
            return (template % own.values).encode(), number, own.previous
        event = alert.event()
        found = own.wording(event.decode())
        if found is None:
            return event, None, None
        number = _WORDINGS.number(self._connection, self._known, (found,))
        self._worded[key] = found, number
        return event, number, own.previous
