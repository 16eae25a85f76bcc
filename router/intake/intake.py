"""The intake: from a source into the ledger, and only then the acknowledgement.

While one batch is being committed the source goes on giving messages: what has come by then is
the next batch. No timer: a lone fact is decided at once, a flood in large batches. What may have
killed the router before is cut out of its batch, noted and decided alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from router.clock import Clock
from router.deciding.batch import Arrival, Batch, Note, Standing, note_of
from router.deciding.judgement import Found, Judgement
from router.domain.facts import Activation, Fact, parse
from router.intake.observed import ObservedIntake
from router.intake.poison import Piece, cut, given_up, hopeless
from router.lanes.outlet import Outlet
from router.lanes.values import Recorded
from router.ledger.database import Database, LedgerUnavailable
from router.ledger.intake import Outdated, look_up, move_cursors, read_cursors, record
from router.ledger.poison import lay_down, noted, take_up
from router.ledger.quarantine import PORTION, released, waiting_for
from router.ledger.recorder import changes
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Cursor, Message, Options, Source

GATHER = 500
"""The most messages in one batch."""
IN_HAND = 3 * GATHER
"""The most messages of one source that are in the intake's hands at a time."""
SETTLED = 1.0
"""Seconds that a router has lived, after one that died, before it takes up a fact alone.

Whatever ends routers soon after their start would otherwise find the same fact at hand each time.
"""
BETWEEN = 20.0
"""Seconds for which a reload waits until no fact is being decided."""
P = ParamSpec("P")
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Intake:
    """Decides and records what sources bring, one batch at a time."""

    def __init__(
        self,
        ledger: LedgerThread,
        judgement: Judgement,
        standing: Standing,
        *,
        outlet: Outlet,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.ledger = ledger
        self.judgement = judgement
        self.standing = standing
        self.outlet = outlet
        self.metrics = metrics
        self.clock = clock
        self._observed = ObservedIntake(metrics)
        self._born = time.monotonic()
        self._stopping = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._busy = 0
        self._deaths = 0
        self._wary: dict[str, int] = {}
        self._releasing = asyncio.Lock()

    @asynccontextmanager
    async def between(self) -> AsyncIterator[None]:
        """Between two facts: nothing is being decided meanwhile.

        LedgerUnavailable when facts have waited for the ledger all the time.
        """
        try:
            async with asyncio.timeout(BETWEEN):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise LedgerUnavailable(
                f"the ledger has taken no facts for {BETWEEN:g} s: is it locked, or its disk full?"
            ) from None
        try:
            yield
        finally:
            self._one_at_a_time.release()

    def beware(self, deaths: int) -> None:
        """So many routers in a row have died: the facts that the last was at are noted, once more.

        No matter whether their source counts how often it gave them out.
        """
        self._deaths = deaths

    def change(self, judgement: Judgement, standing: Standing) -> None:
        """Decide under other rules and users from the next fact on; only `between` facts."""
        self.judgement = judgement
        self.standing = standing

    def stop(self) -> None:
        """Take nothing more; what has been gathered is finished and committed."""
        self._stopping.set()

    def idle(self, sources: Sequence[Source[Options]]) -> bool:
        """True when the sources have given all they had and all of it is committed."""
        return (
            self._busy == 0
            and not self._releasing.locked()
            and all(source.exhausted() for source in sources)
        )

    async def run(self, name: str, source: Source[Options]) -> None:
        """Read one source until stopped."""
        cursors = await self._patiently(read_cursors, name)
        if cursors is None:
            return
        gathered: asyncio.Queue[Message | Cursor] = asyncio.Queue(maxsize=2 * GATHER)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read(source, cursors, gathered))
            stopping = group.create_task(self._stopping.wait())
            while not self._stopping.is_set():
                first = group.create_task(gathered.get())
                await asyncio.wait({first, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not first.done():
                    first.cancel()
                    break
                given = [first.result()]
                while len(given) < GATHER and not gathered.empty():
                    given.append(gathered.get_nowait())
                messages = [each for each in given if isinstance(each, Message)]
                if not messages or await self._take(name, source, messages):
                    await self._move(name, given)
                self._busy -= len(given)
            reading.cancel()
            stopping.cancel()

    async def _read(
        self,
        source: Source[Options],
        cursors: Mapping[str, Cursor],
        gathered: asyncio.Queue[Message | Cursor],
    ) -> None:
        async with aclosing(source.messages(cursors)) as messages:
            async for given in messages:
                self._busy += 1
                await gathered.put(given)

    async def _move(self, name: str, given: Sequence[Message | Cursor]) -> None:
        """Store what moved by itself, or has moved on since, now that all before is committed."""
        alone = {each.key for each in given if isinstance(each, Cursor)}
        reached = [each if isinstance(each, Cursor) else each.cursor for each in given]
        moved = {each.key: each for each in reached if each and each.key in alone}
        if moved:
            await self._patiently(move_cursors, name, list(moved.values()))

    async def _take(self, name: str, source: Source[Options], messages: Sequence[Message]) -> bool:
        """Decide, record and acknowledge these; False when the router stops before it could."""
        now = self.clock()
        arrivals = [Arrival(each, name, now, suspect=each.deliveries > 0) for each in messages]
        self.metrics.messages.labels(name).inc(len(arrivals))
        self.metrics.redelivered.labels(name).inc(sum(each.suspect for each in arrivals))
        wary = self._is_wary(name, len(arrivals))
        known = await self._patiently(noted, arrivals) if wary else None
        for piece in cut(arrivals, known or ()):
            if piece.alone and not await self._settled():
                return False  # there may be hundreds, and each has two commits: they go back
            self.metrics.batch.observe(len(piece.arrivals))
            batch = await self._decide(piece, noting=piece.alone or wary)
            if batch is None:
                return False
            await source.acknowledge([each.message for each in piece.arrivals])
            if batch.more or (piece.alone and (batch.hubs or batch.registrations)):
                await self.release()  # what waited for these, and was left out
        return True

    async def _settled(self) -> bool:
        """Once this router has lived for a moment, if the last one died; False when it stops."""
        if self._deaths:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._born + SETTLED - time.monotonic()):
                    await self._stopping.wait()
        return not self._stopping.is_set()

    def _is_wary(self, name: str, count: int) -> bool:
        """Whether these may be among those that a dead router was at: what it can have in hand."""
        if not self._deaths:
            return False
        seen = self._wary.get(name, 0)
        self._wary[name] = seen + count
        return seen < IN_HAND

    async def release(self) -> int:
        """Decide what may leave quarantine; gives how many were taken up.

        No source counts how often these are given out, so all of them are noted: what kills the
        router among others is taken up alone after the next start.
        """
        total = 0
        async with self._releasing:
            for registrations_only in (True, False):
                while not self._stopping.is_set():
                    count = await self._release_some(registrations_only=registrations_only)
                    if not count:
                        break
                    total += count
        return total

    async def _release_some(self, *, registrations_only: bool) -> int:
        """One portion of it; 0 when there is no more, or the router stops."""
        term = self.judgement.acceptance.await_registration
        arrivals = await self._patiently(
            released, self.clock(), term, registrations_only=registrations_only
        )
        if not arrivals:
            return 0
        _log.info("quarantine.released", facts=len(arrivals))
        for piece in cut(arrivals, await self._patiently(noted, arrivals) or ()):
            if piece.alone and not await self._settled():
                return 0
            if self._stopping.is_set() or await self._decide(piece, noting=True) is None:
                return 0
        return len(arrivals)

    async def _decide(self, piece: Piece, *, noting: bool) -> Batch | None:
        """The batch, once it is committed; None when the router stops before it could be.

        A note stays when the process ends meanwhile, by whatever means, and not when the facts
        are given back.
        """
        async with self._one_at_a_time:  # what is noted is all that the process could die of
            if not noting:
                return await self._judge_and_record(piece)
            now = self.clock()
            batch = None
            try:
                before = await self._patiently(take_up, piece.arrivals, now)
                if before is not None:
                    batch = await self._judge_and_record(piece, before)
            except asyncio.CancelledError:
                await self._lay_down(piece, now)
                raise
            if batch is None:
                await self._lay_down(piece, now)
            return batch

    async def _lay_down(self, piece: Piece, taken_up: datetime) -> None:
        with suppress(LedgerUnavailable):  # then one kill too many is noted; it takes three
            await self.ledger.call(lay_down, piece.arrivals, taken_up)

    async def _judge_and_record(
        self, piece: Piece, before: Mapping[Note, int] | None = None
    ) -> Batch | None:
        """`before` says how often these had been noted, where they are noted now."""
        kills = self._kills(piece, before) if before else 0
        doomed = hopeless(kills, piece.arrivals[0].message.deliveries)
        found = [] if doomed else self._read_all(piece.arrivals)
        while True:
            try:
                version = None
                if doomed:
                    batch = given_up(piece.arrivals[0], kills, self.clock())
                else:
                    batch, version = await self._judge(found, alone=piece.alone)
                batch.noted = piece.arrivals if before is not None else ()
                await self._record(batch, version)
                break
            except Outdated:
                continue  # an import or an operator came in between: judge on what is true now
            except LedgerUnavailable as error:
                if not await self._hold(error):
                    return None
        self.metrics.ledger_up.set(1)
        self._observed.recorded(piece.arrivals, batch)
        return batch

    async def _record(self, batch: Batch, version: int | None) -> None:
        """What lanes have room for goes out as soon as it is committed."""
        recorded = Recorded(frozenset(), {}, 0)
        offers = self.outlet.offer()
        try:
            with self.metrics.commit.labels("intake").time():
                recorded = await self.ledger.call(
                    record, batch, self.standing, version=version, offers=offers
                )
        finally:
            self.outlet.take(offers, recorded)

    def _kills(self, piece: Piece, before: Mapping[Note, int]) -> int:
        """How often the router died on a fact that was taken up alone."""
        arrival = piece.arrivals[0]
        kills = before.get(note_of(arrival), 0) if piece.alone else 0
        if kills:
            _log.warning(
                "fact.suspect",
                origin=f"{arrival.intake} {arrival.message.origin}",
                kills=kills,
                deliveries=arrival.message.deliveries,
            )
        return kills

    async def _judge(self, found: Sequence[Found], *, alone: bool) -> tuple[Batch, int]:
        """The batch, and the version of the ledger that it was judged on."""
        facts = [fact for _, fact in found if isinstance(fact, Fact)]
        devices = set() if alone else _awaited(found)
        version = await self.ledger.call(changes) if devices else None
        waiting = await self._waiting(devices) if devices else []
        early = [fact for _, fact in waiting if isinstance(fact, Fact)]
        known = await self.ledger.call(look_up, [*facts, *early])
        started = time.perf_counter()
        engine = self.judgement.engine
        mismatches, rebuilds = engine.mismatches, engine.rebuilds
        batch = self.judgement.judge(found, known, self.clock(), waiting)
        self.metrics.evaluation.observe(time.perf_counter() - started)
        self.metrics.mismatches.inc(engine.mismatches - mismatches)
        self.metrics.rebuilds.inc(engine.rebuilds - rebuilds)
        batch.more = len(waiting) == PORTION
        return batch, known.version if version is None else version

    async def _waiting(self, devices: set[str]) -> list[Found]:
        """A portion of what waits in quarantine for these hubs."""
        return self._read_all(await self.ledger.call(waiting_for, devices, self.clock()))

    def _read_all(self, arrivals: Sequence[Arrival]) -> list[Found]:
        return [(each, parse(each.message.body)) for each in arrivals]

    async def _patiently(
        self, function: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """What a function of the ledger gives, whenever it does; None when the router stops."""
        while True:
            try:
                return await self.ledger.call(function, *args, **kwargs)
            except LedgerUnavailable as error:
                if not await self._hold(error):
                    return None

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


def _awaited(found: Sequence[Found]) -> set[str]:
    """The hubs for whose word, or first registration, others may wait in quarantine.

    What leaves quarantine itself takes nobody along: those follow by themselves, and are noted.
    """
    return {
        fact.data.device_id
        for arrival, fact in found
        if arrival.quarantined_id is None
        and isinstance(fact, Fact)
        and not isinstance(fact.data, Activation)
    }
