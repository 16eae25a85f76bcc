"""What passes between lanes, the relay and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from router.domain.inventory import Inventory
    from router.ports import Alert, Delivery, Outcome


class ClosedReason(StrEnum):
    """Why a lane is closed."""

    SUSPENDED = "suspended"
    USER_REMOVED = "user_removed"
    CREDENTIALS = "credentials"
    ENDPOINT = "endpoint"
    OPERATOR = "operator"
    ADAPTER_MISSING = "adapter_missing"


BY_FILES = frozenset(
    {ClosedReason.SUSPENDED, ClosedReason.USER_REMOVED, ClosedReason.ADAPTER_MISSING}
)
"""Reasons that an operator's command can't take away."""


class DeliveryState(StrEnum):
    """Where a delivery stands. `held` is not stored: it is `waiting` on a closed lane."""

    WAITING = "waiting"
    SENDING = "sending"
    UNKNOWN = "unknown"
    """A crash came between the attempt and its answer; it is sent again."""
    DELIVERED = "delivered"
    PARKED = "parked"
    HELD = "held"
    WITHDRAWN = "withdrawn"


LaneKey = tuple[str, str]
"""A user's id and the name of its channel."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a lane got when its channel took over from one that went."""

    lane_id: int
    """The lane that had it before."""
    channel: str
    deliveries: int
    paused: bool
    """An operator had paused that lane: then this one is paused."""


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane as the ledger knows it."""

    id: int
    service_user_id: str
    channel: str
    closed: ClosedReason | None
    failing: bool
    """The last answers were failures: the oldest goes alone until it is through."""
    rest_until: datetime | None = None
    """Nothing is sent before."""
    named: bool = True
    """service_users.yaml has this channel, as it was last taken up."""
    waiting: int = 0
    oldest: datetime | None = None
    """When the oldest that waits was decided; None when nothing waits."""
    took_over: TakenOver | None = None
    """What it has just got from another lane."""


@dataclass(frozen=True, slots=True)
class LaneChange:
    """A lane that opens or closes."""

    lane_id: int
    closed: ClosedReason | None
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery with the attempt that is written for it."""

    id: int
    lane_id: int
    delivery: Delivery
    received_at: datetime
    """When the fact came that the Alert is about."""
    attempt: int
    refusals: int
    expires_at: datetime
    batch: str | None
    aside: bool = False
    """It failed while others came through: its failures are its own."""
    unrendered: Outcome | None = None
    """What to answer when there are no bytes to send: the adapter could not make them."""
    again: bool = False
    """It was delivered before, and an operator has it sent once more."""

    @property
    def on_its_own(self) -> bool:
        """Whether it holds nobody up: it was refused, or set aside."""
        return self.refusals > 0 or self.aside

    @property
    def tries(self) -> int:
        """How often it went as it goes now: once where it was parted from its batch before."""
        parted = self.batch is not None and self.batch.endswith(f"+{self.attempt - 1}")
        return 1 if parted else self.attempt


@dataclass(frozen=True, slots=True)
class Wish:
    """What a lane would take now."""

    lane_id: int
    sends: int
    """How many requests it has room for."""
    batch: int
    """How many Alerts one request may have now."""
    most: int
    """How many Alerts the adapter takes in one request, whatever the rate allows now."""
    busy_hubs: frozenset[str]
    """Hubs with an Alert in flight: never two for one hub."""
    span: int
    """Nothing starts that is so many or more ahead, in the sequence, of what is unanswered."""
    oldest: int | None
    """The sequence of the oldest Alert in flight, but for what holds nobody up."""
    failing: bool
    """The oldest goes alone until it is through."""
    hopeless: bool
    """A send has failed since the start: what is past its time need not be tried to be parked."""
    adapter: str
    """The kind of what sends: forms that another kind has sent are not its own."""
    render: Callable[[Alert], bytes | Outcome] | None
    """Makes the bytes to send where they are not the Alert's JSON, or says why it could not."""
    on_their_own: int = 1
    """How many requests may be of what was refused or set aside: the room is not theirs alone."""
    meanwhile: datetime | None = None
    """The oldest has failed again and rests until then: another is tried meanwhile."""
    idle_at: int | None = None
    """The version of the ledger at which nothing waited on the lane; None: something may wait."""

    def bound(self, first: int) -> int:
        """The sequence from which on nothing starts while `first`, the next, is unanswered."""
        return (first if self.oldest is None else min(first, self.oldest)) + self.span


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a delivery: the record, and its new state."""

    id: int
    outcome: str
    state: DeliveryState
    at: datetime
    attempt: int | None = None
    reason: str | None = None
    detail: str | None = None
    due_at: datetime | None = None
    refusals: int = 0
    batch: str | None = None
    aside: bool = False

    def moved_along(self, step: timedelta) -> Self:
        """The same, after the clock was set by `step`: when it is due moves, what was stays."""
        return self if self.due_at is None else replace(self, due_at=self.due_at + step)


@dataclass(frozen=True, slots=True)
class LaneAnswer:
    """What the other side of a lane said last, and what that means for it."""

    words: str
    rest_until: datetime | None
    """Nothing is sent before."""


@dataclass(frozen=True, slots=True)
class News:
    """What came back from the other sides of lanes, until it is in the ledger."""

    settled: Sequence[Settlement] = ()
    answers: Mapping[int, LaneAnswer] = field(default_factory=dict)
    """By lane."""
    changes: Sequence[LaneChange] = ()

    def __bool__(self) -> bool:
        return bool(self.settled or self.answers or self.changes)


@dataclass(frozen=True, slots=True)
class Offer:
    """What lanes have for whoever writes to the ledger next."""

    wishes: Mapping[int, Wish] = field(default_factory=dict)
    """By lane on which nothing waits: what it would send at once."""
    news: News = field(default_factory=News)
    """What is written with the same commit."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the relay may send now, and when to look again."""

    sends: Mapping[int, Sequence[Sequence[Claimed]]]
    """By lane: each inner sequence is one request."""
    next_due: Mapping[int, datetime | None]
    """By lane that wished: when its next delivery is due; None when nothing waits."""
    ended: Mapping[int, Sequence[Settlement]]
    """By lane: deliveries that were parked because their time was up, or withdrawn."""
    idle_at: Mapping[int, int]
    """By lane on which no more waits: the version of the ledger that this is true of."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the transaction that recorded a batch of facts did that others want to hear of."""

    lanes: frozenset[int]
    """With new deliveries that wait."""
    sends: Mapping[int, Sequence[Sequence[Claimed]]]
    """By lane: new deliveries that were claimed at once; each inner sequence is one request."""
    alerts: int
    before: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By note, how often what is taken up next had been noted before."""


Withdrawn = Callable[["Inventory", Sequence[tuple[str, str]]], set[tuple[str, str]]]
"""Of (hub, user) pairs, those whose user is no longer responsible for the hub."""
