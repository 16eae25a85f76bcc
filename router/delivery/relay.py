"""The relay: from the ledger through lanes and adapters, and back into the ledger.

One loop exchanges with the ledger for all lanes at once, so that one sync to disk settles and
claims for everybody; sends run beside it. No lane waits for another's answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from router.clock import Clock
from router.delivery.between import Errands, stops
from router.delivery.flights import Flights
from router.delivery.observed import ObservedLanes
from router.delivery.returns import Returns
from router.delivery.sending import Sending, delivers_each, names, renders_safely, words
from router.lanes.lane import Lane
from router.lanes.succession import heir
from router.lanes.values import (
    BY_FILES,
    Claimed,
    ClosedReason,
    Exchanged,
    LaneAnswer,
    LaneChange,
    LaneRow,
    Offer,
    Recorded,
    Wish,
    Withdrawn,
)
from router.lanes.waking import pause
from router.ledger.database import LedgerUnavailable
from router.ledger.deliveries import exchange
from router.ledger.lanes import resting, why_closed
from router.ledger.store import LedgerGone
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Adapter, Closed, Options, Outcome

DRAIN = 30.0
"""Seconds that sends under way have when the router stops."""
LAST = 5.0
"""The same, when the ledger is gone: their answers can't be written."""
FINISH = 4.0
"""Seconds for which a stopping router waits for a ledger that is locked or full."""
NOTHING = Exchanged({}, {}, {}, {})
_log = structlog.get_logger(__name__)


