"""Fits the relay's lanes to service_users.yaml, at the start and at every reload alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from router.delivery.adapters import ByLane, RunningAdapter
from router.delivery.relay import Relay
from router.domain.users import Channel, ServiceUser
from router.domain.words import UserStatus
from router.lanes.lane import Lane
from router.lanes.values import BY_FILES, ClosedReason, LaneKey, LaneRow

_WHY = {
    ClosedReason.SUSPENDED: "the user is suspended in the service users file",
    ClosedReason.ADAPTER_MISSING: "the channel's adapter is not installed",
}


def reconcile(
    relay: Relay, users: Iterable[ServiceUser], adapters: ByLane, rows: Mapping[LaneKey, LaneRow]
) -> None:
    """One lane for each channel, with its adapter; lanes of nobody are closed.

    `rows` are all lanes of the ledger. While the relay runs only `between` two exchanges.
    """
    named: set[int] = set()
    for user in users:
        for channel in user.channels:
            key = (user.id, channel.name)
            row = rows[key]
            named.add(row.id)
            running = adapters.get(key)
            _reconcile_one(relay, row, user, channel, running)
            if running is not None:
                running.changed = partial(_fit, relay, relay.lanes[row.id], running)
            if row.took_over is not None:
                relay.take_over(row.took_over.lane_id, row.id)
    for row in rows.values():
        if row.id not in named:
            relay.forget(row)


def _reconcile_one(
    relay: Relay,
    row: LaneRow,
    user: ServiceUser,
    channel: Channel,
    running: RunningAdapter | None,
) -> None:
    adapter = running.entered if running else None
    lane = relay.lanes.get(row.id)
    if lane is None:
        renewed = True
        lane = Lane(
            row.id,
            user.id,
            channel,
            adapter,
            failing=row.failing,
            rest_until=row.rest_until,
        )
        relay.add(lane)
    else:
        renewed = lane.adapter is not adapter
        lane.channel, lane.adapter = channel, adapter
        lane.look()
    lane.redact = running.redact if running else str
    lane.origin = running.origin if running else None
    lane.fault = running.fault if running else ""
    reason = _closed_by_files(user, running)
    if reason is not None:
        if lane.closed is not reason:
            relay.close_lane(lane, reason, _WHY[reason])
    elif row.closed is ClosedReason.OPERATOR:
        relay.hold(lane)
    elif lane.fault:
        relay.close_lane(lane, ClosedReason.ADAPTER_BROKEN, lane.fault)
    elif lane.closed in BY_FILES or (renewed and (lane.closed or row.closed)):
        relay.open_lane(lane, carefully=True)  # what is new is a fresh try


def _fit(relay: Relay, lane: Lane, running: RunningAdapter) -> None:
    """The adapter of a lane was entered since, or could not be."""
    lane.adapter, lane.fault = running.entered, running.fault
    if lane.closed in BY_FILES or lane.closed is ClosedReason.OPERATOR:
        return
    if lane.fault:
        relay.close_lane(lane, ClosedReason.ADAPTER_BROKEN, lane.fault)
    elif lane.closed is not None:
        relay.open_lane(lane, carefully=True)
    else:
        lane.look()
        relay.wake()


def _closed_by_files(user: ServiceUser, running: RunningAdapter | None) -> ClosedReason | None:
    if user.status is UserStatus.SUSPENDED:
        return ClosedReason.SUSPENDED
    return ClosedReason.ADAPTER_MISSING if running is None else None
