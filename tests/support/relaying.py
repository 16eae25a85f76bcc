"""A real relay on a real ledger, and small channels whose other side does as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from router.delivery.relay import Relay
from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Offer, Recorded, Withdrawn
from router.ledger.database import Database
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Delivered, Delivery, Options, Outcome
from support.ledgers import ask, fill, lane_of, made, nobody
from support.samples import NOW, user

NOTHING = Recorded(frozenset(), {}, 0)
"""What an intake has recorded that had nothing to record."""
Answers = Callable[[int, Delivery], Outcome]
"""What the other side says: given the number of the request, from 1, and one of its Alerts."""


def takes(_request: int, _delivery: Delivery) -> Outcome:
    """Takes everything."""
    return Delivered("204")


class Recipient:
    """A channel that remembers its requests, in sequence numbers, and answers each Alert."""

    Config: ClassVar[type[Options]] = Options

    def __init__(self, answers: Answers = takes, *, batch: int = 1) -> None:
        self.batch = batch
        self.answers = answers
        self.requests: list[list[int]] = []
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Answer at once."""
        self.requests.append([each.alert.sequence for each in deliveries])
        self.bodies += [each.body for each in deliveries]
        return [self.answers(len(self.requests), each) for each in deliveries]

    @property
    def got(self) -> list[int]:
        """The sequence numbers that came, in order."""
        return [number for request in self.requests for number in request]


class Slow(Recipient):
    """A channel that answers when it is let."""

    def __init__(self, answers: Answers = takes, *, batch: int = 1) -> None:
        super().__init__(answers, batch=batch)
        self.may_answer = asyncio.Event()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Take it now, answer later."""
        outcomes = await super().deliver(deliveries)
        await self.may_answer.wait()
        return outcomes


@dataclass
class Running:
    """A relay at work, with the time in our hands."""

    ledger: LedgerThread
    relay: Relay
    metrics: Metrics
    lanes: list[int]
    now: datetime = NOW
    recorded: dict[int, int] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    async def record(
        self, devices: Sequence[str], *which: int, at_once: bool = True, **more: Any
    ) -> None:
        """Decide Alerts about these hubs, for the users of these lanes (all of them).

        `at_once`: what lanes have room for is claimed with it, as the intake does.
        """
        lanes: Mapping[str, Sequence[int]] = {
            user(place): [self.lanes[place - 1]] for place in which or range(1, len(self.lanes) + 1)
        }
        first = sum(self.recorded.values()) + 1
        self.recorded[first] = len(devices)
        offer = self.relay.offer() if at_once else Offer()
        done = await self.ledger.call(
            fill, devices, lanes, at=self.now, first=first, offer=offer, **more
        )
        self.relay.take(offer, done)

    def passes(self, time: timedelta) -> None:
        """Let time pass, and the relay notice."""
        self.now += time
        self.relay.take(Offer(), NOTHING)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to come true; the limit is there to fail, not to measure."""
        assert self.task is not None
        for _ in range(20_000):
            if done():
                return
            assert not self.task.done(), self.task
            await asyncio.sleep(0.001)
        raise AssertionError("it did not happen")

    async def idle(self) -> None:
        """Wait until there is nothing left to do."""
        await self.until(self.relay.idle)

    async def quiet(self) -> None:
        """Wait until the relay sleeps: nothing to write, nothing to claim."""
        for _ in range(500):
            before = self.exchanges
            for _ in range(20):
                await asyncio.sleep(0.001)
            writes = not self.relay._exchanged.is_set() or self.relay._returns
            if self.exchanges == before and not writes:
                return
        raise AssertionError("it spins")

    async def hurry_until_idle(self) -> None:
        """Let time leap to whatever the lanes wait for, until they wait for nothing."""
        for _ in range(2_000):
            await self.quiet()
            if self.relay.idle():
                return
            lanes = [lane for lane in self.relay.lanes.values() if lane.closed is None]
            rests = {lane.id: lane.rest_until or self.now for lane in lanes}
            waits = [max(lane.next_due or self.now, rests[lane.id]) for lane in lanes]
            waits = [each for each in waits if each > self.now]
            self.passes(max(min(waits, default=self.now) - self.now, timedelta()))
        raise AssertionError("it never ends")

    async def stop(self) -> None:
        """As SIGTERM does."""
        assert self.task is not None
        self.relay.stop()
        await self.task

    def lane(self, place: int = 1) -> Lane:
        """The lane of user `place`."""
        return self.relay.lanes[self.lanes[place - 1]]

    @property
    def exchanges(self) -> float:
        """How often the relay has asked the ledger."""
        return self.metric("ledger_transaction_seconds_count", part="relay")

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric, as a scrape finds it; 0 where nothing was counted."""
        self.relay.show()
        return self.metrics.registry.get_sample_value(f"hubherald_{name}", labels) or 0.0

    async def ask(self, question: str) -> list[tuple[Any, ...]]:
        """What the ledger says, in SQL."""
        return await self.ledger.call(ask, question)

    async def states(self, place: int = 1) -> list[str]:
        """The states of user `place`'s deliveries, by sequence."""
        lane = self.lanes[place - 1]
        question = f"SELECT state FROM deliveries WHERE lane_id = {lane} ORDER BY sequence"
        return [row[0] for row in await self.ask(question)]

    async def outcomes(self) -> list[tuple[str, str | None]]:
        """(outcome, reason) of everything that was settled, in order."""
        return [
            (row[0], row[1])
            for row in await self.ask("SELECT outcome, reason FROM outcomes ORDER BY id")
        ]


@asynccontextmanager
async def relaying(
    folder: Path,
    *recipients: Recipient,
    withdrawn: Withdrawn = nobody,
    drain: float = 30.0,
    database: Database | None = None,
    **channel: Any,
) -> AsyncIterator[Running]:
    """A relay with one user and lane for each recipient; stopped at the end."""
    database = database or made(folder)
    numbers = [lane_of(database, user(place + 1)) for place in range(len(recipients))]
    lanes = [
        Lane(number, user(place + 1), Channel("main", "test", None, **channel), recipient)
        for place, (number, recipient) in enumerate(zip(numbers, recipients, strict=True))
    ]
    metrics = Metrics()
    with LedgerThread(database) as ledger:
        relay = Relay(
            ledger,
            lanes,
            withdrawn=withdrawn,
            metrics=metrics,
            clock=lambda: running.now,
            drain=drain,
        )
        running = Running(ledger, relay, metrics, numbers)
        running.task = asyncio.create_task(relay.run())
        try:
            yield running
        finally:
            relay.stop()
            await running.task


def alert_ids(bodies: Sequence[bytes]) -> set[str]:
    """The ids of the Alerts in these bodies."""
    return {json.loads(each)["id"] for each in bodies}
