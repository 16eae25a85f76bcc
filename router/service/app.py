"""The router: everything wired together, from start to SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial

import structlog
import uvloop

from router.clock import Clock, SteadyClock
from router.config.loading import Config
from router.deciding.engine import Engine
from router.deciding.trial import trial
from router.delivery.adapters import AdapterPool
from router.delivery.relay import Relay
from router.domain.facts import QuarantineReason
from router.errors import RouterError
from router.intake.intake import Intake
from router.ledger.database import Database, LedgerUnavailable, Use, open_database
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Options, Source
from router.ports.entrypoints import SOURCES, installed
from router.service.endpoint import OperationsEndpoint
from router.service.loop_lag import watch_lag
from router.service.observed import ObservedLedger
from router.service.readiness import Readiness
from router.service.reloading import Reloader
from router.service.runtime import Runtime
from router.service.statuspage.page import StatusPage
from router.service.statuspage.state import gather

LOOK = 0.5
"""Seconds between looks at what other processes changed in the ledger."""
AGAIN = 60
"""At how many looks quarantine is asked once what has waited there for long enough."""
_log = structlog.get_logger(__name__)


def keep_hangup() -> None:
    """Have SIGHUP wait until `run` can heed it: while a router starts it would end it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def run(config: Config, *, until_idle: bool = False, clock: Clock | None = None) -> None:
    """Route until SIGTERM, or until there is nothing left to do.

    Raises EngineError when the rules can't be trusted, LedgerError when the ledger can't be
    used, UsageError when a port or folder is not to be had; nothing is acknowledged then.
    """
    clock = clock or SteadyClock()
    trial(config.rules)
    try:
        with (
            LedgerThread(open_database(config.ledger.url, Use.ROUTE)) as ledger,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            router = _Router(config, Engine(config.rules), ledger, clock)
            runner.run(router.run(until_idle=until_idle))
    except BaseExceptionGroup as group:
        expected = _first_expected(group)
        if expected is None:
            raise
        raise expected from group


def _first_expected(group: BaseExceptionGroup[BaseException]) -> RouterError | None:
    for error in group.exceptions:
        if isinstance(error, RouterError):
            return error
        if isinstance(error, BaseExceptionGroup) and (found := _first_expected(error)):
            return found
    return None


class _Router:
    def __init__(self, config: Config, engine: Engine, ledger: LedgerThread, clock: Clock) -> None:
        self.config = config
        self.ledger = ledger
        self.metrics = Metrics()
        self.pool = AdapterPool(config.dcc.originator)
        self.live = Runtime(
            config, engine, ledger=ledger, pool=self.pool, metrics=self.metrics, clock=clock
        )
        self.reloader = Reloader(self.live, self.metrics)
        self.stopping = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def run(self, *, until_idle: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self.hung_up.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        for warning in self.config.warnings:
            where, code = str(warning.location), str(warning.code)
            _log.warning("config.warning", at=where, code=code, detail=warning.message)
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.pool)
                await self.live.begin()
                sources = await self._sources(stack)
                lanes = self.live.relay.lanes
                readiness = Readiness(self.metrics, sources=sources, lanes=lanes)
                operations = OperationsEndpoint(
                    self.config.operations.host,
                    self.config.operations.port,
                    metrics=self.metrics,
                    not_ready=readiness.not_ready,
                    before_scrape=readiness.show,
                    reload=self.reloader.reload,
                    page=StatusPage(
                        self.config.ledger.url,
                        partial(gather, self.live, self.reloader, readiness, sources),
                    ).answer,
                )
                await stack.enter_async_context(operations)
                _log.info(
                    "router.started",
                    listen=f"{operations.host}:{operations.port}",
                    rules=len(self.config.rules.rules),
                    rules_digest=self.config.rules.digest[:12],
                    users=len(self.config.users.by_id),
                    lanes=len(lanes),
                    sources=sorted(sources),
                )
                await self._work(sources, readiness, until_idle=until_idle)
        finally:
            self.live.engine.close()
        _log.info("router.stopped")

    async def _work(
        self, sources: Mapping[str, Source[Options]], readiness: Readiness, *, until_idle: bool
    ) -> None:
        intake, relay = self.live.intake, self.live.relay
        async with asyncio.TaskGroup() as group:
            relaying = group.create_task(relay.run())
            ending = group.create_task(self._end(intake, readiness))
            await intake.release()
            async with asyncio.TaskGroup() as taking:
                for name, source in sources.items():
                    taking.create_task(intake.run(name, source))
                beside = [
                    group.create_task(self._watch(intake, relay)),
                    group.create_task(watch_lag(self.metrics.loop_lag)),
                    group.create_task(self._reload_when_hung_up()),
                ]
                if self.config.watch:
                    beside.append(group.create_task(self.reloader.watch()))
                readiness.started = not self.stopping.is_set()
                if until_idle:
                    group.create_task(self._end_when_idle(intake, relay, sources))
                await ending
            for task in beside:
                task.cancel()
            relay.stop()
            await relaying

    async def _reload_when_hung_up(self) -> None:
        while True:
            await self.hung_up.wait()
            self.hung_up.clear()
            await self.reloader.quietly("SIGHUP")

    async def _end(self, intake: Intake, readiness: Readiness) -> None:
        """Beside everything else: what is released at the start may take long, too."""
        await self.stopping.wait()
        readiness.started = False
        _log.info("router.stopping")
        intake.stop()

    async def _end_when_idle(
        self, intake: Intake, relay: Relay, sources: Mapping[str, Source[Options]]
    ) -> None:
        quiet = 0
        while quiet < 2 and not self.stopping.is_set():
            await asyncio.sleep(0.05)
            idle = intake.idle(list(sources.values())) and relay.idle()
            quiet = quiet + 1 if idle else 0
            if quiet == 2 and await intake.release():  # an import may have come a moment ago
                quiet = 0
        self.stopping.set()

    async def _watch(self, intake: Intake, relay: Relay) -> None:
        """Take over what operators' commands change; keep the gauges of what waits."""
        observed = ObservedLedger(self.ledger, relay.lanes, self.metrics)
        seen: int | None = None  # what changed since the lanes were read at the start counts too
        rounds = 0
        while True:
            try:
                if rounds % 10 == 0:
                    await observed.look()
                if rounds % AGAIN == 0:
                    await intake.release()  # what has waited for long enough
                await self.live.timekeeper.look()
                changes = await self.ledger.call(Database.changes)
                if changes != seen:
                    relay.refresh()
                    await intake.release()
                    seen = changes
            except LedgerUnavailable as error:
                _log.warning("ledger.unavailable", part="watch", detail=str(error))
            rounds += 1
            await asyncio.sleep(LOOK)

    async def _sources(self, stack: AsyncExitStack) -> dict[str, Source[Options]]:
        found: dict[str, Source[Options]] = {}
        for name, configured in self.config.sources.items():
            kind = installed(SOURCES)[configured.adapter].load()
            found[name] = await stack.enter_async_context(kind(name, configured.options))
            self.metrics.duplicates.labels(name)  # counters that begin at 1 show no increase
            self.metrics.misfits.labels(name)
            for reason in QuarantineReason:
                self.metrics.quarantined.labels(name, reason.value)
        return found
