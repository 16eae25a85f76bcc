"""The intake: from a source into the ledger, and only then the acknowledgement.

While one batch is being committed the source goes on giving messages: what has come by then is
the next batch. No timer: a lone fact is decided at once, a flood in large batches.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

import structlog

from router.clock import Clock
from router.facts import Activation, Defect, Fact, Hub, parse
from router.judgement import Judgement
from router.ledger.batch import Accepted, Arrival, Batch, Recorded, Standing
from router.ledger.intake import look_up, read_cursors, record
from router.ledger.opening import LedgerUnavailable
from router.ledger.quarantine import released, waiting_for
from router.ledger.thread import LedgerThread
from router.metrics import Metrics
from router.ports import Cursor, Message, Source

GATHER = 500
"""The most messages in one batch."""
_log = structlog.get_logger(__name__)


class Intake:
    """Decides and records what sources bring, one batch at a time."""

    def __init__(
        self,
        ledger: LedgerThread,
        judgement: Judgement,
        standing: Standing,
        *,
        notify: Callable[[frozenset[int]], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.ledger = ledger
        self.judgement = judgement
        self.standing = standing
        self.notify = notify
        self.metrics = metrics
        self.clock = clock
        self._stopping = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._busy = 0

    def stop(self) -> None:
        """Take nothing more; what has been gathered is finished and committed."""
        self._stopping.set()

    def idle(self, sources: Sequence[Source]) -> bool:
        """True when the sources have given all they had and all of it is committed."""
        return self._busy == 0 and all(source.exhausted() for source in sources)

    async def run(self, name: str, source: Source) -> None:
        """Read one source until stopped."""
        cursors = await self._cursors(name)
        if cursors is None:
            return
        gathered: asyncio.Queue[Message] = asyncio.Queue(maxsize=2 * GATHER)
        self.metrics.intake_up.labels(name).set(1)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(source, cursors, gathered))
            stopping = group.create_task(self._stopping.wait())
            while not self._stopping.is_set():
                first = group.create_task(gathered.get())
                await asyncio.wait({first, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not first.done():
                    first.cancel()
                    break
                messages = [first.result()]
                while len(messages) < GATHER and not gathered.empty():
                    messages.append(gathered.get_nowait())
                await self._take(name, source, messages)
                self._busy -= len(messages)
            reading.cancel()
            stopping.cancel()
        self.metrics.intake_up.labels(name).set(0)

    async def _cursors(self, name: str) -> Mapping[str, Cursor] | None:
        """How far the source has been read; None when the router stops before that is known."""
        while True:
            try:
                return await self.ledger.call(read_cursors, name)
            except LedgerUnavailable as error:
                if not await self._hold(error):
                    return None

    async def _read(
        self, source: Source, cursors: Mapping[str, Cursor], gathered: asyncio.Queue[Message]
    ) -> None:
        async with aclosing(source.messages(cursors)) as messages:
            async for message in messages:
                self._busy += 1
                await gathered.put(message)

    async def _take(self, name: str, source: Source, messages: Sequence[Message]) -> None:
        now = self.clock()
        arrivals = [Arrival(message, name, now) for message in messages]
        self.metrics.messages.labels(name).inc(len(messages))
        self.metrics.batch.observe(len(messages))
        batch = await self._judge_and_record(arrivals)
        if batch is None:
            return
        await source.acknowledge(messages)

    async def release(self) -> int:
        """Decide what may leave quarantine; gives how many were taken up."""
        total = 0
        while not self._stopping.is_set():
            now = self.clock()
            try:
                arrivals = await self.ledger.call(released, now)
            except LedgerUnavailable as error:
                await self._hold(error)
                continue
            if not arrivals:
                break
            _log.info("quarantine.released", facts=len(arrivals))
            if await self._judge_and_record(arrivals) is None:
                break
            total += len(arrivals)
        return total

    async def _judge_and_record(self, arrivals: Sequence[Arrival]) -> Batch | None:
        """The batch, once it is committed; None when the router stops before it could be."""
        found = [(arrival, parse(arrival.message.body)) for arrival in arrivals]
        facts = [fact for _, fact in found if isinstance(fact, Fact)]
        async with self._one_at_a_time:
            while True:
                try:
                    waiting = await self._waiting(facts)
                    early = [fact for _, fact in waiting if isinstance(fact, Fact)]
                    known = await self.ledger.call(look_up, [*facts, *early])
                    started = time.perf_counter()
                    batch = self.judgement.judge(found, known, self.clock(), waiting)
                    self.metrics.evaluation.observe(time.perf_counter() - started)
                    with self.metrics.commit.labels("intake").time():
                        recorded = await self.ledger.call(record, batch, self.standing)
                    break
                except LedgerUnavailable as error:
                    if not await self._hold(error):
                        return None
        self.metrics.ledger_up.set(1)
        self._count(arrivals, batch, recorded)
        self.notify(recorded.lanes)
        return batch

    async def _waiting(self, facts: Sequence[Fact]) -> list[tuple[Arrival, Fact | Defect]]:
        """What waits in quarantine for the hubs that these facts announce."""
        hubs = {fact.data.device_id for fact in facts if isinstance(fact.data, Hub)}
        if not hubs:
            return []
        arrivals = await self.ledger.call(waiting_for, hubs, self.clock())
        return [(arrival, parse(arrival.message.body)) for arrival in arrivals]

    async def _hold(self, error: LedgerUnavailable) -> bool:
        """The messages stay in hand, unacknowledged; False when the router stops."""
        self.metrics.ledger_up.set(0)
        _log.error("ledger.unavailable", part="intake", detail=str(error), advice="holding facts")
        try:
            async with asyncio.timeout(1.0):
                await self._stopping.wait()
        except TimeoutError:
            return True
        return False

    def _count(self, arrivals: Sequence[Arrival], batch: Batch, recorded: Recorded) -> None:
        metrics = self.metrics
        for accepted in batch.accepted:
            self._count_accepted(accepted, batch)
        for each in batch.quarantined:
            metrics.quarantined.labels(each.arrival.intake, each.reason.value).inc()
            _log.warning(
                "fact.quarantined",
                origin=f"{each.arrival.intake} {each.arrival.message.origin}",
                reason=each.reason.value,
                detail=each.detail,
            )
        told = {id(each.arrival) for each in batch.accepted}
        told |= {id(each.arrival) for each in batch.quarantined}
        repeated = sum(id(arrival) not in told for arrival in arrivals)
        if repeated:
            metrics.duplicates.labels(arrivals[0].intake).inc(repeated)
        metrics.mismatches.set(self.judgement.engine.mismatches)
        metrics.rebuilds.set(self.judgement.engine.rebuilds)

    def _count_accepted(self, accepted: Accepted, batch: Batch) -> None:
        metrics, data = self.metrics, accepted.fact.data
        intake = accepted.arrival.intake
        metrics.facts.labels(intake, data.type.value, accepted.effect.value).inc()
        if isinstance(data, Activation):
            lag = (batch.decided_at - data.activated_at).total_seconds()
            metrics.lag.labels(intake).observe(max(lag, 0.0))
        for decision in accepted.decisions:
            role = decision.party.role.value if decision.party else ""
            metrics.decisions.labels(role, decision.verdict.value).inc()
            if decision.rule is not None:
                metrics.rule_hits.labels(decision.rule, decision.verdict.value).inc()
        for due in accepted.due:
            metrics.alerts.labels(due.service_user_id).inc()
