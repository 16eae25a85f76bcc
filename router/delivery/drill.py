"""One drill through one channel: whether it works, without an Alert and without the ledger.

Both `hubherald drill` and `adapter try` send it; where messages can't be marked as a test, the
adapter goes as far as it can without one (`Probes`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.compact import compact
from router.config.unready import UnreadyOptions
from router.delivery.adapters import AdapterSpec, RunningAdapter
from router.delivery.sending import send
from router.domain.timestamps import rfc3339
from router.domain.users import Channel, ServiceUser
from router.errors import UsageError
from router.lanes.lane import Lane
from router.lanes.values import Claimed
from router.ports import (
    Adapter,
    Alert,
    Certificate,
    Delivery,
    Options,
    Originator,
    Outcome,
    Peered,
    Probes,
    Renders,
)
from router.ports.discretion import Discretion

DRILL_TYPE = "hubherald.drill.v1"
DEVICE = "00-00-00-00-00-00-00-00"
"""No hub has this id."""
_NO_RULES = "0" * 64


@dataclass(frozen=True, slots=True)
class Drilled:
    """What came of it."""

    outcome: Outcome
    peer: Certificate | None = None
    """What the other side has shown; None without TLS, or where nobody answered."""


async def drill(
    user: ServiceUser, channel: Channel, originator: Originator, now: datetime
) -> Drilled:
    """What the other side answered. UsageError when the adapter can't send, or can't mark a test.

    Entered, sent and left as the router does it, under the channel's own deadline.
    """
    options = channel.options
    if options is None or isinstance(options, UnreadyOptions):
        raise UsageError(options.why if options else f"{channel.adapter} has no options")
    spec = AdapterSpec(channel.adapter, options, originator, user.recipient)
    hide = Discretion(user).beside(options, originator)
    running = RunningAdapter(spec, channel.timeout, spec.origin, hide)
    stay = await running.enter()
    if stay is None or running.entered is None:
        raise UsageError(running.fault)
    try:
        outcome = await _send(user, channel, running, now)
        entered = running.entered
        return Drilled(outcome, entered.peer() if isinstance(entered, Peered) else None)
    finally:
        await running.left(stay)


async def _send(
    user: ServiceUser, channel: Channel, running: RunningAdapter, now: datetime
) -> Outcome:
    adapter = running.entered
    if isinstance(adapter, Probes):
        adapter = _Probing(adapter)
    elif isinstance(adapter, Renders):
        raise UsageError(
            f"{running.origin} makes documents of its own, which can't be marked as a test;"
            " nothing was sent"
        )
    lane = Lane(0, user.id, channel, adapter, redact=running.redact, origin=running.origin)
    delivery = _delivery(user, running.spec.originator, now)
    claimed = Claimed(0, 0, delivery, now, 1, 0, now + timedelta(hours=1), None)
    found: list[Outcome] = []
    sending = asyncio.ensure_future(
        send(lane, channel, adapter, [[claimed]], lambda _, outcomes: found.extend(outcomes))
    )
    done, _ = await asyncio.wait({sending}, timeout=channel.timeout + 5.0)
    if not done:
        raise UsageError(running.origin.blamed("went on when it was cancelled at its deadline"))
    sending.result()
    return found[0]


class _Probing(Adapter[Options]):
    """In the place of an adapter that probes: a message goes no further than the door."""

    Config = Options

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._probes.probe() for _ in deliveries]


def _delivery(user: ServiceUser, originator: Originator, now: datetime) -> Delivery:
    alert = Alert(
        id=uuid.uuid4(),
        alert_code="N64",
        dcc_id=originator.id,
        service_user_id=user.id,
        device_id=DEVICE,
        firmware_version="drill",
        previous_firmware_version=None,
        activated_at=now,
        decided_at=now,
        roles=tuple(sorted(role.value for role in user.roles)),
        rules={},
        sequence=0,
        rules_digest=_NO_RULES,
    )
    event = {
        "specversion": "1.0",
        "id": str(alert.id),
        "type": DRILL_TYPE,
        "source": originator.id,
        "time": rfc3339(now),
        "datacontenttype": "application/json",
        "data": {"service_user_id": user.id, "roles": list(alert.roles)},
    }
    return Delivery(alert, compact(event))
