"""What a lane sends next: from the deliveries that wait on it to requests. Pure.

First sends start in sequence order, never two for one hub; a batch that was sent once goes again
as it was; nothing passes one that must wait, but for those that were refused: a refusal is the
Alert's own.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.timestamps import moment, stamp
from router.lanes.values import DeliveryState, Settlement, Wish


class WaitingDelivery(NamedTuple):
    """A delivery that may go out; moments are stamps."""

    id: int
    sequence: int
    attempts: int
    refusals: int
    due_at: int
    expires_at: int
    batch: str | None
    """What went together the last time has the same; None: it went alone, if it went at all."""
    sent: bool
    """This adapter may have sent it already: it goes again as it went then."""
    sent_by: str | None
    """The adapter that sent it last."""
    recheck: bool
    """It was held: whether its user is still responsible must be read again."""
    rendered: bytes | None
    event: bytes
    device_id: str
    service_user_id: str
    received_at: int


@dataclass(slots=True)
class Picked:
    """What a lane may send now."""

    requests: list[list[WaitingDelivery]] = field(default_factory=list)
    next_due: datetime | None = None
    """When the first that must wait is due."""
    ended: list[Settlement] = field(default_factory=list)
    """Past their time, or not for their user any more."""
    blocked: bool = False
    """The next is for a hub with an Alert in flight: before its answer there is nothing to do."""


def pick(
    waiting: Sequence[WaitingDelivery],
    wish: Wish,
    now: datetime,
    gone: Container[tuple[str, str]] = (),
) -> Picked:
    """What the lane may send of these, which stand in sequence order.

    `gone` are those (hub, user) pairs in which the user is no longer responsible for the hub.
    """
    picked = Picked()
    kept = _without_ended(waiting, wish, now, gone, picked)
    together: dict[str, list[WaitingDelivery]] = {}
    for each in kept:
        if each.batch is not None:
            together.setdefault(each.batch, []).append(each)
    at, hubs = stamp(now), set(wish.busy_hubs)
    for each in kept:
        members = [each]
        if each.batch is not None:
            if together[each.batch][0] is not each:
                continue  # goes with the first of its batch, whose time counts for all
            members = together[each.batch]  # all of it, though the adapter takes fewer by now
        if each.due_at > at:
            picked.next_due = moment(each.due_at)
            break
        devices = {member.device_id for member in members}
        if devices & hubs:
            picked.blocked = True
            break
        hubs |= devices
        picked.requests.append(members)
        if wish.failing:
            break
    picked.requests = _gathered(picked.requests, wish.batch)[: wish.sends]
    return picked


def _without_ended(
    waiting: Sequence[WaitingDelivery],
    wish: Wish,
    now: datetime,
    gone: Container[tuple[str, str]],
    picked: Picked,
) -> list[WaitingDelivery]:
    """Parks what is past its time and withdraws what its user must not get any more."""
    at = stamp(now)
    kept: list[WaitingDelivery] = []
    for each in waiting:
        if each.recheck and (each.device_id, each.service_user_id) in gone:
            detail = "the user is no longer responsible for the hub"
            picked.ended.append(_ended(each, DeliveryState.WITHDRAWN, detail, now))
        elif each.expires_at <= at and (each.attempts > 0 or wish.hopeless):
            picked.ended.append(_ended(each, DeliveryState.PARKED, "not delivered in time", now))
        else:
            kept.append(each)
    return kept


def _ended(each: WaitingDelivery, state: DeliveryState, detail: str, now: datetime) -> Settlement:
    reason = "expired" if state is DeliveryState.PARKED else "not_responsible"
    return Settlement(each.id, state.value, state, now, reason=reason, detail=detail)


def _gathered(requests: list[list[WaitingDelivery]], most: int) -> list[list[WaitingDelivery]]:
    """Alerts that this adapter never sent go together, up to `most` in one request."""
    gathered: list[list[WaitingDelivery]] = []
    for members in requests:
        last = gathered[-1] if gathered else []
        if _is_fresh(members) and last and len(last) < most and _is_fresh(last):
            last.extend(members)
        else:
            gathered.append(list(members))
    return gathered


def _is_fresh(members: Sequence[WaitingDelivery]) -> bool:
    return not members[0].sent
