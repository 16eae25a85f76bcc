"""What a batch of messages comes to, as values: made by the judgement, recorded whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from router.deciding.decisions import Decision, Due
from router.domain.facts import Activation, Defect, Fact, Hub, Registration
from router.domain.inventory import Inventory, RegistrationKey, Running
from router.domain.timestamps import stamp
from router.domain.words import QuarantineReason
from router.ports import Cursor, Message

FactKey = tuple[str, str]
ActivationKey = tuple[str, int, str, str]
"""Hub, activated_at, version, outcome: the same activation, whatever its event id."""


def activation_key(activation: Activation) -> ActivationKey:
    """What tells one activation from another."""
    return (
        activation.device_id,
        stamp(activation.activated_at),
        activation.firmware_version,
        activation.outcome.value,
    )


class Effect(StrEnum):
    """What a fact did."""

    DECIDED = "decided"
    APPLIED = "applied"
    STALE = "stale"  # an older one than what is stored: recorded, changes nothing


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message with the name of the source that brought it; or one released from quarantine."""

    message: Message
    intake: str
    received_at: datetime
    quarantined_id: int | None = None
    waits_as: QuarantineReason | None = None
    """Why it waited in quarantine; None where it did not."""
    waits_since: datetime | None = None
    """When it began to wait for that reason."""
    suspect: bool = False
    """It may have killed the router before, or made its engine fail: it is to be taken alone."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A fact that is taken into the ledger, and for activations what was decided."""

    fact: Fact
    arrival: Arrival
    effect: Effect
    grounds: tuple[Hub, tuple[Registration, ...]] | None = None
    decisions: tuple[Decision, ...] = ()
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that can't be used now."""

    arrival: Arrival
    reason: QuarantineReason
    detail: str
    found: Fact | Defect


@dataclass(slots=True)
class Batch:
    """What a batch of messages comes to; recorded whole."""

    decided_at: datetime
    accepted: list[Accepted] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    hubs: dict[str, tuple[Hub, datetime]] = field(default_factory=dict)
    registrations: dict[RegistrationKey, tuple[Registration, datetime]] = field(
        default_factory=dict
    )
    running: dict[str, Running] = field(default_factory=dict)
    cursors: dict[tuple[str, str], Cursor] = field(default_factory=dict)
    resolved: list[int] = field(default_factory=list)
    """Quarantine rows that need to wait no longer."""
    more: bool = False
    """Something may leave quarantine behind it: for its hubs, or what it has put there itself."""
    noted: Sequence[Arrival] = ()
    """What was noted before it was taken up; the notes go with the commit."""
    following: Sequence[Arrival] = ()
    """What is taken up next, at once: its notes come with the commit."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says about the facts and hubs of a batch."""

    taken: dict[FactKey, str]
    """Content digests of facts that are in the ledger."""
    waiting: dict[FactKey, str]
    """Content digests of good facts that wait in quarantine."""
    activations: set[ActivationKey]
    """Those that somebody could be told about: they are not decided again."""
    inventory: Inventory
    held: Mapping[str, bool] = field(default_factory=dict)
    """Hubs for which others wait in quarantine; True where registrations await their turn."""


@dataclass(frozen=True, slots=True)
class LaneOfUser:
    """Where Alerts of a user go: one lane for each channel."""

    id: int
    hold: timedelta
    """How long after the decision an undelivered Alert is parked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Under what a batch was decided, and where its Alerts go."""

    dcc_id: str
    rules_digest: str
    users_digest: str
    lanes: Mapping[str, Sequence[LaneOfUser]]
    """By Service User."""


Note = tuple[str, str]
"""The source that brought it and the SHA-256 of its body: what is known without parsing."""


def note_of(arrival: Arrival) -> Note:
    """Under what a message is noted."""
    return (arrival.intake, arrival.message.digest)
