"""An adapter as the router has it: entered, sent through under a deadline, and left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from router.conformance.alerts import USER, alert
from router.conformance.harness import Harness, Peer
from router.conformance.scenario import until
from router.conformance.situations import NETWORK, Situation
from router.delivery.adapters import AdapterSpec, RunningAdapter
from router.delivery.sending import delivers_each, send, words
from router.domain.users import Channel
from router.lanes.lane import Lane
from router.lanes.values import Claimed
from router.ports import (
    Adapter,
    Alert,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Options,
    Outcome,
    Reason,
    Recipient,
    Renders,
    Retry,
)
from router.ports.discretion import redactor
from router.ports.origins import Origin

SECONDS = 30.0
"""The deadline of a send, where a channel gives none."""


@dataclass(frozen=True, slots=True)
class ClassSpec(AdapterSpec):
    """Made from a class at hand, not from an entry point."""

    made_by: type[Adapter[Any]] | None = None

    @property
    def origin(self) -> Origin:
        """Whose it is."""
        return Origin(self.kind, module=self.made_by.__module__ if self.made_by else "")

    def make(self) -> Adapter[Options]:
        """A new one."""
        assert self.made_by is not None
        made: Adapter[Options] = self.made_by(self.options)
        introduce = getattr(made, "introduce", None)
        if introduce is not None:
            introduce(self.originator, self.recipient)
        return made


class AdapterTrial:
    """One adapter at work."""

    def __init__(self, harness: Harness, running: RunningAdapter) -> None:
        self.harness = harness
        self.running = running
        self.adapter = running.entered
        """What lanes have of it."""
        self.plain = running.adapter
        """As its class made it."""
        self._claims = 0

    async def delivery(self, made: Alert, batch: str | None = None) -> Delivery:
        """Of an Alert, with its bytes: rendered in a thread, as in the ledger's."""
        adapter = self.adapter
        if not isinstance(adapter, Renders):
            return Delivery(made, made.event(), batch)
        return Delivery(made, await asyncio.to_thread(adapter.render, made), batch)

    async def deliveries(
        self, numbers: Iterable[int], batch: str | None = None
    ) -> Sequence[Delivery]:
        """Of the Alerts of these numbers."""
        return [await self.delivery(alert(number), batch) for number in numbers]

    async def each(
        self, requests: Sequence[Sequence[Delivery]], within: float = SECONDS
    ) -> list[list[Outcome]]:
        """Requests that are under way at once: of each, the outcomes. Nothing here is a bug of the
        adapter; one that goes on when it is cancelled at its deadline fails the test."""
        blocks = [requests] if delivers_each(self._entered) else [[each] for each in requests]
        sent = [asyncio.ensure_future(self._send(block, within)) for block in blocks]
        try:
            await asyncio.wait(sent, timeout=within + self.harness.patience)
            deaf = [each for each in sent if not each.done()]
            assert not deaf, (
                "`deliver` went on when it was cancelled at its deadline; let CancelledError out"
            )
        finally:
            for each in sent:
                each.cancel()
        return [outcomes for block in sent for outcomes in block.result()]

    async def together(
        self, deliveries: Sequence[Delivery], within: float = SECONDS
    ) -> list[Outcome]:
        """Those of one request."""
        (outcomes,) = await self.each([deliveries], within)
        return outcomes

    async def one(self, delivery: Delivery, within: float = SECONDS) -> Outcome:
        """That of one Alert, alone."""
        (outcome,) = await self.together([delivery], within)
        return outcome

    async def number(self, number: int, within: float = SECONDS) -> Outcome:
        """That of the Alert of this number."""
        return await self.one(await self.delivery(alert(number)), within)

    async def arrives(self, delivery: Delivery) -> None:
        """Sent until it is delivered, as connections that were lost may cost a try or two."""
        outcome: Outcome | None = None
        for _ in range(3):
            outcome = await self.one(delivery)
            if isinstance(outcome, Delivered):
                return
        assert outcome is not None
        raise AssertionError(f"the other side takes Alerts again, and still: {words(outcome)}")

    def begin(self, delivery: Delivery) -> asyncio.Task[list[list[Outcome]]]:
        """A send, to be cancelled."""
        return asyncio.ensure_future(self._send([[delivery]], SECONDS))

    async def cancelled(self, sent: asyncio.Task[Any]) -> None:
        """Cancel it, and see that it ends."""
        sent.cancel()
        in_time = await until(sent.done, self.harness.patience)
        assert in_time, "`deliver` went on when it was cancelled; let CancelledError through"

    @property
    def _entered(self) -> Adapter[Options]:
        assert self.adapter is not None
        return self.adapter

    async def _send(
        self, requests: Sequence[Sequence[Delivery]], within: float
    ) -> list[list[Outcome]]:
        spec, running = self.running.spec, self.running
        channel = Channel("conformance", spec.kind, spec.options, timeout=within)
        origin, redact = running.origin, running.redact
        lane = Lane(0, USER, channel, self.adapter, redact=redact, origin=origin)
        claimed = [[self._claim(each) for each in request] for request in requests]
        found: dict[int, list[Outcome]] = {}

        def came(request: Sequence[Claimed], outcomes: Sequence[Outcome]) -> None:
            found[request[0].id] = [*outcomes]

        await send(lane, channel, self.adapter, claimed, came)
        for outcomes in found.values():
            for outcome in outcomes:
                _keeps_the_contract(outcome)
        return [found[request[0].id] for request in claimed]

    def _claim(self, delivery: Delivery) -> Claimed:
        self._claims += 1
        at = delivery.alert.decided_at
        until_then = at + timedelta(hours=48)
        return Claimed(self._claims, 0, delivery, at, 1, 0, until_then, delivery.batch)


def _keeps_the_contract(outcome: Outcome) -> None:
    bug = isinstance(outcome, Retry) and outcome.reason is Reason.BUG
    breach = isinstance(outcome, Closed) and outcome.reason is ChannelFault.ADAPTER
    assert not bug and not breach, words(outcome)


def options_of(harness: Harness, peer: Peer) -> Options:
    """Those of the peer, as the adapter has them."""
    folder = {"folder": Path.cwd()}
    made = harness.adapter.Config.model_validate(dict(peer.options), context=folder)
    assert isinstance(made, Options)
    return made


@asynccontextmanager
async def entered(
    harness: Harness, peer: Peer, *, raw: bool = False
) -> AsyncIterator[AdapterTrial]:
    """An adapter for this peer; left in the end, in time. `raw`: what it says is not redacted."""
    options = options_of(harness, peer)
    recipient = Recipient(USER, "5.4")
    kind = harness.adapter.__name__
    spec = ClassSpec(kind, options, harness.originator, recipient, made_by=harness.adapter)
    hide = str if raw else redactor(options, harness.originator)
    running = RunningAdapter(spec, SECONDS, spec.origin, hide)
    stay = await running.enter()
    assert stay is not None, running.fault
    try:
        yield AdapterTrial(harness, running)
    finally:
        await stay.leave(harness.patience)


@asynccontextmanager
async def meeting(
    harness: Harness, situation: Situation = Situation.TAKES, *, raw: bool = False
) -> AsyncIterator[tuple[Peer, AdapterTrial]]:
    """A new peer in this situation, and an adapter for it, which is entered before a network
    fails."""
    late = situation in NETWORK
    async with harness.peer() as peer:
        if not late:
            await peer.turn(situation)
        async with entered(harness, peer, raw=raw) as trial:
            if late:
                await peer.turn(situation)
            yield peer, trial
