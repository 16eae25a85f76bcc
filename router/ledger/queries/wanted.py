"""Which Alerts somebody means: filters, and how a large ledger finds what they let through.

Alerts are numbered as they are decided, so that a time is a range of numbers; by which rules they
were made stands in their wordings, of which there are few.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    TextClause,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    text,
    union_all,
)

from router.domain.timestamps import moment, rfc3339, stamp
from router.lanes.values import DeliveryState
from router.ledger.abbreviations import PLACES
from router.ledger.dialects import holds, member, numbers, text_of, texts, values_in
from router.ledger.lanes import PARKED, PENDING
from router.ledger.stored import stored_alerts, wordings
from router.ledger.tables import alerts, deliveries, documents, facts, lanes, outcomes

SHOWN_STATE: ColumnElement[str] = case(
    (
        deliveries.c.state.in_([DeliveryState.WAITING.value, DeliveryState.UNKNOWN.value])
        & lanes.c.closed.is_not(None),
        DeliveryState.HELD.value,
    ),
    else_=deliveries.c.state,
)
"""The state as people see it: what waits on a closed lane is held."""
SETTLED = (DeliveryState.DELIVERED, DeliveryState.PARKED, DeliveryState.WITHDRAWN)
"""States in which nothing more is done by itself."""
SET_BACK = timedelta(days=1)
"""How far the clock may have been set back while Alerts were numbered."""
_KEPT = 50
"""Ids that an action's record names; of more, how many."""
_DECIDED = (
    select(stored_alerts.c.decided_at)
    .where(stored_alerts.c.id >= bindparam("number"))
    .order_by(stored_alerts.c.id)
    .limit(1)
)

