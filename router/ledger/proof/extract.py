"""What proves one Alert, taken from the ledger: its records, their links, and the bytes sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, exists, or_, select, union

from router.compact import compact
from router.ledger import chain
from router.ledger.actions import JUMP
from router.ledger.database import Database
from router.ledger.dialects import holds
from router.ledger.proof.flaws import ChainLink
from router.ledger.recorder import STORED
from router.ledger.tables import (
    RECORDS,
    actions,
    alerts,
    attempts,
    decisions,
    deliveries,
    documents,
    evaluations,
    facts,
    forms,
    lanes,
    links,
    outcomes,
    sequences,
)

Files = dict[str, bytes]
"""By path in an archive."""


@dataclass
class Extract:
    """The files of an archive, and what of them no link can prove by itself."""

    files: Files = field(default_factory=dict)
    unproved: list[str] = field(default_factory=list)
    """Records of an older Hubherald, whose links are over all of their records together."""
    undigested: list[str] = field(default_factory=list)
    """Bytes sent of which no attempt has kept a digest: an older Hubherald kept none."""


def extract(database: Database, wanted: Sequence[str]) -> Extract | None:
    """What proves these Alerts, by id; None where one of them is not there."""
    found = Extract()
    with database.transaction() as connection:
        covering: dict[int, list[str]] = {}
        for alert_id in wanted:
            if not _alert(connection, found, covering, alert_id):
                return None
        for number, names in sorted(covering.items()):
            _link(connection, found, number, names)
    return found


def _alert(
    connection: Connection, found: Extract, covering: dict[int, list[str]], alert_id: str
) -> bool:
    alert = connection.execute(select(alerts).where(alerts.c.alert_id == alert_id)).one_or_none()
    if alert is None:
        return False
    for table, row in _records(connection, alert):
        name = f"records/{table.name}/{row[0]}.json"
        found.files[name] = compact(list(row))
        covering.setdefault(row.link, []).append(name)
        if table is facts:
            found.files[f"facts/{row.id}.body"] = row.body
        elif table is documents:
            found.files[f"rules/{row.digest}.yaml"] = row.content.encode()
    found.files[f"sent/{alert_id}.json"] = alert.event
    bytes_of = select(deliveries.c.id, deliveries.c.sent_by.label("adapter"), deliveries.c.rendered)
    kept = select(forms.c.delivery_id, forms.c.adapter, forms.c.rendered)
    own = deliveries.c.alert == alert.id
    kept = kept.join(deliveries, deliveries.c.id == forms.c.delivery_id)
    digests = select(attempts.c.sent).join(deliveries, deliveries.c.id == attempts.c.delivery_id)
    known = set(connection.execute(digests.where(own)).scalars())
    for row in connection.execute(bytes_of.where(own).union_all(kept.where(own))):
        if row.rendered is not None:
            name = f"sent/{alert_id}.{row.id}.{row.adapter}"
            found.files[name] = row.rendered
            if hashlib.sha256(row.rendered).digest() not in known:
                found.undigested.append(name)
    return True


def _records(connection: Connection, alert: Any) -> Iterator[tuple[Table, Any]]:
    """In the order in which they came about; of others' decisions on the fact nothing."""
    grounds = evaluations.c.fact_id == alert.fact_id
    its_own = select(deliveries.c.id).where(deliveries.c.alert == alert.id)
    of = {
        facts: facts.c.id == alert.fact_id,
        evaluations: grounds,
        documents: documents.c.digest.in_(select(evaluations.c.rules_digest).where(grounds)),
        decisions: (decisions.c.fact_id == alert.fact_id)
        & (decisions.c.party_id == alert.service_user_id),
        alerts: alerts.c.id == alert.id,
        attempts: attempts.c.delivery_id.in_(its_own),
        outcomes: outcomes.c.delivery_id.in_(its_own),
        actions: _concerns(alert) & (actions.c.at >= alert.decided_at),
    }
    for table, which in of.items():
        for row in connection.execute(select(table).where(which)):
            yield table, row


def _concerns(alert: Any) -> ColumnElement[bool]:
    """Actions that name the Alert or its user, and nobody else's business."""
    named = (actions.c.detail.contains(each) for each in (alert.alert_id, alert.service_user_id))
    known = union(select(sequences.c.service_user_id), select(lanes.c.service_user_id)).subquery()
    user = known.c.service_user_id
    own = ["", alert.service_user_id]  # nobody's: whoever comes
    others = exists().where(user.not_in(own), holds(actions.c.detail, user))
    return or_(*named) & (actions.c.action != JUMP) & ~others


def _link(connection: Connection, found: Extract, number: int, names: Sequence[str]) -> None:
    row = connection.execute(select(links).where(links.c.id == number)).one()
    link = ChainLink(*(getattr(row, name) for name in ChainLink._fields))
    if link.marks is None:
        found.unproved += names
        return
    digests = {
        table.name: chain.digests(rows)
        for table in RECORDS
        if (rows := [*_of_link(connection, table, number)])
    }
    text = chain.text(chain.head(link.writer, link.number, link.at, link.previous), digests)
    found.files[f"links/{link.writer}-{link.number}-{link.hash}.txt"] = text


def _of_link(connection: Connection, table: Table, link: int) -> Iterator[Sequence[Any]]:
    """The records of a table in a link: found by halves, as links grow with numbers."""
    if table is documents:
        yield from map(tuple, connection.execute(select(table).where(table.c.link == link)))
        return
    stored = STORED[table.name]
    key, of = stored.c[table.columns.keys()[0]], stored.c.link
    after = select(key, of).order_by(key).limit(1)
    low, high = 0, connection.execute(select(key).order_by(key.desc()).limit(1)).scalar() or 0
    while low < high:  # the first whose link is not smaller lies behind low, and not behind high
        middle = (low + high) // 2
        following = connection.execute(after.where(key > middle)).one()
        if following[1] < link:
            low = following[0]
        else:
            high = middle
    own = table.c[key.name]
    with connection.execute(select(table).where(own > low).order_by(own)) as rows:
        for row in rows:
            if row.link != link:
                return
            yield tuple(row)
