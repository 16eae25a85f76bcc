"""Whether there is nothing left to do; and for whom it is waited while there is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from router.delivery.relay import Relay
from router.domain.timestamps import rfc3339
from router.intake.intake import Intake
from router.lanes.lane import Lane
from router.ports import Options, Source

LOOK = 0.05
"""Seconds between two looks."""
TELL = 5.0
"""Seconds of waiting for the same after which it is told, once."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a router that was to end when idle was still waiting for."""

    waits_for: Sequence[str] = ()
    """A line for each source and lane."""
    down: Mapping[str, str] = field(default_factory=dict)
    """The sources among them from which nothing can come, and why."""
    late: bool = False
    """Its time was up; else it was idle, or told to stop."""


class _Telling:
    """Tells in the log for whom it is waited, once that has been the same for a while."""

    def __init__(self) -> None:
        self._next = self._since = _now()
        self._known: list[str] = []
        self._told: list[str] = []

    def due(self) -> bool:
        """Once a second: there may be thousands of lanes to ask."""
        if _now() < self._next:
            return False
        self._next += 1.0
        return True

    def tell(self, waits_for: list[str]) -> None:
        if waits_for != self._known:
            self._since, self._known = _now(), waits_for
        elif waits_for and waits_for != self._told and _now() - self._since >= TELL:
            self._told = waits_for
            _log.info("router.waits", waits_for=waits_for)


class Idleness:
    """Asks the intake, the sources and the relay."""

    def __init__(
        self, intake: Intake, relay: Relay, sources: Mapping[str, Source[Options]]
    ) -> None:
        self._intake = intake
        self._relay = relay
        self._sources = sources

    async def wait(self, stopping: asyncio.Event, within: float | None) -> Leftover:
        """Until nothing is left to do, `stopping`, or so many seconds have passed."""
        quiet, telling = 0, _Telling()
        late = _now() + within if within is not None else None
        while not stopping.is_set():
            if late is not None and _now() >= late:
                return Leftover(self.waits_for(), self._down(), late=True)
            await asyncio.sleep(LOOK)
            quiet = quiet + 1 if self._idle() else 0
            if quiet == 2:
                if not await self._intake.release():
                    return Leftover()
                quiet = 0  # an import may have come a moment ago
            if telling.due():
                telling.tell(self.waits_for())
        return Leftover(self.waits_for(), self._down())

    def waits_for(self) -> list[str]:
        """A line for each source that may have more and each lane with Alerts to send."""
        down = self._down()
        sources = [
            f"source {name}: {down.get(name, 'it may have more')}"
            for name, source in self._sources.items()
            if not source.exhausted()
        ]
        return [*sources, *filter(None, map(_of_lane, self._relay.lanes.values()))]

    def _down(self) -> dict[str, str]:
        reasons = {name: source.down() for name, source in self._sources.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _idle(self) -> bool:
        return self._intake.idle(list(self._sources.values())) and self._relay.idle()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _of_lane(lane: Lane) -> str | None:
    if lane.closed is not None or not (lane.in_flight or lane.next_due):
        return None
    name = f"lane {lane.service_user_id}/{lane.channel.name}"
    if lane.in_flight:
        count = sum(map(len, lane.in_flight.values()))
        return f"{name}: the answer to {'1 Alert' if count == 1 else f'{count:,} Alerts'}"
    why = "it fails, and is tried again" if lane.failing else "the next is due"
    return f"{name}: {why} at {rfc3339(lane.next_due, 'seconds')}" if lane.next_due else None
