"""What is found wrong: which record it is, and what became of it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from router.domain.timestamps import moment, rfc3339
from router.ledger.driver import Parameters
from router.ledger.tables import RECORDS

_COLUMNS = {table.name: table.columns.keys() for table in RECORDS}
_WORDS = {
    "documents": "the {kind} with digest {digest}",
    "facts": "fact {event_id!r} of {source!r}",
    "evaluations": "the grounds of the decisions on fact {fact_id}",
    "decisions": "the decision on fact {fact_id} about {party_id}",
    "alerts": "Alert {alert_id} of user {service_user_id}",
    "attempts": "attempt {number} of delivery {delivery_id}",
    "outcomes": "what became of delivery {delivery_id}: {outcome}",
    "quarantined": "the quarantined fact {event_id!r} of {source!r}",
    "actions": "the action {action!r} of {operator!r}",
}


class ChainLink(NamedTuple):
    """A link of the chain, as it stands in the ledger."""

    id: int
    writer: str
    number: int
    at: int
    previous: str
    hash: str
    marks: bytes | None
    """None for one older than migration 0013."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first record that is not as it was written."""

    what: str
    """`changed`, `removed`, `added` or `moved`; of a chain `cut`, `dropped` or `rewritten`."""
    record: str
    """Which it is, for people."""
    table: str | None = None
    number: int | None = None
    """Its number in its table, where it has one."""
    writer: str | None = None
    """Whose chain it is in."""
    link: int | None = None
    """The number of its link in that chain."""
    at: datetime | None = None
    """When that was written."""
    detail: str = ""
    kind: str = "flaw"

    def __str__(self) -> str:
        """One line: what, where, when."""
        place = f", record {self.number} of {self.table}" if self.table and self.number else ""
        chain = f", link {self.link:,} of the chain of {self.writer}" if self.link else ""
        at = f", written {rfc3339(self.at)}" if self.at else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.what}: {self.record}{place}{chain}{at}{detail}"


def words(table: str, record: Parameters) -> str:
    """Which record this is."""
    return _WORDS[table].format(**dict(zip(_COLUMNS[table], record, strict=False)))


def in_link(link: ChainLink | None, what: str, record: str, **more: Any) -> Flaw:
    """A flaw of what stands in a link; behind the last one, in none."""
    if link is None:
        return Flaw(what, record, **more)
    at = written_at(link.at)
    return Flaw(what, record, writer=link.writer, link=link.number, at=at, **more)


def of_record(
    link: ChainLink | None, what: str, table: str, record: Parameters, detail: str = ""
) -> Flaw:
    """A flaw of a record that is there."""
    number = record[0] if isinstance(record[0], int) else None
    named = words(table, record)
    return in_link(link, what, named, table=table, number=number, detail=detail)


def one_of(link: ChainLink, found: Mapping[str, Sequence[Parameters]]) -> Flaw:
    """A flaw of a link without marks: which of its records it is, nobody can tell any more."""
    every = [(name, row) for name, rows in found.items() for row in rows]
    if len(every) == 1:
        return of_record(link, "changed", *every[0])
    places = ", ".join(f"{name} {_span(rows)}" for name, rows in found.items() if rows)
    detail = "an older Hubherald wrote it, which left no marks to tell which one"
    named = f"one of {len(every)} records ({places})" if every else "a link without its records"
    return in_link(link, "changed", named, detail=detail)


def _span(rows: Sequence[Parameters]) -> str:
    first, last = rows[0][0], rows[-1][0]
    return f"{first}" if first == last else f"{first} to {last}"


def written_at(stamped: int) -> datetime | None:
    """When a link was written; None where no moment stands there any more."""
    try:
        return moment(stamped)
    except (OverflowError, ValueError, TypeError):  # it is what was changed
        return None
