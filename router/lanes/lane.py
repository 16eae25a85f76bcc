"""One lane: the way of the Alerts of one Service User through one channel.

A lane decides, without I/O, what it would send now and what an answer means: first sends start
in sequence order, at most `window` are in flight, and after a failure the lane rests and then the
oldest goes alone, so that nobody's outage makes a heap of attempts. An Alert that fails again while
others come through is set aside: its failures are its own, and hold nobody up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
    rest_until: datetime | None = None
    """Nothing is sent before: the lane fails, or the other side asked to be left alone."""
    alone: int | None = None
    """The request that went alone, by the id of its first delivery."""
    passes: int = 0
    """Requests that came through since the start."""
    failed: dict[int, int] = field(default_factory=dict)
    """By delivery that failed and waits: `passes` at that moment."""
    probes: int = 0
    probe_at: datetime | None = None
    ready: bool = True
    """There may be something to claim."""
    next_due: datetime | None = None
    idle_at: int | None = None
    """The version of the ledger at which nothing waited on it; None: something may wait."""
    claiming: bool = False
    """The ledger is claiming for it now."""
    in_flight: dict[int, Sequence[Claimed]] = field(default_factory=dict)
    """Requests under way, by the id of their first delivery."""
    bucket: TokenBucket = field(default_factory=TokenBucket)
    redact: Callable[[str], str] = str
    """Takes out of what the adapter says what nobody may see."""

    @property
    def batch(self) -> int:
        """How many Alerts one request takes."""
        return self.adapter.batch if self.adapter is not None else 1

    def wish(self, now: datetime, monotonic: float) -> Wish | None:
        """What this lane would send now; None when it is closed, full or has nothing due."""
        if not self.ready and (self.next_due is None or self.next_due > now):
            return None
        return self._room(now, monotonic)

    def offer(self, now: datetime, monotonic: float) -> Wish | None:
        """What it would send at once of what is being recorded: nothing may wait before that."""
        if self.idle_at is None or self.ready or self.failing or self.next_due is not None:
            return None
        return self._room(now, monotonic)

    def _room(self, now: datetime, monotonic: float) -> Wish | None:
        if self.closed is not None or self.adapter is None or self.claiming:
            return None
        if self.rest_until is not None and self.rest_until > now:
            return None
        room = self.channel.window - len(self.in_flight)
        if self.failing:
            room = 0 if self.in_flight else 1
        batch = most = self.batch
        rate = self.channel.rate
        if rate is not None:
            tokens = self.bucket.refill(
                monotonic, rate=_steady(rate, most), most=_burst(rate, most)
            )
            batch = min(batch, max(0, tokens))
            room = min(room, tokens // batch) if batch else 0
        if room < 1:
            return None
        busy = frozenset(
            each.delivery.alert.device_id for group in self.in_flight.values() for each in group
        )
        render = self.adapter.render if isinstance(self.adapter, Renders) else None
        hopeless, kind = self.failures > 0, self.channel.adapter
        span = self.channel.window * most
        failing, idle_at = self.failing, self.idle_at
        return Wish(
            self.id, room, batch, most, busy, failing, hopeless, kind, render, span, idle_at
        )

    def wait_for_rate(self) -> float | None:
        """Seconds until the rate allows another Alert; None where nothing is to be waited for."""
        rate = self.channel.rate
        if rate is None:
            return None
        return self.bucket.wait(rate=_steady(rate, self.batch)) or None

    def took(self, requests: Sequence[Sequence[Claimed]], next_due: datetime | None) -> None:
        """The ledger has claimed these of what waits."""
        self.claimed(requests)
        self.next_due = next_due
        self.ready = self.ready or bool(requests)

    def claimed(self, requests: Sequence[Sequence[Claimed]]) -> None:
        """These are under way from now on."""
        for group in requests:
            self.in_flight[group[0].id] = group
            if self.channel.rate is not None:
                self.bucket.take(len(group))
            self.alone = group[0].id if self.failing else None

    def look(self) -> None:
        """Something may wait: the ledger says what."""
        self.ready = True
        self.idle_at = None

    def answered(
        self, claimed: Sequence[Claimed], outcomes: Sequence[Outcome], now: datetime
    ) -> list[Settlement]:
        """What the answers mean for the deliveries, and for the lane."""
        self.in_flight.pop(claimed[0].id, None)
        if self.idle_at is None or not all(isinstance(each, Delivered) for each in outcomes):
            self.look()
        first = outcomes[0]
        own = self._learn(claimed, outcomes)
        pause = self._pause(claimed, outcomes, own, now)
        if isinstance(first, Refused) and len(claimed) > 1 and _all_refused(outcomes):
            return _halved(claimed, first, now)
        return [
            self._settlement(each, outcome, now, pause, aside=each.id in own)
            for each, outcome in zip(claimed, outcomes, strict=True)
        ]

    def _learn(self, claimed: Sequence[Claimed], outcomes: Sequence[Outcome]) -> frozenset[int]:
        """What the outcomes say of the lane; gives those that failed by their own fault.

        One request that fails is one failure, however many Alerts were in it. What was under way
        beside it and came through shows whose fault it is, and not that the lane is well again:
        that shows when what goes alone comes through.
        """
        alone, self.alone = self.alone == claimed[0].id, None
        retried = [
            each for each, outcome in zip(claimed, outcomes, strict=True) if _is(outcome, Retry)
        ]
        own = frozenset(
            each.id
            for each in retried
            if each.aside or self.passes > self.failed.get(each.id, self.passes)
        )
        self.passes += any(_is(outcome, Delivered) or _is(outcome, Refused) for outcome in outcomes)
        for each in claimed:
            self.failed.pop(each.id, None)
        if failed := {each.id for each in retried} - own:
            self.failed |= dict.fromkeys(failed, self.passes)
            self.failures += alone or not self.failing
            self.failing = True
        elif not any(_is(outcome, Closed) for outcome in outcomes) and (alone or not self.failing):
            self.failing = False
            self.failures = 0
            self.probes = 0
            self.rest_until = None
        return own

    def _pause(
        self,
        claimed: Sequence[Claimed],
        outcomes: Sequence[Outcome],
        own: frozenset[int],
        now: datetime,
    ) -> timedelta:
        """Until what failed is tried again; the lane rests as long where the fault is its own.

        What the other side asks for (Retry-After) it asks of the lane. Nothing rests past the
        time of what failed.
        """
        retries = [
            (each, outcome)
            for each, outcome in zip(claimed, outcomes, strict=True)
            if isinstance(outcome, Retry)
        ]
        if not retries:
            return timedelta()
        # attempts that a crash cut off say nothing of the other side
        attempts = max(
            each.attempt if each.id in own else min(each.attempt, self.failures)
            for each, _ in retries
        )
        asked = max((outcome.after or timedelta() for _, outcome in retries))
        pause = max(_spread(attempts), asked)
        latest = max(now, min(each.expires_at for each, _ in retries))
        if any(each.id not in own for each, _ in retries):
            self.rest_until = min(now + pause, latest)
        elif asked:
            self.rest_until = min(now + asked, latest)
        return pause

    def _settlement(
        self, each: Claimed, outcome: Outcome, now: datetime, pause: timedelta, *, aside: bool
    ) -> Settlement:
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
            case Retry(reason, detail):
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
                    aside,
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
                    None if parked else now + _spread(refusals),
                    refusals,
                    _by_itself(each) if each.batch is not None else None,
                    each.aside,
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
                    each.aside,
                )

    def unanswered(self, now: datetime) -> list[Settlement]:
        """What is still under way when the router stops: nobody knows whether it arrived."""
        detail = "the router stopped before the answer came"
        return [
            Settlement(
                each.id,
                "unknown",
                DeliveryState.UNKNOWN,
                now,
                each.attempt,
                "stopped",
                detail,
                now,
                each.refusals,
                each.batch,
                each.aside,
            )
            for group in self.in_flight.values()
            for each in group
        ]

    def move_along(self, step: timedelta) -> None:
        """The clock was set by `step`: all moments move with it."""
        self.next_due = self.next_due + step if self.next_due else None
        self.probe_at = self.probe_at + step if self.probe_at else None
        self.rest_until = self.rest_until + step if self.rest_until else None
        self.in_flight = {
            number: [replace(each, expires_at=each.expires_at + step) for each in group]
            for number, group in self.in_flight.items()
        }

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
        self.rest_until = None
        self.failing = self.failing or carefully
        self.look()


def _spread(attempt: int) -> timedelta:
    planned = SCHEDULE[min(attempt, len(SCHEDULE)) - 1]
    spread: Callable[[float, float], float] = random.uniform  # spreads load, guards no secret
    return timedelta(seconds=planned * spread(1 - JITTER, 1 + JITTER))


def _burst(rate: float, batch: int) -> float:
    """How many Alerts may go at once: sleeping is not exact, and a batch wants to be filled."""
    return max(1.0, rate * (0.1 if batch > 1 else 0.05))


def _steady(rate: float, batch: int) -> float:
    """What comes in a second, so that no second has more than `rate` and one."""
    return rate - _burst(rate, batch) + 1.0


def _is(outcome: Outcome, kind: type[Outcome]) -> bool:
    return isinstance(outcome, kind)


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
