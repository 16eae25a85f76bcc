"""One lane: the way of the Alerts of one Service User through one channel.

A lane decides, without I/O, what it would send now and what an answer means: first sends start
in sequence order, at most `window` are in flight, and after a failure the oldest goes alone
until it is through, so that nobody's outage makes a heap of attempts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.domain.users import Channel
from router.lanes.values import Claimed, ClosedReason, DeliveryState, Settlement, Wish
from router.ports import Adapter, Closed, Delivered, Options, Outcome, Refused, Renders, Retry
from router.rate import TokenBucket

SCHEDULE = (5.0, 30.0, 120.0, 240.0, 600.0, 1800.0, 3600.0)
"""Seconds from a failed attempt to the next; the last goes on for ever. DCC rules for Alerts that
can't be delivered ask for a retry within 300 s."""
JITTER = 0.2
REFUSALS = 3
"""A refused Alert is parked after so many tries."""
PROBE = (60.0, 120.0, 300.0, 900.0, 1800.0)
"""Seconds after which a lane that closed by itself tries its oldest Alert again."""


@dataclass(slots=True)
class Lane:
    """The state of one lane between transactions."""

    id: int
    service_user_id: str
    channel: Channel
    adapter: Adapter[Options] | None
    closed: ClosedReason | None = None
    failing: bool = False
    failures: int = 0
    """Sends in vain since one came through; those that were under way together count as one."""
    alone: bool = False
    """What went last went while the lane was failing."""
    probes: int = 0
    probe_at: datetime | None = None
    ready: bool = True
    """There may be something to claim."""
    next_due: datetime | None = None
    in_flight: dict[int, Sequence[Claimed]] = field(default_factory=dict)
    """Requests under way, by the id of their first delivery."""
    bucket: TokenBucket = field(default_factory=TokenBucket)

    @property
    def batch(self) -> int:
        """How many Alerts one request takes."""
        return self.adapter.batch if self.adapter is not None else 1

    def wish(self, now: datetime, monotonic: float) -> Wish | None:
        """What this lane would send now; None when it is closed, full or has nothing due."""
        if self.closed is not None or self.adapter is None:
            return None
        if not self.ready and (self.next_due is None or self.next_due > now):
            return None
        room = self.channel.window - len(self.in_flight)
        if self.failing:
            room = 0 if self.in_flight else 1
        batch = most = self.batch
        rate = self.channel.rate
        if rate is not None:  # what it leaves over is saved up for a second
            tokens = self.bucket.refill(monotonic, rate=rate, most=rate)
            batch = min(batch, tokens)
            room = min(room, tokens // batch) if batch else 0
        if room < 1:
            return None
        busy = frozenset(
            each.delivery.alert.device_id for group in self.in_flight.values() for each in group
        )
        render = self.adapter.render if isinstance(self.adapter, Renders) else None
        hopeless, kind = self.failures > 0, self.channel.adapter
        return Wish(self.id, room, batch, most, busy, self.failing, hopeless, kind, render)

    def wait_for_rate(self) -> float | None:
        """Seconds until the rate allows another Alert; None where nothing is to be waited for."""
        rate = self.channel.rate
        return (self.bucket.wait(rate=rate) or None) if rate is not None else None

    def took(self, requests: Sequence[Sequence[Claimed]], next_due: datetime | None) -> None:
        """The ledger has claimed these for the lane."""
        for group in requests:
            self.in_flight[group[0].id] = group
            self.bucket.take(len(group))
            self.alone = self.failing
        self.next_due = next_due
        self.ready = self.ready or bool(requests)

    def answered(
        self, claimed: Sequence[Claimed], outcomes: Sequence[Outcome], now: datetime
    ) -> list[Settlement]:
        """What the answers mean for the deliveries, and for the lane."""
        self.in_flight.pop(claimed[0].id, None)
        self.ready = True
        first = outcomes[0]
        self._learn(outcomes)
        if isinstance(first, Refused) and len(claimed) > 1 and _all_refused(outcomes):
            return _halved(claimed, first, now)
        return [
            self._settlement(each, outcome, now)
            for each, outcome in zip(claimed, outcomes, strict=True)
        ]

    def _learn(self, outcomes: Sequence[Outcome]) -> None:
        """One request that fails is one failure, however many Alerts were in it."""
        if any(isinstance(outcome, Retry) for outcome in outcomes):
            self.failures += self.alone or not self.failing
            self.failing = True
        elif not any(isinstance(outcome, Closed) for outcome in outcomes):
            self.failing = False
            self.failures = 0
            self.probes = 0

    def _settlement(self, each: Claimed, outcome: Outcome, now: datetime) -> Settlement:
        match outcome:
            case Delivered(receipt):
                return Settlement(
                    each.id,
                    "delivered",
                    DeliveryState.DELIVERED,
                    now,
                    each.attempt,
                    detail=receipt,
                    refusals=each.refusals,
                    batch=each.batch,
                )
            case Retry(reason, detail, after):
                # attempts that a crash cut off say nothing of the other side
                pause = _pause(min(each.attempt, self.failures), after)
                due = min(now + pause, max(each.expires_at, now))
                return Settlement(
                    each.id,
                    "retry",
                    DeliveryState.WAITING,
                    now,
                    each.attempt,
                    reason.value,
                    detail,
                    due,
                    each.refusals,
                    each.batch,
                )
            case Refused(reason, detail):
                refusals = each.refusals + 1
                parked = refusals >= REFUSALS
                return Settlement(
                    each.id,
                    "parked" if parked else "refused",
                    DeliveryState.PARKED if parked else DeliveryState.WAITING,
                    now,
                    each.attempt,
                    reason.value,
                    detail,
                    None if parked else now + _pause(refusals, None),
                    refusals,
                    _by_itself(each) if each.batch is not None else None,
                )
            case Closed(closed, detail):
                return Settlement(
                    each.id,
                    "closed",
                    DeliveryState.WAITING,
                    now,
                    each.attempt,
                    closed.value,
                    detail,
                    now,
                    each.refusals,
                    each.batch,
                )

    def close(self, reason: ClosedReason, now: datetime) -> None:
        """Nothing is claimed any more; a lane that closed by itself is tried again later."""
        self.closed = reason
        self.probe_at = None
        if reason in {ClosedReason.CREDENTIALS, ClosedReason.ENDPOINT}:
            pause = PROBE[min(self.probes, len(PROBE) - 1)]
            self.probe_at = now + timedelta(seconds=pause)
            self.probes += 1

    def open(self, *, carefully: bool) -> None:
        """Claim again; carefully: the oldest goes alone first."""
        self.closed = None
        self.probe_at = None
        self.failing = self.failing or carefully
        self.ready = True


def _pause(attempt: int, after: timedelta | None) -> timedelta:
    planned = SCHEDULE[min(attempt, len(SCHEDULE)) - 1]
    spread: Callable[[float, float], float] = random.uniform  # spreads load, guards no secret
    pause = timedelta(seconds=planned * spread(1 - JITTER, 1 + JITTER))
    return max(pause, after) if after is not None else pause


def _all_refused(outcomes: Sequence[Outcome]) -> bool:
    return all(isinstance(outcome, Refused) for outcome in outcomes)


def _by_itself(first: Claimed) -> str:
    """The name of a new batch that begins with this one: in the form that the other side knows."""
    return f"{first.id}+{first.attempt}"


def _halved(claimed: Sequence[Claimed], refused: Refused, now: datetime) -> list[Settlement]:
    """No Alert is blamed for its batch: each half is sent again until the guilty one is alone."""
    middle = (len(claimed) + 1) // 2
    settled = []
    for half in (claimed[:middle], claimed[middle:]):
        name = _by_itself(half[0])  # the old one would join the halves again
        settled += [
            Settlement(
                each.id,
                "refused",
                DeliveryState.WAITING,
                now,
                each.attempt,
                refused.reason.value,
                f"with {len(claimed) - 1} others: {refused.detail}",
                now,
                each.refusals,
                name,
            )
            for each in half
        ]
    return settled
