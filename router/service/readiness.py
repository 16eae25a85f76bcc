"""Whether facts can come, and how connections stand: asked when somebody looks, kept by nobody."""

from __future__ import annotations

import asyncio
from asyncio import wrap_future
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from router.lanes.lane import Lane
from router.metrics.metrics import Metrics
from router.ports import (
    Aside,
    Certificate,
    Certified,
    CountsFiles,
    Linked,
    Options,
    Source,
)

READ_S = 1.0
"""Seconds that a scrape waits for files of certificates."""
THREADS = 8
"""So many lanes may have theirs on mounts that are away before others' are not shown."""


class Readiness:
    """Asks sources and lanes for `/-/ready` and for the metrics that are read before a scrape."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        sources: Mapping[str, Source[Options]],
        lanes: Mapping[int, Lane],
        lost: Callable[[], str | None],
        refusing: Callable[[], str | None],
    ) -> None:
        """`lost` says why the ledger can't be used any more, `refusing` why it can't now."""
        self._metrics = metrics
        self.lost = lost
        self._refusing = refusing
        self._sources = sources
        self._lanes = lanes
        self._threads = Aside("certificates shown", THREADS)
        self._showing = asyncio.Lock()
        self._looking: dict[int, Future[Sequence[Certificate]]] = {}
        """By lane: who was asked for certificates and has not answered."""
        self.started = False
        """From when the sources are read until the router begins to stop."""

    def not_ready(self) -> str | None:
        """Why no facts, or not all of them, can come now, a line for each reason; else None."""
        if lost := self.lost():
            return f"ledger {lost}"
        if not self.started:
            return "starting or stopping"
        refusing = self._refusing()
        lines = [f"ledger: {refusing}"] if refusing else []
        lines += [f"source {name}: {reason}" for name, reason in self.down().items()]
        return "\n".join(lines) or None

    async def show(self) -> None:
        """Set the gauges of sources, connections and certificates."""
        metrics = self._metrics
        down = self.down()
        taking = self.started and self.lost() is None
        for name, source in self._sources.items():
            metrics.intake_up.labels(name).set(taking and name not in down)
            if isinstance(source, Linked):
                link = source.link()
                metrics.intake_connected.labels(name).set(link.up)
                metrics.intake_connections.labels(name).set(link.made)
            if isinstance(source, CountsFiles):
                files = source.files()
                metrics.ignored_files.labels(name).set(files.ignored)
                metrics.replaced_files.labels(name).set(files.replaced)
        metrics.lane_connected.clear()  # lanes come and go with the files
        metrics.lane_connections.clear()
        for lane in self._lanes.values():
            if isinstance(lane.adapter, Linked):
                link = lane.adapter.link()
                labels = (lane.service_user_id, lane.channel.name)
                metrics.lane_connected.labels(*labels).set(link.up)
                metrics.lane_connections.labels(*labels).set(link.made)
        await self._show_certificates()

    async def _show_certificates(self) -> None:
        """Anew each time: what can't be read any more must not look as it did."""
        expiry = self._metrics.certificate_expiry
        async with self._showing:  # what one look takes up, another beside it would miss
            found = await self._certificates()
        expiry.clear()
        for lane, each in found:
            labels = (lane.service_user_id, lane.channel.name, each.use)
            expiry.labels(*labels).set(each.expires_at.timestamp())

    async def _certificates(self) -> Sequence[tuple[Lane, Certificate]]:
        """Of all lanes, but for those whose files do not answer, now or yet."""
        asked: list[asyncio.Future[Sequence[Certificate]]] = []
        for lane in self._lanes.values():
            adapter = lane.adapter
            if isinstance(adapter, Certified) and lane.id not in self._looking:
                self._looking[lane.id] = self._threads.submit(adapter.certificates)
                asked.append(wrap_future(self._looking[lane.id]))
        if asked:
            await asyncio.wait(asked, timeout=READ_S)
        done = {number: each for number, each in self._looking.items() if each.done()}
        for number in done:
            del self._looking[number]
        return [
            (self._lanes[number], certificate)
            for number, each in done.items()
            if number in self._lanes and each.exception() is None
            for certificate in each.result()
        ]

    def down(self) -> dict[str, str]:
        """By name: the sources from which nothing can come, and why."""
        reasons = {name: source.down() for name, source in self._sources.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}
