"""A real intake with the shipped rules on a real ledger, and a source that is told what to give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from router.deciding.batch import Batch, Known
from router.deciding.engine import Engine
from router.deciding.judgement import Found, Judgement
from router.domain.facts import Activation, Data
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.intake.intake import Intake
from router.lanes.values import Offer, Recorded
from router.language.rules import Rules
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Cursor, Message, Options
from support.ledgers import ask, asked_beside, lane_of, standing
from support.samples import NOW, body, user

SHIPPED = Path(__file__).parents[2] / "rules"
SUPPLIER = frozenset({Role.IMPORT_SUPPLIER, Role.EXPORT_SUPPLIER, Role.GAS_SUPPLIER})
USERS = {user(n): ServiceUser(user(n), f"User {n}", SUPPLIER) for n in (1, 2)}


class Fed:
    """A source that gives one group at a time: the next when this one is acknowledged."""

    Config: ClassVar[type[Options]] = Options

    def __init__(self, groups: Sequence[Sequence[bytes | Cursor]], ledger: str) -> None:
        self.groups = groups
        self.ledger = ledger
        self.acknowledged: list[bytes] = []
        self.pieces: list[list[bytes]] = []
        """The same, as they were acknowledged together."""
        self.deliveries: Mapping[bytes, int] = {}
        """How often a body had been given out before; 0 where it says nothing."""
        self.given = 0
        self.left_with: list[bytes] | None = None
        """What was acknowledged by the time it was left; None until then."""
        self.all_given = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()
        self._next = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def messages(
        self, cursors: Mapping[str, Cursor]
    ) -> AsyncGenerator[Message | Cursor, None]:
        """From where the ledger says that we were; what is a Cursor stays one."""
        skip = cursors["feed"].offset if "feed" in cursors else 0
        self.started.set()
        if self.gate is not None:
            await self.gate.wait()
        try:
            for group in self.groups:
                for raw in group:
                    if isinstance(raw, Cursor):
                        yield raw
                        continue
                    self.given += 1
                    if self.given > skip:
                        cursor = Cursor("feed", self.given, self.given)
                        again = self.deliveries.get(raw, 0)
                        yield Message(raw, f"feed:{self.given}", cursor, deliveries=again)
                if self.given > skip:
                    await self._next.wait()
                    self._next.clear()
            self.all_given.set()
            await asyncio.Event().wait()
        finally:
            self.left_with = list(self.acknowledged)

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Only what another process can read in the ledger by now may be acknowledged."""
        question = "SELECT \"offset\" FROM cursors WHERE key = 'feed'"
        ((offset,),) = asked_beside(self.ledger, question)
        last = messages[-1].cursor
        assert last is not None
        assert last.offset <= offset
        self.pieces.append([each.body for each in messages])
        self.acknowledged += self.pieces[-1]
        self._next.set()

    def exhausted(self) -> bool:
        """True when all was given."""
        return self.all_given.is_set()

    def down(self) -> str | None:
        """Never."""
        return None


class Watched(Judgement):
    """Judges as ever, and lets a test look in before each judgement, on the event loop."""

    look: Callable[[Sequence[Found], Sequence[Found]], None]
    loop: asyncio.AbstractEventLoop

    def judge(
        self,
        found: Sequence[Found],
        known: Known,
        now: datetime,
        waiting: Sequence[Found] = (),
        *,
        whole: bool = True,
    ) -> Batch:
        """Not before the test has had its look."""

        async def look() -> None:
            self.look(found, waiting)

        asyncio.run_coroutine_threadsafe(look(), self.loop).result()
        return super().judge(found, known, now, waiting, whole=whole)


class Unsent:
    """Where there is no relay: everything waits, and which lanes have something is remembered."""

    def __init__(self, lanes: set[int], running: Running) -> None:
        self.lanes = lanes
        self.running = running

    async def looked(self) -> None:
        """Nobody looks."""

    def offer(self) -> Offer:
        """Nothing is sent at once, and nothing came back."""
        self.running.before_recording()
        return Offer()

    def take(self, offer: Offer, recorded: Recorded | None) -> None:
        """What waits now."""
        assert offer == Offer()
        if recorded is not None:
            self.lanes |= recorded.lanes


class Running:
    """An intake with the shipped rules on a real ledger."""

    def __init__(self, ledger: LedgerThread, rules: Rules, engine: Engine) -> None:
        self.ledger = ledger
        self.database = database = ledger.database
        self.metrics = Metrics()
        self.lanes = {name: [lane_of(database, name)] for name in USERS}
        self.notified: set[int] = set()
        self.before_recording: Callable[[], None] = lambda: None
        self.judgement = Judgement(rules, USERS, engine)
        self.now = NOW

    async def take(
        self,
        *groups: Sequence[bytes | Cursor],
        wait: bool = True,
        gate: asyncio.Event | None = None,
        deliveries: Mapping[bytes, int] | None = None,
    ) -> Fed:
        """Take these groups in, each as one batch; not before the gate opens."""
        if isinstance(self.judgement, Watched):
            self.judgement.loop = asyncio.get_running_loop()
        self.intake = Intake(
            self.ledger,
            self.judgement,
            standing(self.lanes),
            outlet=Unsent(self.notified, self),
            metrics=self.metrics,
            clock=lambda: self.now,
        )
        source = Fed(groups, self.database.url)
        source.gate = gate
        source.deliveries = deliveries or {}
        self.metrics.ledger_up.set(1)
        self.task = asyncio.create_task(self.intake.run("drop", source))
        await self.until(source.started.is_set)
        if wait:
            await self.until(lambda: self.intake.idle([source]))
            await self.stop()
        return source

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to come true; the limit is there to fail, not to measure."""
        for _ in range(20_000):
            if done():
                return
            assert not self.task.done(), self.task
            await asyncio.sleep(0.001)
        await self.stop()
        raise AssertionError("it did not happen")

    async def stop(self) -> None:
        self.intake.stop()
        await self.task

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        return ask(self.database, question)

    def verdicts(self) -> list[tuple[str, str | None, str]]:
        """(event, company, verdict), in the order of decision."""
        return [
            (row[0], row[1], row[2])
            for row in self.ask(
                "SELECT event_id, party_id, verdict FROM decisions d JOIN facts f ON f.id = fact_id"
                " ORDER BY d.id"
            )
        ]

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 where nothing was counted."""
        return self.metrics.registry.get_sample_value(f"hubherald_{name}", labels) or 0.0

    def waiting(self) -> list[str]:
        """The reasons of what is in quarantine, sorted."""
        return [row[0] for row in self.ask("SELECT reason FROM holding ORDER BY reason")]


def fact(data: Data, event_id: str, *, time: str = "2026-01-01T00:00:00Z") -> bytes:
    more: dict[str, str] = {} if isinstance(data, Activation) else {"time": time}
    return body(json.loads(data.model_dump_json()), id=event_id, type=data.type.value, **more)
