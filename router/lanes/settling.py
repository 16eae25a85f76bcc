"""What an answer means for a delivery: its record and when it goes again. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from router.lanes.values import Claimed, DeliveryState, Settlement
from router.ports import Closed, Delivered, Outcome, Refused, Retry

SCHEDULE = (5.0, 30.0, 120.0, 240.0, 600.0, 1800.0, 3600.0)
"""Seconds from a failed attempt to the next; the last goes on for ever. DCC rules for Alerts that
can't be delivered ask for a retry within 300 s."""
JITTER = 0.2
REFUSALS = 3
"""A refused Alert is parked after so many tries."""


def spread(attempt: int) -> timedelta:
    """How long to wait after so many failures, not the same for all."""
    planned = SCHEDULE[min(attempt, len(SCHEDULE)) - 1]
    uniform: Callable[[float, float], float] = random.uniform  # spreads load, guards no secret
    return timedelta(seconds=planned * uniform(1 - JITTER, 1 + JITTER))


def settlement(
    each: Claimed, outcome: Outcome, now: datetime, pause: timedelta, *, aside: bool
) -> Settlement:
    """What became of it; `pause` and `aside` are what the lane made of a Retry."""
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
                None if parked else now + spread(refusals),
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


def unanswered(each: Claimed, now: datetime) -> Settlement:
    """It was under way when the router stopped: nobody knows whether it arrived."""
    return Settlement(
        each.id,
        "unknown",
        DeliveryState.UNKNOWN,
        now,
        each.attempt,
        "stopped",
        "the router stopped before the answer came",
        now,
        each.refusals,
        each.batch,
        each.aside,
    )


def halved(claimed: Sequence[Claimed], answer: Refused | Retry, now: datetime) -> list[Settlement]:
    """No Alert is blamed for its batch: each half is sent again until the guilty one is alone."""
    outcome = "refused" if isinstance(answer, Refused) else "retry"
    middle = (len(claimed) + 1) // 2
    settled = []
    for half in (claimed[:middle], claimed[middle:]):
        name = _by_itself(half[0])  # the old one would join the halves again
        settled += [
            Settlement(
                each.id,
                outcome,
                DeliveryState.WAITING,
                now,
                each.attempt,
                answer.reason.value,
                f"with {len(claimed) - 1} others: {answer.detail}",
                now,
                each.refusals,
                name,
                each.aside,
            )
            for each in half
        ]
    return settled


def _by_itself(first: Claimed) -> str:
    """The name of a new batch that begins with this one: in the form that the other side knows."""
    return f"{first.id}+{first.attempt}"