class Relay:
    """Keeps the lanes moving until it is stopped."""

    def __init__(
        self,
        ledger: LedgerThread,
        lanes: Sequence[Lane],
        *,
        withdrawn: Withdrawn,
        metrics: Metrics,
        clock: Clock,
        drain: float = DRAIN,
    ) -> None:
        self.ledger = ledger
        self.lanes: dict[int, Lane] = {}
        self.withdrawn = withdrawn
        self.metrics = metrics
        self._observed = ObservedLanes(metrics)
        self.clock = clock
        self.drain = drain
        self._wake = asyncio.Event()
        self._stopping = False
        self._returns = Returns()
        self._sends = Flights()
        self._offered = False
        self._exchanged = asyncio.Event()
        self._exchanged.set()
        self._stale = False
        self._errands = Errands()
        for lane in lanes:
            self.add(lane)

    def add(self, lane: Lane) -> None:
        """One more lane; while the relay runs only `between` two exchanges."""
        self.lanes[lane.id] = lane
        self._observed.begin(lane)

    def show(self) -> None:
        """Set the gauges of lanes: they are asked when somebody looks."""
        for lane in self.lanes.values():
            self._observed.show(lane)

    async def between(self, act: Callable[[], Awaitable[None]]) -> None:
        """Have lanes changed while nothing is being claimed for them, or made for sending.

        UsageError when the relay stops before it comes to that.
        """
        if self._stopping:
            raise stops()
        done = self._errands.ask(act)
        self._wake.set()
        await done

    async def looked(self) -> None:
        """Once an exchange that is under way is over, so that lanes know what waits on them."""
        await self._exchanged.wait()  # once: where much waits, others begin at its end

    def offer(self) -> Offer:
        """What lanes on which nothing waits would send at once, and what came back."""
        wishes = self._asked(Lane.offer) if self._sends.open and not self._stopping else []
        for wish in wishes:
            self.lanes[wish.lane_id].claiming = True
        self._offered = True
        return Offer({wish.lane_id: wish for wish in wishes}, self._returns.take())

    def take(self, offer: Offer, recorded: Recorded | None) -> None:
        """The intake has recorded deliveries, and claimed what lanes had offered to send."""
        self._offered = False
        for number in offer.wishes:
            self.lanes[number].claiming = False
        if recorded is None:
            self._returns.give_back(offer.news)
            self._wake.set()
            return
        self._returns.written(offer.news)
        for number in recorded.lanes:
            self.lanes[number].look()
        for number, requests in recorded.sends.items():
            self.lanes[number].claimed(requests)
            self._start_all(self.lanes[number], requests)
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; `run` ends when what is under way has been answered."""
        self._stopping = True
        self._wake.set()

    def idle(self) -> bool:
        """True when every Alert is delivered, parked, withdrawn or held on a closed lane."""
        return not (
            self._sends
            or self._returns
            or not self._exchanged.is_set()
            or self._stale
            or any(
                lane.closed is None and (lane.ready or lane.next_due is not None)
                for lane in self.lanes.values()
            )
        )

    def hold(self, lane: Lane) -> None:
        """A lane that an operator has paused, as the ledger says."""
        lane.close(ClosedReason.OPERATOR, self.clock())

    def close_lane(self, lane: Lane, reason: ClosedReason, detail: str) -> None:
        """Stop a lane; its Alerts are held."""
        already = lane.closed
        lane.close(reason, self.clock())
        self._returns.changed(LaneChange(lane.id, reason, detail, self.clock()))
        if already is not reason:
            _log.error("lane.closed", **names(lane), reason=reason.value, detail=detail)

    def open_lane(self, lane: Lane, *, carefully: bool) -> None:
        """Let a lane send again; responsibility for what it holds is read anew."""
        lane.open(carefully=carefully)
        self._returns.changed(LaneChange(lane.id, None, "", self.clock()))
        self._wake.set()
        _log.info("lane.opened", **names(lane))

    def forget(self, row: LaneRow) -> None:
        """A lane that no file names any more: what it holds, it keeps."""
        detail = "the user or channel is not in the service users file any more"
        if row.id in self.lanes:
            self.lanes[row.id].adapter = None
            self.close_lane(self.lanes[row.id], ClosedReason.USER_REMOVED, detail)
        elif row.closed is not ClosedReason.USER_REMOVED:
            change = LaneChange(row.id, ClosedReason.USER_REMOVED, detail, self.clock())
            self._returns.changed(change)

    def move_along(self, step: timedelta) -> None:
        """The clock was set by `step`, as the ledger has it already; only `between` exchanges."""
        for lane in self.lanes.values():
            lane.move_along(step)
        self._returns.move_along(step)

    def take_over(self, old: int, new: int) -> None:
        """What is under way on one lane is the other's from now on: its answers settle there, and
        until then nothing is sent to the hubs that it is about."""
        gone = self.lanes.get(old)
        if gone is not None:
            self.lanes[new].in_flight |= gone.in_flight
            gone.in_flight = {}

    def refresh(self) -> None:
        """An operator's command has changed the ledger: look there again."""
        self._stale = True
        self.wake()

    def wake(self) -> None:
        """A lane may have something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Exchange and send until stopped, then drain."""
        async with self._sends:
            while not self._stopping:
                self._wake.clear()
                await self._errands.run(lambda: self._stopping)
                if self._stale:
                    await self._look_again()
                self._probe()
                wishes = self._asked(Lane.wish)
                if not wishes and (seconds := self._pause()) > 0:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await self._wake.wait()
                    continue
                exchanged = await self._exchange(wishes)
                for number, requests in exchanged.sends.items():
                    self._start_all(self.lanes[number], requests)
            self._errands.refuse()
            await self._drain()
        await self._finish()

    async def _look_again(self) -> None:
        """Take over what an operator did to lanes; any of them may have something to claim now."""
        self._stale = False
        try:
            closed = await self.ledger.call(why_closed)
            rest = await self.ledger.call(resting)
        except LedgerUnavailable as error:
            self._stale = True
            await self._unavailable(error)
            return
        except LedgerGone:
            self._stopping, self.drain = True, min(self.drain, LAST)
            return
        changing, answering = self._returns.lanes_changing, self._returns.lanes_answering
        for lane in self.lanes.values():
            self._take_over(lane, closed[lane.id], changing=lane.id in changing)
            if lane.id not in rest | answering:
                lane.rise()
            lane.look()

    def _take_over(self, lane: Lane, reason: ClosedReason | None, *, changing: bool) -> None:
        if lane.closed in BY_FILES:
            if reason is None and not changing:  # resumed, but its reason stands
                self._returns.changed(LaneChange(lane.id, lane.closed, "", self.clock()))
        elif reason is ClosedReason.OPERATOR:
            if lane.closed is not reason:
                lane.close(reason, self.clock())
                _log.warning("lane.closed", **names(lane), reason=reason.value, by="operator")
        elif lane.closed is ClosedReason.OPERATOR or (
            reason is None and lane.closed is not None and not changing
        ):
            if lane.fault:  # it would have nobody to send with
                self.close_lane(lane, ClosedReason.ADAPTER_BROKEN, lane.fault)
            else:
                lane.open(carefully=True)
                _log.info("lane.opened", **names(lane), by="operator")

    async def _unavailable(self, error: LedgerUnavailable) -> None:
        self.metrics.ledger_up.set(0)
        _log.error("ledger.unavailable", part="relay", detail=str(error), advice="retrying")
        await asyncio.sleep(1.0)

    def _asked(self, ask: Callable[[Lane, datetime, float], Wish | None]) -> list[Wish]:
        now, monotonic = self.clock(), time.monotonic()
        wishes = [(lane, ask(lane, now, monotonic)) for lane in self.lanes.values()]
        return [renders_safely(lane, wish) for lane, wish in wishes if wish is not None]

    def _pause(self) -> float:
        """Seconds until there is something to do, when no lane wishes anything."""
        longest = pause(self.lanes.values(), self.clock())
        wait = None if self._offered else self._returns.wait()  # now the ledger is busy
        return longest if wait is None else min(wait, longest)

    def _probe(self) -> None:
        now = self.clock()
        for lane in self.lanes.values():
            if lane.closed is not None and lane.probe_at is not None and lane.probe_at <= now:
                self.open_lane(lane, carefully=True)

    async def _exchange(self, wishes: Sequence[Wish]) -> Exchanged:
        news = self._returns.take()
        self._exchanged.clear()
        for wish in wishes:
            # not after the exchange: the intake may record for it while it runs
            self.lanes[wish.lane_id].ready = False
            self.lanes[wish.lane_id].claiming = True
        try:
            with self.metrics.commit.labels("relay").time():
                exchanged = await self.ledger.call(
                    exchange, news=news, wishes=wishes, now=self.clock(), withdrawn=self.withdrawn
                )
        except LedgerUnavailable as error:
            self._returns.give_back(news)
            for wish in wishes:
                self.lanes[wish.lane_id].ready = True
            await self._unavailable(error)
            return NOTHING
        except LedgerGone:
            self._stopping, self.drain = True, min(self.drain, LAST)
            return NOTHING
        finally:
            self._exchanged.set()  # who waits for it goes on behind all that follows here
            for wish in wishes:
                self.lanes[wish.lane_id].claiming = False
        self._returns.written(news)
        self.metrics.ledger_up.set(1)
        self._took(wishes, exchanged)
        return exchanged

    def _took(self, wishes: Sequence[Wish], exchanged: Exchanged) -> None:
        for wish in wishes:
            lane = self.lanes[wish.lane_id]
            requests = exchanged.sends.get(lane.id, ())
            idle_at = exchanged.idle_at.get(lane.id)
            next_due = exchanged.next_due.get(lane.id)
            lane.took(requests, next_due, another=wish.meanwhile is not None, idle_at=idle_at)
            for each in exchanged.ended.get(lane.id, ()):
                lane.ready = True
                self._observed.ended(lane, each)

    def _start_all(self, lane: Lane, requests: Sequence[Sequence[Claimed]]) -> None:
        if not self._sends.open:  # too late: it is `unknown` at the next start
            return
        # as the lane is at this moment: the files may give it another adapter meanwhile
        channel, adapter = lane.channel, lane.adapter
        together = adapter is not None and delivers_each(adapter)
        for block in [requests] if together else [[each] for each in requests]:
            back = partial(self._answered, lane, adapter, started=time.monotonic())
            sending = Sending(lane, channel, adapter, block, back)
            self._sends.start(sending.run(), channel.timeout, sending.give_up)

    def _answered(
        self,
        by: Lane,
        adapter: Adapter[Options] | None,
        claimed: Sequence[Claimed],
        outcomes: Sequence[Outcome],
        *,
        started: float,
    ) -> None:
        """`by` is the lane that sent it, with this adapter."""
        self._observed.sent(by.channel, time.monotonic() - started)
        lane = heir(self.lanes.values(), by, claimed)
        live = lane is by and adapter is lane.adapter  # that the lane still has
        now = self.clock()
        was_failing = lane.failing
        settled = lane.answered(claimed, outcomes, now)
        self._returns.settled(settled, {by.id: LaneAnswer(words(outcomes[-1]), by.rest_until)})
        for each, outcome, settlement in zip(claimed, outcomes, settled, strict=True):
            self._observed.answered(by, each, outcome, settlement, now)
        closed = next((each for each in outcomes if isinstance(each, Closed)), None)
        if closed is not None:
            # an operator's pause outlasts what was under way; a fault of the adapter that went is
            # none of the one that came
            if live and lane.closed is None:
                self.close_lane(lane, ClosedReason(closed.reason), closed.detail)
        else:
            self._observed.turned(lane, outcomes[0], was_failing=was_failing)
        self._wake.set()

    async def _drain(self) -> None:
        """Wait for the answers of what is under way; what stays without one becomes unknown."""
        if self._sends:
            sends = sum(len(lane.in_flight) for lane in self.lanes.values())
            _log.info("relay.draining", sends=sends, seconds=self.drain)
        await self._sends.land(self.drain)
        now = self.clock()
        for lane in self.lanes.values():
            self._returns.settled(lane.unanswered(now), {})

    async def _finish(self) -> None:
        """Write the last answers; those that can't be written are `unknown` at the next start."""
        give_up = time.monotonic() + FINISH
        while self._returns.wait() is not None and time.monotonic() < give_up:
            await self._exchange([])
