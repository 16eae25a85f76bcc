"""Lanes and claimed Alerts for the tests of lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Self
from uuid import UUID

from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Claimed, Settlement, Wish
from router.ports import Alert, Delivery, Options, Outcome, Reason, Refused, Retry
from support.samples import ALERT, NOW, device, user

FAILED = Retry(Reason.SERVER, "503")
REJECTED = Refused(Reason.REJECTED, "422")
EXPIRES = NOW + timedelta(hours=48)


class Post:
    """A channel that is never called: a lane does no I/O."""

    Config: ClassVar[type[Options]] = Options

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Never."""
        raise NotImplementedError


class Sealed(Post):
    """A channel with bytes of its own."""

    def render(self, alert: Alert) -> bytes:
        """The same for the same Alert."""
        return alert.id.bytes


def a_lane(*, window: int = 16, rate: float | None = None, batch: int = 1) -> Lane:
    channel = Channel("main", "test", None, window=window, rate=rate)
    return Lane(1, user(1), channel, Post(batch))


def claimed(
    number: int, *, attempt: int = 1, refusals: int = 0, batch: str | None = None
) -> Claimed:
    alert = replace(ALERT, id=UUID(int=number), device_id=device(number), sequence=number)
    return Claimed(
        number, 1, Delivery(alert, alert.event()), NOW, attempt, refusals, EXPIRES, batch
    )


def wished(lane: Lane, monotonic: float = 0.0, **later: float) -> Wish:
    wish = lane.wish(NOW + timedelta(**later), monotonic)
    assert wish is not None
    return wish


def answered(lane: Lane, outcome: Outcome, each: Claimed | None = None) -> Settlement:
    """The lane sends one Alert and gets this answer."""
    each = each or claimed(1)
    lane.took([[each]], None)
    (settled,) = lane.answered([each], [outcome], NOW)
    return settled


def send(lane: Lane, group: Sequence[Claimed], outcomes: Sequence[Outcome]) -> list[Settlement]:
    """The lane sends these in one request and gets these answers."""
    lane.took([group], None)
    return lane.answered(group, outcomes, NOW)
