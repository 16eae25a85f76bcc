"""Why a hub's Service Users were told, or were not: everything the ledger knows, in order.

The story is a flat list of rows, each of one kind: a fact, the grounds on which it was decided,
a decision for each candidate, its Alerts, their deliveries, their attempts; at last what waits
in quarantine. Text and JSON are made of the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FactTold:
    """A fact about the hub."""

    kind: ClassVar[str] = "fact"
    fact: int
    """Its number in the ledger; rows that belong to it carry it too."""
    source: str
    event_id: str
    type: str
    device_id: str
    origin: str
    received_at: datetime
    effect: str
    firmware_version: str | None
    activated_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Grounds:
    """On what an activation was decided."""

    kind: ClassVar[str] = "grounds"
    fact: int
    decided_at: datetime
    rules_digest: str
    users_digest: str
    status: str
    smets_version: str
    replaced_by: str | None
    """The hub as it was then."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration that was in effect then."""

    kind: ClassVar[str] = "registration"
    fact: int
    point: str
    mpxn: str
    supplier_id: str | None
    network_operator_id: str | None
    effective_from: str
    effective_to: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """The verdict on one candidate."""

    kind: ClassVar[str] = "decision"
    fact: int
    service_user_id: str | None
    role: str | None
    verdict: str
    rule: str | None
    reason: str | None
    alert_code: str | None


@dataclass(frozen=True, slots=True)
class AlertTold:
    """An Alert that followed."""

    kind: ClassVar[str] = "alert"
    fact: int
    id: str
    service_user_id: str
    roles: Sequence[str]
    sequence: int
    alert_code: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryTold:
    """Where the Alert stands on one channel."""

    kind: ClassVar[str] = "delivery"
    alert: str
    service_user_id: str
    channel: str | None
    state: str | None
    attempts: int
    next_step: str


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt and what came of it, or an end without an attempt (`number` is None)."""

    kind: ClassVar[str] = "attempt"
    alert: str
    channel: str
    number: int | None
    at: datetime
    outcome: str | None
    """None: no answer yet."""
    reason: str | None
    detail: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A fact about the hub that waits in quarantine, or was closed there."""

    kind: ClassVar[str] = "quarantined"
    id: int
    source: str | None
    event_id: str | None
    type: str | None
    reason: str
    detail: str
    received_at: datetime
    next_step: str
    closed: str | None = None
    """When, by whom and why an operator closed it; None: it waits."""


StoryPart = (
    FactTold | Grounds | Registered | Decided | AlertTold | DeliveryTold | Attempted | WaitingFact
)
