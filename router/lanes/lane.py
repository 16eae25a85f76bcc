"""One lane: the way of the Alerts of one Service User through one channel.

A lane decides, without I/O, what it would send now and what an answer means: first sends start
in sequence order, less than `window` ahead of what is unanswered, and after a failure the lane
rests and then the oldest goes alone, so that nobody's outage makes a heap of attempts. Where that
fails again, a few others are tried, one after another: if one comes through, the lane is well, and
what fails then is set aside. Its failures are its own, and hold nobody up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import cast

from router.domain.users import Channel
from router.lanes.settling import halved, settlement, spread, unanswered
from router.lanes.values import Claimed, ClosedReason, Settlement, Wish
from router.ports import Adapter, Alert, Delivered, Options, Outcome, Refused, Renders, Retry
from router.rate import TokenBucket

OTHERS = (4, 8, 16, 32)
"""How many others are tried each time that the oldest has failed again; the last goes on. Twice as
many each time, as a whole run of Alerts may be bad; not more, as the other side may be down."""
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
    """Times that the oldest failed since one came through; those that were under way together
    count as one, and others that are tried for it not at all."""
    rest_until: datetime | None = None
    """Nothing is sent before, but for `others`: the lane fails, or is asked to be left alone."""
    asked_until: datetime | None = None
    """The other side has asked to be left alone; whatever comes through does not end that."""
    others: int = 0
    """How many may still be tried, one by one, to see whether the fault is the oldest's own."""
    alone: int | None = None
    """The request that went alone, by the id of its first delivery."""
    another: bool = False
    """What went alone was one of the others."""
    passes: int = 0
    """Requests that came through since the start."""
    failed: dict[int, int] = field(default_factory=dict)
    """By delivery that failed and waits: `passes` when it did; of what is set aside, when it had
    failed the last time before, or when it was parted from others."""
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
        meanwhile = _still(self.rest_until, now)
        if meanwhile is not None and not self.tries_others(now):
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
        flying = [each for group in self.in_flight.values() for each in group]
        mine = sum(group[0].on_its_own for group in self.in_flight.values())
        unanswered = [each.delivery.alert.sequence for each in flying if not each.on_its_own]
        return Wish(
            self.id,
            room,
            batch,
            most,
            frozenset(each.delivery.alert.device_id for each in flying),
            span=self.channel.window * most,
            oldest=min(unanswered, default=None),
            failing=self.failing,
            hopeless=self.failures > 0,
            adapter=self.channel.adapter,
            render=_render(self.adapter),
            on_their_own=max(0, max(1, self.channel.window // 2) - mine),
            meanwhile=meanwhile,
            idle_at=self.idle_at,
        )

    def tries_others(self, now: datetime) -> bool:
        """Whether it goes on though it rests."""
        return self.others > 0 and _still(self.asked_until, now) is None

    def wait_for_rate(self) -> float | None:
        """Seconds until the rate allows another Alert; None where nothing is to be waited for."""
        rate = self.channel.rate
        if rate is None:
            return None
        return self.bucket.wait(rate=_steady(rate, self.batch)) or None

    def took(
        self,
        requests: Sequence[Sequence[Claimed]],
        next_due: datetime | None,
        *,
        another: bool = False,
        idle_at: int | None = None,
    ) -> None:
        """The ledger has claimed these of what waits; `another`: one that is not the oldest.

        `idle_at` is the version of the ledger at which no more waits than these.
        """
        self.claimed(requests)
        self.another = another and self.alone is not None
        self.others -= self.another
        self.next_due = next_due
        self.ready = self.ready or (bool(requests) and idle_at is None)
        self.idle_at = None if self.ready else idle_at

    def claimed(self, requests: Sequence[Sequence[Claimed]]) -> None:
        """These are under way from now on."""
        for group in requests:
            self.in_flight[group[0].id] = group
            if self.channel.rate is not None:
                self.bucket.take(len(group))
            self.alone = group[0].id if self.failing and len(self.in_flight) == 1 else None

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
        parts = len(claimed) > 1 and self._parts(claimed, outcomes)
        own = self._learn(claimed, outcomes, now, parts=parts)
        pause = self._pause(claimed, outcomes, own, now)
        if parts and isinstance(first, Refused | Retry):
            return halved(claimed, first, now)
        return [
            settlement(each, outcome, now, pause, aside=each.id in own)
            for each, outcome in zip(claimed, outcomes, strict=True)
        ]

    def _parts(self, claimed: Sequence[Claimed], outcomes: Sequence[Outcome]) -> bool:
        """Whether the batch goes on in halves: it was refused, so it was not taken; or it was set
        aside, as others came through, and has failed again."""
        if all(isinstance(outcome, Refused) for outcome in outcomes):
            return True
        failed = all(isinstance(outcome, Retry) for outcome in outcomes)
        return failed and all(each.aside and self._came_since(each) for each in claimed)

    def _came_since(self, each: Claimed) -> bool:
        """Whether anything came through since this failed."""
        return self.passes > self.failed.get(each.id, self.passes)

    def _learn(
        self,
        claimed: Sequence[Claimed],
        outcomes: Sequence[Outcome],
        now: datetime,
        *,
        parts: bool,
    ) -> frozenset[int]:
        """What the outcomes say of the lane; gives those that failed by their own fault.

        One request that fails is one failure, however many Alerts were in it. What was under way
        beside it and came through shows whose fault it is, and not that the lane is well again:
        that shows when what goes alone comes through.
        """
        alone, self.alone = self.alone == claimed[0].id, None
        retried = [
            each for each, outcome in zip(claimed, outcomes, strict=True) if _is(outcome, Retry)
        ]
        own = frozenset(each.id for each in retried if each.aside or self._came_since(each))
        came = any(_is(outcome, Delivered) or _is(outcome, Refused) for outcome in outcomes)
        self.passes += came
        for each in claimed:
            if each.id not in own or parts:
                self.failed.pop(each.id, None)
        for each in retried:
            self.failed.setdefault(each.id, self.passes)
        if {each.id for each in retried} - own:
            self._fails(alone=alone)
        elif (came or any(not each.aside for each in retried)) and (alone or not self.failing):
            self._is_well(now)
        return own

    def _fails(self, *, alone: bool) -> None:
        if self.failing and not (alone and not self.another):
            return
        self.failing = True
        self.failures += 1
        again = self.failures - 2
        self.others = OTHERS[min(again, len(OTHERS) - 1)] if again >= 0 else 0

    def _is_well(self, now: datetime) -> None:
        self.failing = False
        self.failures = self.others = self.probes = 0
        self.rest_until = _still(self.asked_until, now)

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
            each.tries if each.id in own else min(each.attempt, self.failures)
            for each, _ in retries
        )
        asked = max((outcome.after or timedelta() for _, outcome in retries))
        pause = max(spread(attempts), asked)
        latest = max(now, min(each.expires_at for each, _ in retries))
        if asked:
            self.asked_until = _later(self.asked_until, min(now + asked, latest))
            self.rest_until = _later(self.rest_until, self.asked_until)
        if any(each.id not in own for each, _ in retries):
            self.rest_until = _later(self.rest_until, min(now + pause, latest))
        return pause

    def unanswered(self, now: datetime) -> list[Settlement]:
        """What is still under way when the router stops."""
        return [unanswered(each, now) for group in self.in_flight.values() for each in group]

    def move_along(self, step: timedelta) -> None:
        """The clock was set by `step`: all moments move with it."""
        self.next_due = self.next_due + step if self.next_due else None
        self.probe_at = self.probe_at + step if self.probe_at else None
        self.rest_until = self.rest_until + step if self.rest_until else None
        self.asked_until = self.asked_until + step if self.asked_until else None
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
        self.rise()
        self.others = 0
        self.failing = self.failing or carefully
        self.look()

    def rise(self) -> None:
        """It need not rest any more: an operator, or a new adapter, has seen to it."""
        self.rest_until = self.asked_until = None


def _still(moment: datetime | None, now: datetime) -> datetime | None:
    """The same where it is still to come."""
    return moment if moment is not None and moment > now else None


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def _burst(rate: float, batch: int) -> float:
    """How many Alerts may go at once: sleeping is not exact, and a batch wants to be filled."""
    return max(1.0, rate * (0.1 if batch > 1 else 0.05))


def _steady(rate: float, batch: int) -> float:
    """What comes in a second, so that no second has more than `rate` and one."""
    return rate - _burst(rate, batch) + 1.0


def _is(outcome: Outcome, kind: type[Outcome]) -> bool:
    return isinstance(outcome, kind)


def _render(adapter: Adapter[Options]) -> Callable[[Alert], bytes] | None:
    """What makes its bytes, where they are not the Alert's JSON."""
    return cast(Renders, adapter).render if _renders(type(adapter)) else None


@cache
def _renders(kind: type[object]) -> bool:
    """Whether such adapters render. A look at a protocol costs more than all else of a wish."""
    return issubclass(kind, Renders)
