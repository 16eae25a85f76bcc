"""Why a hub's Service Users were told, or were not: finds the rows of the story."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select, true

from router.domain.timestamps import moment, rfc3339
from router.domain.words import QuarantineReason
from router.lanes.values import ClosedReason, DeliveryState
from router.ledger.database import Database
from router.ledger.queries.actions import ActionRow, closings
from router.ledger.queries.lists import QuarantineRow, in_quarantine, left_quarantine
from router.ledger.queries.story import (
    AlertTold,
    Attempted,
    Decided,
    DeliveryTold,
    FactTold,
    Grounds,
    Registered,
    StoryPart,
    WaitingFact,
)
from router.ledger.queries.wanted import SHOWN_STATE
from router.ledger.tables import (
    alerts,
    attempts,
    decisions,
    deliveries,
    evaluations,
    facts,
    lanes,
    outcomes,
)
from router.ports import Alert

_OPENS = {
    ClosedReason.SUSPENDED: "opens when service_users.yaml says active:",
    ClosedReason.USER_REMOVED: "opens when service_users.yaml has it again:",
    ClosedReason.ADAPTER_MISSING: "opens when its adapter is installed:",
    ClosedReason.ADAPTER_BROKEN: "opens when its adapter works again:",
    ClosedReason.CREDENTIALS: "mend the credentials, then `hubherald lanes resume`",
    ClosedReason.ENDPOINT: "mend the address, then `hubherald lanes resume`",
    ClosedReason.OPERATOR: "open it with `hubherald lanes resume`",
}


def why(
    database: Database, device_id: str, user: str | None = None, *, newest: int | None = None
) -> list[StoryPart]:
    """The story of a hub, in the order of receipt; of one user, where one is named.

    Of the `newest` facts only, where a number is given.
    """
    with database.transaction() as connection:
        rows = _facts(connection, device_id, newest)
        first = rows[0].id if rows else 0
        about = (facts.c.device_id == device_id) & (facts.c.id >= first)
        grounds = _grounds(connection, about)
        decided = _decisions(connection, about, user)
        mine = alerts.c.service_user_id == user if user else true()
        sent = _alerts(
            connection, (alerts.c.device_id == device_id) & (alerts.c.fact_id >= first) & mine
        )
        told: list[StoryPart] = []
        for row in rows:
            told.append(_fact(row))
            told += grounds[row.id]
            told += decided[row.id]
            told += sent[row.id]
        return [*told, *_waiting(connection, device_id)]


def alert_story(database: Database, alert_id: str) -> tuple[Alert, list[StoryPart]] | None:
    """One Alert, its deliveries and attempts; None when there is no such Alert."""
    with database.transaction() as connection:
        event = connection.execute(
            select(alerts.c.event).where(alerts.c.alert_id == alert_id)
        ).scalar_one_or_none()
        if event is None:
            return None
        sent = _alerts(connection, alerts.c.alert_id == alert_id)
        return Alert.from_event(event), [row for rows in sent.values() for row in rows]


def _facts(connection: Connection, device_id: str, newest: int | None) -> Sequence[Any]:
    statement = select(facts).where(facts.c.device_id == device_id).order_by(facts.c.id.desc())
    return list(connection.execute(statement.limit(newest)))[::-1]


def _fact(row: Any) -> FactTold:
    return FactTold(
        fact=row.id,
        source=row.source,
        event_id=row.event_id,
        type=row.type,
        device_id=row.device_id,
        origin=row.origin,
        received_at=moment(row.received_at),
        effect=row.effect,
        firmware_version=row.firmware_version,
        activated_at=None if row.activated_at is None else moment(row.activated_at),
        outcome=row.outcome,
    )


def _grounds(connection: Connection, about: ColumnElement[bool]) -> dict[int, list[StoryPart]]:
    statement = select(evaluations).join(facts, facts.c.id == evaluations.c.fact_id).where(about)
    found: dict[int, list[StoryPart]] = defaultdict(list)
    for row in connection.execute(statement):
        hub = json.loads(row.hub)
        found[row.fact_id].append(
            Grounds(
                row.fact_id,
                moment(row.decided_at),
                row.rules_digest,
                row.users_digest,
                hub["status"],
                hub["smets_version"],
                hub.get("replaced_by"),
            )
        )
        found[row.fact_id] += [_registered(row.fact_id, it) for it in json.loads(row.registrations)]
    return found


def _registered(fact: int, item: dict[str, str]) -> Registered:
    return Registered(
        fact,
        item["point"],
        item["mpxn"],
        item.get("supplier_id"),
        item.get("network_operator_id"),
        item["effective_from"],
        item.get("effective_to"),
    )


def _decisions(
    connection: Connection, about: ColumnElement[bool], user: str | None
) -> dict[int, list[StoryPart]]:
    statement = (
        select(decisions)
        .join(facts, facts.c.id == decisions.c.fact_id)
        .where(about)
        .order_by(decisions.c.id)
    )
    if user:
        statement = statement.where((decisions.c.party_id == user) | decisions.c.party_id.is_(None))
    found: dict[int, list[StoryPart]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.fact_id].append(
            Decided(
                row.fact_id,
                row.party_id,
                row.role,
                row.verdict,
                row.rule,
                row.reason,
                row.alert_code,
            )
        )
    return found


def _alerts(connection: Connection, which: ColumnElement[bool]) -> dict[int, list[StoryPart]]:
    """By fact: its Alerts, each with its deliveries, each with its attempts."""
    delivered = _deliveries(connection, which)
    found: dict[int, list[StoryPart]] = defaultdict(list)
    for row in connection.execute(select(alerts).where(which).order_by(alerts.c.id)):
        alert = Alert.from_event(row.event)
        found[row.fact_id].append(
            AlertTold(
                row.fact_id,
                row.alert_id,
                row.service_user_id,
                tuple(alert.roles),
                row.sequence,
                alert.alert_code,
                alert.decided_at,
            )
        )
        nowhere = "nothing: its user had no channel when this was decided"
        found[row.fact_id] += delivered[row.id] or [
            DeliveryTold(row.alert_id, row.service_user_id, None, None, 0, nowhere)
        ]
    return found


def _deliveries(connection: Connection, which: ColumnElement[bool]) -> dict[int, list[StoryPart]]:
    tried = _attempts(connection, which)
    statement = (
        select(deliveries, lanes, alerts.c.alert_id, alerts.c.device_id, SHOWN_STATE.label("shown"))
        .join(alerts, alerts.c.id == deliveries.c.alert)
        .join(lanes, lanes.c.id == deliveries.c.lane_id)
        .where(which)
        .order_by(deliveries.c.id)
    )
    found: dict[int, list[StoryPart]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.alert].append(
            DeliveryTold(
                row.alert_id,
                row.service_user_id,
                row.channel,
                row.shown,
                row.attempts,
                _next_step(row),
            )
        )
        found[row.alert] += tried.get(row.id, [])
    return found


def _attempts(connection: Connection, which: ColumnElement[bool]) -> dict[int, list[Attempted]]:
    """By delivery: its attempts with their answers, and ends that came without an attempt."""

    def of(table: Table) -> list[Any]:
        statement = (
            select(table, alerts.c.alert_id, lanes.c.channel)
            .join(deliveries, deliveries.c.id == table.c.delivery_id)
            .join(alerts, alerts.c.id == deliveries.c.alert)
            .join(lanes, lanes.c.id == deliveries.c.lane_id)
            .where(which)
            .order_by(table.c.id)
        )
        return list(connection.execute(statement))

    found: dict[int, list[Attempted]] = defaultdict(list)
    answers = {(row.delivery_id, row.attempt): row for row in of(outcomes) if row.attempt}
    for row in of(attempts):
        found[row.delivery_id].append(_attempt(row, answers.get((row.delivery_id, row.number))))
    for row in of(outcomes):
        if row.attempt is None:
            found[row.delivery_id].append(_attempt(row, row))
    for rows in found.values():
        rows.sort(key=lambda each: each.at)
    return found


def _attempt(row: Any, answer: Any) -> Attempted:
    return Attempted(
        alert=row.alert_id,
        channel=row.channel,
        number=None if row is answer else row.number,
        at=moment(row.at),
        outcome=answer.outcome if answer else None,
        reason=answer.reason if answer else None,
        detail=answer.detail if answer else None,
        answered_at=moment(answer.at) if answer else None,
    )


def _next_step(row: Any) -> str:
    if row.shown == DeliveryState.HELD:
        since = rfc3339(moment(row.closed_at))
        lane = f"{row.service_user_id} {row.channel}"
        if row.unnamed_at is not None:
            move = f"hubherald lanes move {row.service_user_id}/{row.channel} USER/CHANNEL"
            return f"held since {since}: service_users.yaml names no such channel; `{move}`"
        if row.closed_until is not None:
            end = rfc3339(moment(row.closed_until))
            return f"held: lane closed: {row.closed} since {since}; opens by itself at {end}"
        return f"held: lane closed: {row.closed} since {since}; {_OPENS[row.closed]} {lane}"
    if row.shown == DeliveryState.WAITING and row.attempts:
        return f"next attempt at {rfc3339(moment(row.due_at))}"
    return {
        DeliveryState.WITHDRAWN: "nothing: it was taken back, and its number is given to no other",
        DeliveryState.PARKED: f"parked: retry with `hubherald alerts retry --hub {row.device_id}`",
        DeliveryState.SENDING: f"is being sent (attempt {row.attempts})",
        DeliveryState.UNKNOWN: "is sent again: the router stopped before the answer came",
        DeliveryState.WAITING: "is sent as soon as it is its turn and the router runs",
    }.get(row.shown, "nothing is left to do")


def _waiting(connection: Connection, device_id: str) -> list[WaitingFact]:
    waiting = [
        _waiting_fact(row, _way_out(row), None) for row in in_quarantine(connection, device_id)
    ]
    left = left_quarantine(connection, device_id)
    ended = closings(connection, [row.id for row in left])
    waiting += [
        _waiting_fact(row, _way_back(row), _in_words(ended[row.id]))
        for row in left
        if row.id in ended
    ]
    return sorted(waiting, key=lambda row: row.id)


def _waiting_fact(row: QuarantineRow, next_step: str, closed: str | None) -> WaitingFact:
    return WaitingFact(
        row.id,
        row.source,
        row.event_id,
        row.type,
        row.reason,
        row.detail,
        row.received_at,
        next_step,
        closed,
    )


def _in_words(closing: ActionRow) -> str:
    why = f": {closing.reason}" if closing.reason else ""
    return f"closed by {closing.operator} at {rfc3339(closing.at)}{why}"


def _way_back(row: QuarantineRow) -> str:
    if row.reason in {QuarantineReason.UNKNOWN_HUB, QuarantineReason.NO_REGISTRATION}:
        return "nothing, unless its sender sends it again"
    return f"nothing; `hubherald quarantine show {row.id}` shows it"


def _way_out(row: QuarantineRow) -> str:
    if row.released:
        return "released: the router tries it again as soon as it runs"
    if row.reason == QuarantineReason.UNKNOWN_HUB:
        return "is decided by itself as soon as the hub is in the inventory"
    if row.reason == QuarantineReason.NO_REGISTRATION:
        return "is decided by itself with the hub's first registration, or after a while without"
    return f"waits for `hubherald quarantine release {row.id}`"
