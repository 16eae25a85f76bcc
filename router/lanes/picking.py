"""What a lane sends next: from the deliveries that wait on it to requests. Pure.

First sends start in sequence order, within the span of the window, never two for one hub; a batch
that was sent once goes again as it was. What has failed waits only with its lane. What was refused
or set aside waits for its own next try, holds nobody up, and takes half of the room at most.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

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
    recheck: int
    """REREAD: it was held, and whether its user is still responsible must be read again."""
    rendered: bytes | None
    event: bytes
    device_id: str
    service_user_id: str
    received_at: int
    aside: bool = False
    """Its failures are its own."""
    alert: int = 0
    """The number of its Alert in the ledger."""

    @property
    def on_its_own(self) -> bool:
        """Whether it holds nobody up: it was refused, or set aside."""
        return self.refusals > 0 or bool(self.aside)


REREAD, HAD_IT = 1, 2
"""What `recheck` says; HAD_IT: it was delivered before, and goes once more."""
T = TypeVar("T")


@dataclass(slots=True)
class Picked:
    """What a lane may send now."""

    requests: list[list[WaitingDelivery]] = field(default_factory=list)
    next_due: datetime | None = None
    """When the first that must wait is due."""
    ended: list[Settlement] = field(default_factory=list)
    """Past their time, or not for their user any more."""
    blocked: bool = False
    """One is for a hub with an Alert in flight: where there is no other, its answer is awaited."""


def pick(
    waiting: Sequence[WaitingDelivery],
    wish: Wish,
    now: datetime,
    gone: Container[tuple[str, str]] = (),
) -> Picked:
    """What the lane may send of these, which stand in sequence order.

    `gone` are those (hub, user) pairs in which the user is no longer responsible for the hub.
    """
    kept, ended = _without_ended(waiting, wish, now, gone)
    together = _together(kept)
    held = [members for members in together if not members[0].on_its_own]
    alone = wish.failing and held
    picked = _alone(held, wish, now) if alone else _in_turn(together, wish, now)
    picked.ended = ended
    return picked


def pick_new(found: Sequence[tuple[str, int, T]], wish: Wish) -> list[list[T]]:
    """What a lane on which nothing waits sends at once, of deliveries that come in this order.

    Each stands with its hub and sequence. As with `pick`: never two for one hub, none too far
    ahead, and what stays behind is the end of the sequence.
    """
    requests: list[list[T]] = []
    hubs = set(wish.busy_hubs)
    bound = wish.bound(found[0][1]) if found else 0
    for device, sequence, each in found:
        if device in hubs or sequence >= bound:
            break
        if requests and len(requests[-1]) < wish.batch:
            requests[-1].append(each)
        elif len(requests) < wish.sends:
            requests.append([each])
        else:
            break
        hubs.add(device)
    return requests


def _together(kept: Sequence[WaitingDelivery]) -> list[list[WaitingDelivery]]:
    """What goes in one request: alone, or with those of its batch, in the place of the first."""
    batches: dict[str, list[WaitingDelivery]] = {}
    found: list[list[WaitingDelivery]] = []
    for each in kept:
        if each.batch is None:
            found.append([each])
        elif each.batch not in batches:
            batches[each.batch] = [each]
            found.append(batches[each.batch])
        else:  # all of it, though the adapter may take fewer by now
            batches[each.batch].append(each)
    return found


def _alone(held: Sequence[list[WaitingDelivery]], wish: Wish, now: datetime) -> Picked:
    """Of a lane that fails: the oldest, or another where that has failed again.

    Which of them comes through shows whether the lane fails or the Alert: the one that was tried
    least, and was not tried just now.
    """
    if wish.meanwhile is None:
        return Picked([held[0]])
    others = [members for members in held[1:] if _due(members) <= stamp(now)]
    if not others:
        return Picked(next_due=wish.meanwhile)
    return Picked([min(others, key=lambda members: (members[0].attempts, members[0].sequence))])


def _in_turn(together: Sequence[list[WaitingDelivery]], wish: Wish, now: datetime) -> Picked:
    """As many as there is room for, up to the first that holds up all behind it."""
    picked = Picked()
    hubs = set(wish.busy_hubs)
    held: list[list[WaitingDelivery]] = []
    mine: list[list[WaitingDelivery]] = []
    turn = _longest_due(together, wish, now)
    bound: int | None = None
    for members in together:
        devices = {each.device_id for each in members}
        on_its_own, sequence = members[0].on_its_own, members[0].sequence
        if not on_its_own and bound is None:
            bound = wish.bound(sequence)
        if on_its_own and (due := _due(members)) > stamp(now):
            picked.next_due = min(moment(due), picked.next_due or moment(due))
        elif on_its_own and (devices & hubs or members[0].id not in turn):
            picked.blocked = True
        elif devices & hubs or (bound is not None and not on_its_own and sequence >= bound):
            picked.blocked = True
            break
        else:
            hubs |= devices
            (mine if on_its_own else held).append(members)
    requests = _gathered(mine, wish.batch) + _gathered(held, wish.batch)
    picked.requests = requests[: wish.sends]
    return picked


def _longest_due(together: Sequence[list[WaitingDelivery]], wish: Wish, now: datetime) -> set[int]:
    """Whose turn it is of those on their own, by the id of the first."""
    due = [each for each in together if each[0].on_its_own and _due(each) <= stamp(now)]
    return {each[0].id for each in sorted(due, key=_due)[: wish.on_their_own]}


def _due(members: Sequence[WaitingDelivery]) -> int:
    return min(each.due_at for each in members)


def _without_ended(
    waiting: Sequence[WaitingDelivery],
    wish: Wish,
    now: datetime,
    gone: Container[tuple[str, str]],
) -> tuple[list[WaitingDelivery], list[Settlement]]:
    """Parks what is past its time and withdraws what its user must not get any more."""
    at = stamp(now)
    kept: list[WaitingDelivery] = []
    ended: list[Settlement] = []
    for each in waiting:
        if each.recheck == REREAD and (each.device_id, each.service_user_id) in gone:
            detail = "the user is no longer responsible for the hub"
            ended.append(_ended(each, DeliveryState.WITHDRAWN, detail, now))
        elif each.expires_at <= at and (each.attempts > 0 or wish.hopeless):
            ended.append(_ended(each, DeliveryState.PARKED, "not delivered in time", now))
        else:
            kept.append(each)
    return kept, ended


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
