"""What is to be seen of lanes: their metrics, and a line in the log where an Alert ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import structlog

from router.delivery.sending import names
from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Claimed, ClosedReason, DeliveryState, Settlement
from router.metrics.metrics import Metrics
from router.ports import Delivered, Outcome

_log = structlog.get_logger(__name__)


class ObservedLanes:
    """Counts for all lanes alike, whatever adapter they have."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._attempts = cache(metrics.attempts.labels)
        self._delivery = cache(metrics.delivery.labels)
        self._send = cache(metrics.send.labels)

    def begin(self, lane: Lane) -> None:
        """A counter that begins at 1 shows no increase."""
        self.metrics.parked.labels(lane.service_user_id, lane.channel.name)
        self.metrics.withdrawn.labels(lane.service_user_id, lane.channel.name)

    def show(self, lane: Lane) -> None:
        """Set the gauges of a lane; one that no file names has none."""
        labels = (lane.service_user_id, lane.channel.name)
        if lane.closed is ClosedReason.USER_REMOVED:
            for gauge in self.metrics.of_lanes:
                gauge.remove(*labels)
            self._show_closed(labels, None)
            return
        flying = sum(len(group) for group in lane.in_flight.values())
        self.metrics.in_flight.labels(*labels).set(flying)
        self.metrics.lane_open.labels(*labels).set(lane.closed is None)
        self.metrics.lane_failures.labels(*labels).set(lane.failures)
        self._show_closed(labels, lane.closed)

    def _show_closed(self, labels: tuple[str, str], closed: ClosedReason | None) -> None:
        for reason in ClosedReason:
            if reason is closed:
                self.metrics.lane_closed.labels(*labels, reason.value).set(1)
            else:
                self.metrics.lane_closed.remove(*labels, reason.value)

    def sent(self, channel: Channel, seconds: float) -> None:
        """A request was answered, so long after it was sent."""
        self._send(channel.adapter).observe(seconds)

    def answered(
        self, lane: Lane, each: Claimed, outcome: Outcome, settled: Settlement, now: datetime
    ) -> None:
        """An Alert was sent, and this came back."""
        labels = (lane.service_user_id, lane.channel.name)
        reason = "" if isinstance(outcome, Delivered) else outcome.reason.value
        answer = type(outcome).__name__.lower()
        self._attempts(*labels, lane.channel.adapter, answer, reason).inc()
        if settled.state is DeliveryState.PARKED:
            self.metrics.parked.labels(*labels).inc()
            _log.error(
                "alert.parked",
                **names(lane),
                alert=str(each.delivery.alert.id),
                detail=settled.detail,
            )
        if settled.state is DeliveryState.DELIVERED and not each.again:
            alert = each.delivery.alert
            self.metrics.rollouts.delivered(alert.firmware_version)
            began = {
                "activation": alert.activated_at,
                "receipt": each.received_at,
                "decision": alert.decided_at,
            }
            for since, moment in began.items():
                took = max(now - moment, timedelta()).total_seconds()
                self._delivery(since, lane.service_user_id, lane.channel.adapter).observe(took)

    def ended(self, lane: Lane, each: Settlement) -> None:
        """An Alert was parked because its time was up, or withdrawn, without a send."""
        parked = each.state is DeliveryState.PARKED
        counter = self.metrics.parked if parked else self.metrics.withdrawn
        counter.labels(lane.service_user_id, lane.channel.name).inc()
        log = _log.error if parked else _log.warning
        log(f"alert.{each.outcome}", **names(lane), delivery=each.id, detail=each.detail)
