"""The story of a hub in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch

from router.cli.naming import beside_ids
from router.cli.printing import line, shown
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


def tell(told: Sequence[StoryPart], names: Mapping[str, str]) -> None:
    """Print the story, what belongs together indented below what it belongs to.

    `names` are those of Service Users, by id.
    """
    for number, row in enumerate(told):
        if number and isinstance(row, FactTold | WaitingFact):
            line("")
        for text in _lines(row):
            line(beside_ids(text, names))


@singledispatch
def _lines(row: StoryPart) -> list[str]:
    raise TypeError(f"no words for {type(row).__name__}")


@_lines.register
def _fact(row: FactTold) -> list[str]:
    what = row.type
    if row.firmware_version is not None:
        what = f"{row.type}: {row.firmware_version} {row.outcome} at {shown(row.activated_at)}"
    return [
        f"fact {row.event_id} of {row.source}: {what}",
        f"  received {shown(row.received_at)} from {row.origin}; {row.effect}",
    ]


@_lines.register
def _grounds(row: Grounds) -> list[str]:
    replaced = f", replaced by {row.replaced_by}" if row.replaced_by else ""
    return [
        f"  decided {shown(row.decided_at)} under rules {row.rules_digest[:12]}, "
        f"users {row.users_digest[:12]}",
        f"  hub then: {row.status}, {row.smets_version}{replaced}",
    ]


@_lines.register
def _registered(row: Registered) -> list[str]:
    from router.domain.inventory import until

    return [
        f"  registered then: {row.point} {row.mpxn} from {row.effective_from}"
        f"{until(row.effective_to)}: supplier {shown(row.supplier_id)}, "
        f"operator {shown(row.network_operator_id)}"
    ]


@_lines.register
def _decided(row: Decided) -> list[str]:
    who = f"{row.service_user_id} as {row.role}" if row.service_user_id else "nobody"
    by = f" by rule {row.rule}" if row.rule else ""
    code = f", Alert {row.alert_code}" if row.alert_code else ""
    why = f": {row.reason}" if row.reason else ""
    return [f"  {who}: {row.verdict.replace('_', ' ')}{by}{code}{why}"]


@_lines.register
def _alert(row: AlertTold) -> list[str]:
    return [
        f"  Alert {row.id}: {row.alert_code} to {row.service_user_id} as {' '.join(row.roles)}, "
        f"sequence {row.sequence}"
    ]


@_lines.register
def _delivery(row: DeliveryTold) -> list[str]:
    channel = f"channel {row.channel}: {row.state}" if row.channel else "no channel"
    return [f"    {channel}; next: {row.next_step}"]


@_lines.register
def _attempted(row: Attempted) -> list[str]:
    name = f"attempt {row.number}" if row.number is not None else "then"
    said = " ".join(part for part in (row.reason, row.detail) if part)
    outcome = f"{row.outcome}{': ' + said if said else ''}" if row.outcome else "no answer yet"
    return [f"      {name}, {shown(row.at)}: {outcome}"]


@_lines.register
def _waiting(row: WaitingFact) -> list[str]:
    kind = row.type or "a body of unknown type"
    where = "was in quarantine" if row.closed else "in quarantine"
    return [
        f"{where}, number {row.id}: {kind}, received {shown(row.received_at)}",
        f"  {row.reason}: {row.detail}",
        *([f"  {row.closed}"] if row.closed else []),
        f"  next: {row.next_step}",
    ]
