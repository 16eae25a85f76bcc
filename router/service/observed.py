"""What is to be seen of the ledger: how much waits in it, and how large it is.

Counted now and then, not at each change: what is parked or waits is also changed by operators'
commands, in other processes.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.domain.words import QuarantineReason
from router.lanes.lane import Lane
from router.lanes.values import ClosedReason
from router.ledger.queries.actions import newest_action, withdrawn_since
from router.ledger.queries.totals import Outstanding, outstanding, outstanding_by_version
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics

SELDOM = 12
"""At how many looks the versions are counted once: each Alert that waits is read for it."""
FEW = 1_000
"""Where no more than so many wait, they are counted at each look."""


class ObservedLedger:
    """Sets the gauges whose values only the ledger knows."""

    def __init__(self, ledger: LedgerThread, lanes: Mapping[int, Lane], metrics: Metrics) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._metrics = metrics
        self._looks = 0
        self._action: int | None = None
        """The newest record of what operators did that was counted; None: none was looked for."""

    async def look(self) -> None:
        """Count once. LedgerUnavailable when it can't be read now."""
        found = await self._ledger.call(outstanding)
        waiting = sum(count for count, _ in found.pending.values())
        if self._looks % SELDOM == 0 or waiting <= FEW:
            self._metrics.rollouts.outstanding = await self._ledger.call(outstanding_by_version)
        self._looks += 1
        for lane in self._lanes.values():
            if lane.closed is not ClosedReason.USER_REMOVED:
                self._show(lane, found)
        for reason in QuarantineReason:
            self._metrics.in_quarantine.labels(reason.value).set(found.quarantined.get(reason, 0))
        for part, size in found.bytes.items():
            self._metrics.ledger_size.labels(part).set(size)

    async def count_withdrawn(self) -> None:
        """Count what operators' commands have withdrawn since this was last asked."""
        if self._action is None:
            self._action = await self._ledger.call(newest_action)
            return
        self._action, counts = await self._ledger.call(withdrawn_since, self._action)
        for labels, count in counts.items():
            self._metrics.withdrawn.labels(*labels).inc(count)

    def _show(self, lane: Lane, found: Outstanding) -> None:
        metrics, labels = self._metrics, (lane.service_user_id, lane.channel.name)
        count, oldest = found.pending.get(lane.id, (0, None))
        metrics.waiting.labels(*labels).set(count if lane.closed is None else 0)
        metrics.held.labels(*labels).set(0 if lane.closed is None else count)
        metrics.parked_now.labels(*labels).set(found.parked.get(lane.id, 0))
        metrics.oldest.labels(*labels).set(oldest.timestamp() if oldest else 0)
