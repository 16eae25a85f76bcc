"""The intake: from a source into the ledger, and only then the acknowledgement.

While one batch is being committed the source goes on giving messages: what has come by then is
the next batch, after a rest of milliseconds where little comes. A lone fact is decided at once, a
flood in large batches. What may have killed the router before is cut out of its batch, noted and
decided alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import count

import structlog

from router.clock import Clock
from router.deciding.batch import Arrival, Batch, Standing
from router.deciding.judgement import Judgement
from router.intake.deciding import DecidedPiece, Task, decide
from router.intake.gathered import FEW, IN_HAND, Gathered
from router.intake.observed import ObservedIntake
from router.intake.patience import Patience
from router.intake.poison import Piece, TakenUp, cut, given_up, hopeless
from router.intake.reading import Read, read_some
from router.intake.turns import Turns
from router.lanes.outlet import Outlet
from router.lanes.values import Recorded
from router.ledger.database import LedgerUnavailable
from router.ledger.intake import move_cursors, read_cursors
from router.ledger.poison import lay_down, noted, take_up
from router.ledger.quarantine import released
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Cursor, Message, Options, Source
from router.ports.stay import reader

SETTLED = 1.0
"""Seconds that a router has lived, after one that died, before it takes up a fact alone.

Whatever ends routers soon after their start would otherwise find the same fact at hand each time.
"""
RUN = 50
"""Suspects that are taken up one behind the other before another source has its turn."""
BETWEEN = 20.0
"""Seconds for which a reload waits until no fact is being decided."""
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
        self._patience = Patience(ledger, self._stopping, metrics)
        self._one_at_a_time = asyncio.Lock()
        self._asked = 0
        """Who wait for a moment between two facts."""
        self._busy = 0
        self._deaths = 0
        self._wary: dict[str, int] = {}
        self._releasing = asyncio.Lock()
        self._turns = Turns()

    @asynccontextmanager
    async def between(self) -> AsyncIterator[None]:
        """Between two facts: nothing is being decided meanwhile.

        LedgerUnavailable when facts have waited for the ledger all the time.
        """
        self._asked += 1
        try:
            async with asyncio.timeout(BETWEEN):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise LedgerUnavailable(
                f"the ledger has taken no facts for {BETWEEN:g} s: is it locked, or its disk full?"
            ) from None
        finally:
            self._asked -= 1
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
        cursors = await self._patience.call(read_cursors, name)
        if cursors is None:
            return
        gathered = Gathered()
        async with (
            asyncio.TaskGroup() as group,
            reader(self._read(source, cursors, gathered)) as reading,
        ):
            stopping = group.create_task(self._stopping.wait())
            while not self._stopping.is_set():
                batch = group.create_task(gathered.batch())
                await asyncio.wait({batch, stopping, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not batch.done():
                    batch.cancel()
                    break
                given = batch.result()
                messages = [each for each in given if isinstance(each, Message)]
                began = time.monotonic()
                if not messages or await self._take(name, source, messages):
                    await self._move(name, given)
                self._busy -= len(given)
                gathered.settled(given)
                gathered.rest(time.monotonic() - began, len(given))
            stopping.cancel()

    async def _read(
        self,
        source: Source[Options],
        cursors: Mapping[str, Cursor],
        gathered: Gathered,
    ) -> None:
        async with aclosing(source.messages(cursors)) as messages:
            async for given in messages:
                self._busy += 1
                await gathered.put(given.bounded() if isinstance(given, Message) else given)
        await asyncio.Event().wait()  # one that ends by itself ends nobody else

    async def _move(self, name: str, given: Sequence[Message | Cursor]) -> None:
        """Store what moved by itself, or has moved on since, now that all before is committed."""
        alone = {each.key for each in given if isinstance(each, Cursor)}
        reached = [each if isinstance(each, Cursor) else each.cursor for each in given]
        moved = {each.key: each for each in reached if each and each.key in alone}
        if moved:
            await self._patience.call(move_cursors, name, list(moved.values()))

    async def _take(self, name: str, source: Source[Options], messages: Sequence[Message]) -> bool:
        """Decide, record and acknowledge these; False when the router stops before it could."""
        now = self.clock()
        arrivals = [Arrival(each, name, now, suspect=each.deliveries > 0) for each in messages]
        self.metrics.messages.labels(name).inc(len(arrivals))
        self.metrics.redelivered.labels(name).inc(sum(each.suspect for each in arrivals))
        wary = self._is_wary(name, len(arrivals))
        known = await self._patience.call(noted, arrivals) if wary else None

        async def committed(piece: Piece) -> None:
            self.metrics.batch.observe(len(piece.arrivals))
            await source.acknowledge([each.message for each in piece.arrivals])

        left = deque(cut(arrivals, known or ()))
        with self._turns.together(left):
            while left:
                if left[0].alone and not await self._settled():
                    return False  # there may be hundreds, each with its own commit: they go back
                batch = await self._decide(left, committed, noting=wary)
                if batch is None:
                    return False
                if left and batch.more:  # registrations in their place: the newest counts
                    await self.release()
        if self._turns.left and not self._releasing.locked():  # else it is released with the others
            await self.release()
        return True

    async def _settled(self) -> bool:
        """Once this router has lived for a moment, if the last one died; False when it stops."""
        if (rest := self._unsettled()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._stopping.wait()
        return not self._stopping.is_set()

    def _unsettled(self) -> float:
        """Seconds for which nothing is taken up alone; not above 0 when that is over."""
        return self._born + SETTLED - time.monotonic() if self._deaths else 0.0

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
            while not self._stopping.is_set():
                self._turns.look()
                count = await self._release_some()
                total += count
                if self._turns.over(count):
                    break
        return total

    async def _release_some(self) -> int:
        """One portion of it; 0 when there is no more, or the router stops.

        Of registrations alone while a batch is in pieces.
        """
        term = self.judgement.acceptance.await_registration
        arrivals = await self._patience.call(
            released, self.clock(), term, registrations_only=not self._turns.whole
        )
        if not arrivals:
            return 0
        _log.info("quarantine.released", facts=len(arrivals))

        async def committed(piece: Piece) -> None:
            """Nobody is to be told."""

        left = deque(cut(arrivals, await self._patience.call(noted, arrivals) or ()))
        while left:
            if left[0].alone and not await self._settled():
                return 0
            if self._stopping.is_set() or await self._decide(left, committed, noting=True) is None:
                return 0
        return len(arrivals)

    async def _decide(
        self,
        left: deque[Piece],
        committed: Callable[[Piece], Awaitable[None]],
        *,
        noting: bool,
    ) -> Batch | None:
        """Takes the next from `left`, and suspects behind it: each is noted by the commit before.

        `committed` is told of each. Gives the last batch; None when the router stops before it
        could be committed. A note stays when the process ends meanwhile, by whatever means, and
        not when the facts are given back.
        """
        up: TakenUp | None = None
        async with self._one_at_a_time:  # what is noted is all that the process could die of
            try:
                for number in count(1):
                    if up is None and (left[0].alone or noting):
                        up = await self._take_up(left[0])
                        if up is None:
                            return None
                    room = number < RUN
                    follows = partial(self._follows, left if room else (), noting=noting)
                    piece, batch, following = await self._judge_and_record(left, up, follows)
                    if batch is None:
                        break
                    up = following
                    await committed(piece)
                    if up is None:
                        return batch
            except asyncio.CancelledError:
                await self._lay_down(up)
                raise
            await self._lay_down(up)
            return None

    async def _take_up(self, piece: Piece) -> TakenUp | None:
        """In a commit of its own; None when the router stops before it could be."""
        now = self.clock()
        try:
            before = await self._patience.call(take_up, piece.arrivals, now)
        except asyncio.CancelledError:  # it may be written
            await self._lay_down(TakenUp(piece.arrivals, now, {}))
            raise
        return None if before is None else TakenUp(piece.arrivals, now, before)

    def _follows(self, left: Sequence[Piece], *, noting: bool) -> Sequence[Arrival]:
        """What is taken up, and noted, as soon as what is before it is committed.

        Not where a reload waits: nothing may come between a note and its fact.
        """
        if not left or self._stopping.is_set() or self._asked:
            return ()
        may = self._unsettled() <= 0 if left[0].alone else noting
        return left[0].arrivals if may else ()

    async def _lay_down(self, up: TakenUp | None) -> None:
        if up is not None and up.arrivals:
            with suppress(LedgerUnavailable):  # then one kill too many is noted; it takes three
                await self.ledger.call(lay_down, up.arrivals, up.at)

    async def _judge_and_record(
        self, left: deque[Piece], up: TakenUp | None, follows: Callable[[], Sequence[Arrival]]
    ) -> tuple[Piece, Batch | None, TakenUp | None]:
        """The next piece, or what of it makes a batch, and that; and what is taken up at once."""
        piece = left.popleft()
        kills = piece.kills(up.before) if up else 0
        if kills:
            self._observed.suspect(piece.arrivals[0], kills)
        doomed = hopeless(kills, piece.arrivals[0].message.deliveries)
        reading = Read() if doomed else await read_some(piece.arrivals)
        if reading.rest:
            piece, rest = piece.parted(len(reading.rest))
            left.appendleft(rest)
            await self._lay_down(up and replace(up, arrivals=rest.arrivals))
        whole = self._turns.whole
        while True:
            now = self.clock()
            task = Task(
                reading.found,
                self.judgement,
                self.standing,
                now,
                alone=piece.alone or not whole,
                whole=whole,
                given_up=given_up(piece.arrivals[0], kills, now) if doomed else None,
                noted=piece.arrivals if up is not None else (),
                following=follows(),
            )
            try:
                decided = await self._record(task)
                break
            except LedgerUnavailable as error:
                if not await self._patience.hold(error):
                    return piece, None, None
        batch = decided.batch
        self._turns.recorded(batch)
        told = [each for each, _ in reading.found] or piece.arrivals
        self._observed.recorded(told, batch)
        taken_up = TakenUp(batch.following, batch.decided_at, decided.recorded.before)
        return piece, batch, taken_up if batch.following else None

    async def _record(self, task: Task) -> DecidedPiece:
        """What lanes have room for goes out as soon as it is committed."""
        recorded: Recorded | None = None
        if len(task.found) >= FEW:  # fewer are sent sooner by a claim of their own
            await self.outlet.looked()
        offer = self.outlet.offer()
        started = time.perf_counter()
        try:
            decided = await self.ledger.call(decide, task, offer)
            recorded = decided.recorded
        except asyncio.CancelledError:  # it may be recorded
            recorded = Recorded(frozenset(), {}, 0)
            await self._lay_down(TakenUp(task.following, task.now, {}))
            raise
        finally:
            self.outlet.take(offer, recorded)
        self._observed.decided(decided, time.perf_counter() - started)
        return decided