Clause = ColumnElement[bool] | TextClause


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are meant; what is None does not matter."""

    state: DeliveryState | None = None
    user: str | None = None
    hub: str | None = None
    since: datetime | None = None
    """Decided at this moment or later."""
    until: datetime | None = None
    """Decided before this moment."""
    channel: str | None = None
    version: str | None = None
    """About this firmware version."""
    rule: str | None = None
    """Made by this rule, in one role at least."""
    rules_digest: str | None = None
    """Decided under the rules whose digest begins so."""
    answer: str | None = None
    """The reason of the last answer, such as `server`; or of its end, where it was given up."""
    ids: Collection[str] | None = None
    """Alerts by id."""

    def clauses(self, connection: Connection) -> list[Clause]:
        """For a query over alerts, deliveries and lanes."""
        found: list[Clause] = [*self._states()]
        for column, value in (
            (alerts.c.service_user_id, self.user),
            (alerts.c.device_id, self.hub),
            (lanes.c.channel, self.channel),
        ):
            if value is not None:
                found.append(column == value)
        if self.version is not None:
            of_version = select(facts.c.id).where(facts.c.firmware_version == self.version)
            found.append(alerts.c.fact_id.in_(of_version))
        if self.ids is not None:
            found.append(alerts.c.alert_id.in_(texts(self.ids)))
        if self.answer is not None:
            found.append(_answered(self.answer))
        return found + list(self._times(connection)) + list(self._rules(connection))

    def said(self) -> dict[str, object]:
        """For the record of what was done under it; what does not matter is None."""
        ids: object = self.ids and (list(self.ids) if len(self.ids) <= _KEPT else len(self.ids))
        return {
            "state": self.state,
            "user": self.user,
            "hub": self.hub,
            "since": rfc3339(self.since) if self.since else None,
            "until": rfc3339(self.until) if self.until else None,
            "channel": self.channel,
            "version": self.version,
            "rule": self.rule,
            "rules_digest": self.rules_digest,
            "answer": self.answer,
            "alerts": ids,
        }

    def _states(self) -> Iterator[Clause]:
        if self.state is None:
            return
        yield SHOWN_STATE.in_([self.state.value])
        if self.state not in SETTLED:
            yield PENDING  # so that the partial index is used
        elif self.state is DeliveryState.PARKED:
            yield PARKED

    def _times(self, connection: Connection) -> Iterator[Clause]:
        since = self.since
        if since is None and (self.rule is not None or self.rules_digest is not None):
            since = _first_used(connection, self.rule, self.rules_digest)
        if since is not None:
            yield alerts.c.id >= _number_at(connection, since - SET_BACK)
        if self.since is not None:
            yield alerts.c.decided_at >= stamp(self.since)
        if self.until is not None:
            yield alerts.c.id < _number_at(connection, self.until + SET_BACK)
            yield alerts.c.decided_at < stamp(self.until)

    def _rules(self, connection: Connection) -> Iterator[Clause]:
        if self.rule is None and self.rules_digest is None:
            return
        of = stored_alerts.c
        worded = [number for number, data in _wordings(connection) if self._made(data)]
        whole = [of.wording_id.is_(None), *self._told_whole(text_of(of.event))]
        yield exists().where(
            of.id == alerts.c.id, or_(of.wording_id.in_(numbers(worded)), and_(*whole))
        )

    def _made(self, data: Mapping[str, Any]) -> bool:
        """Whether what an Alert says of its rules is meant."""
        named = self.rule is None or self.rule in data["rules"].values()
        return named and data["rules_digest"].startswith(self.rules_digest or "")

    def _told_whole(self, event: ColumnElement[str]) -> Iterator[Clause]:
        """The same, of one whose JSON stands by itself."""
        if self.rule is not None:
            named = values_in(event, "data", "rules")
            yield exists().where(named.c.value == self.rule)
        if self.rules_digest is not None:
            digest = member(event, "data", "rules_digest")
            yield func.substr(digest, 1, len(self.rules_digest)) == self.rules_digest


def chosen(
    connection: Connection, wanted: Filter, states: Iterable[DeliveryState]
) -> CompoundSelect[Any]:
    """Of the deliveries that are wanted, those in one of these states: id, alert, lane, state.

    What waits and what is parked are found by their own indexes, however much was delivered.
    """
    clauses = wanted.clauses(connection)
    states = set(states)
    parts = [
        (PENDING, states.difference(SETTLED)),
        (PARKED, states & {DeliveryState.PARKED}),
        (text("deliveries.state = 'delivered'"), states & {DeliveryState.DELIVERED}),
        (text("deliveries.state = 'withdrawn'"), states & {DeliveryState.WITHDRAWN}),
    ]
    return union_all(
        *(
            select(
                deliveries.c.id,
                deliveries.c.alert,
                deliveries.c.lane_id,
                SHOWN_STATE.label("shown"),
            )
            .join(alerts, alerts.c.id == deliveries.c.alert)
            .join(lanes, lanes.c.id == deliveries.c.lane_id)
            .where(stored, SHOWN_STATE.in_([each.value for each in of]), *clauses)
            for stored, of in parts
            if of
        )
    )


def _answered(reason: str) -> ColumnElement[bool]:
    ended = outcomes.c.attempt.is_(None) & deliveries.c.state.in_(["parked", "withdrawn"])
    return exists().where(
        outcomes.c.delivery_id == deliveries.c.id,
        outcomes.c.reason == reason,
        or_(outcomes.c.attempt == deliveries.c.attempts, ended),
    )


def _number_at(connection: Connection, at: datetime) -> int:
    """The first Alert that was decided then or later; where there is none, the next number."""
    newest = select(func.max(stored_alerts.c.id))
    first, behind = 0, 1 + (connection.execute(newest).scalar_one() or 0)
    while first < behind:
        middle = (first + behind) // 2
        decided = connection.execute(_DECIDED, {"number": middle}).scalar()
        if decided is None or decided >= stamp(at):
            behind = middle
        else:
            first = middle + 1
    return first


def _first_used(connection: Connection, rule: str | None, digest: str | None) -> datetime | None:
    """When rules went live that have this name or digest; None: never."""
    first = select(func.min(documents.c.first_used_at)).where(documents.c.kind == "rules")
    if rule is not None:
        first = first.where(holds(documents.c.content, rule))
    if digest is not None:
        first = first.where(func.substr(documents.c.digest, 1, len(digest)) == digest)
    found = connection.execute(first).scalar_one()
    return None if found is None else moment(found)


def _wordings(connection: Connection) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """What each wording says beside what Alerts have of their own."""
    for row in connection.execute(select(wordings)):
        yield row.id, json.loads(row.template % (("0",) * PLACES))["data"]
