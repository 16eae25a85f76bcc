"""The router: everything wired together, from start to SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial

import structlog
import uvloop

from router.clock import Clock, SteadyClock
from router.config.discretion import discretion_of
from router.config.loading import Config, ConfiguredSource
from router.config.unready import UnreadyOptions
from router.deciding.engine import Engine
from router.deciding.trial import trial
from router.delivery.adapters import AdapterPool
from router.delivery.relay import LAST, Relay
from router.domain.words import QuarantineReason
from router.entrypoints import SOURCES, installed
from router.errors import RouterError
from router.intake.absent import AbsentSource
from router.intake.border import bordered
from router.intake.intake import Intake
from router.ledger import lives
from router.ledger.database import LedgerUnavailable
from router.ledger.pauses import end_pauses
from router.ledger.queries.rollout_totals import newest_records
from router.ledger.recorder import changes
from router.ledger.restored import MARGIN, set_ahead
from router.ledger.store import LedgerGone
from router.ledger.thread import LedgerThread
from router.logs import UserNames
from router.logstream import LogStream
from router.metrics.metrics import Metrics
from router.ports import Aside, Options, Source
from router.ports.discretion import Discretion
from router.ports.loading import load
from router.ports.origins import AdapterError, origin_of
from router.ports.theirs import task_of
from router.service.endpoint import OperationsEndpoint
from router.service.headkeeping import AT_THE_END, HeadKeeper
from router.service.idleness import Idleness, Leftover
from router.service.lastresort import LastResort
from router.service.leftovers import let_go, told_by
from router.service.loop_lag import watch_lag
from router.service.observed import ObservedLedger
from router.service.opening import opened, tell_of
from router.service.readiness import Readiness
from router.service.reloading import Reloader
from router.service.rolloutcount import count_rollouts
from router.service.runtime import Runtime
from router.service.statuspage.page import StatusPage
from router.service.statuspage.state import gather
from router.service.whose import Whose

LOOK = 0.5
"""Seconds between looks at what other processes changed in the ledger."""
THREADS = 64
"""For what libraries and adapters hand to a thread, and the pages."""
AGAIN = 60
"""At how many looks quarantine is asked once what has waited there for long enough."""
_log = structlog.get_logger(__name__)


def keep_hangup() -> None:
    """Have SIGHUP wait until `run` can heed it: while a router starts it would end it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def run(
    config: Config,
    *,
    until_idle: bool = False,
    within: float | None = None,
    clock: Clock | None = None,
    discretion: Discretion | None = None,
    log: LogStream | None = None,
    last: LastResort | None = None,
    names: UserNames | None = None,
) -> Leftover:
    """Route until SIGTERM; or until there is nothing left to do, `within` so many seconds.

    Gives what was left to do then; nothing, where it was not to end when idle.

    Of what is given, metrics tell what `log` drops, `last` ends the process when a thread hangs,
    `names` are those of the users that are live, `discretion` learns of secrets.

    Raises EngineError when the rules can't be trusted, LedgerError when the ledger can't be
    used, UsageError when a port or folder is not to be had; nothing is acknowledged then. Also
    LedgerGone, from when on nothing more was acknowledged.
    """
    clock = clock or SteadyClock()
    trial(config.rules)
    try:
        with (
            LedgerThread(opened(config)) as ledger,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            tell_of(ledger.database)
            engine = Engine(config.rules)
            discretion = discretion or discretion_of(config)
            router = _Router(config, engine, ledger, clock, last=last, discretion=discretion)
            if log is not None:
                router.metrics.log_dropped.set_function(lambda: log.dropped)
            if names is not None:
                names.find = router.live.name_of
            runner.run(router.run(until_idle=until_idle, within=within))
            if ledger.gone is not None:
                raise ledger.gone
        if last is not None:
            last.finished()
        return router.left
    except BaseExceptionGroup as group:
        expected = _first_expected(group)
        if expected is None:
            raise
        raise expected from group


async def _show(readiness: Readiness, relay: Relay) -> None:
    """Set the gauges that are asked when somebody looks."""
    await readiness.show()
    relay.show()


async def _unless_gone(work: Awaitable[object]) -> None:
    """Until its end, or the ledger's: then the router ends in order."""
    try:
        await work
    except* LedgerGone:
        pass


def _first_expected(group: BaseExceptionGroup[BaseException]) -> RouterError | None:
    for error in group.exceptions:
        if isinstance(error, RouterError):
            return error
        if isinstance(error, BaseExceptionGroup) and (found := _first_expected(error)):
            return found
    return None


class _Router:
    def __init__(
        self,
        config: Config,
        engine: Engine,
        ledger: LedgerThread,
        clock: Clock,
        *,
        last: LastResort | None,
        discretion: Discretion,
    ) -> None:
        self.last = last
        self.config = config
        self.ledger = ledger
        self.metrics = Metrics()
        self.discretion = discretion
        self.pool = AdapterPool(config.dcc.originator, self.discretion)
        self.live = Runtime(
            config, engine, ledger=ledger, pool=self.pool, metrics=self.metrics, clock=clock
        )
        self.reloader = Reloader(self.live, self.metrics)
        self.heads = HeadKeeper(
            ledger,
            clock,
            self.metrics.head_written,
            access=config.ledger.access,
            folder=config.operations.heads,
        )
        self.stopping = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.left = Leftover()

    async def run(self, *, until_idle: bool, within: float | None) -> None:
        loop = asyncio.get_running_loop()
        # what others hand to a thread may hang, too; uvloop takes any executor
        loop.set_default_executor(Aside("aside", THREADS))
        loop.set_exception_handler(told_by(self.discretion))
        loop.set_task_factory(task_of)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self.hung_up.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        for warning in self.config.warnings:
            where, code = str(warning.location), str(warning.code)
            _log.warning("config.warning", at=where, code=code, detail=warning.message)
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self.pool)
                await self._be_ahead()
                await self.live.begin()
                upto = await self.ledger.call(newest_records)
                sources = await self._sources(stack)
                lanes = self.live.relay.lanes
                readiness = Readiness(
                    self.metrics,
                    sources=sources,
                    lanes=lanes,
                    lost=self.ledger.lost,
                    refusing=self.ledger.refusing,
                )
                operations = OperationsEndpoint(
                    self.config.operations,
                    metrics=self.metrics,
                    not_ready=readiness.not_ready,
                    before_scrape=partial(_show, readiness, self.live.relay),
                    reload=self.reloader.reload,
                    whose=Whose.of(self.config.file, self.config.ledger.url),
                    page=StatusPage(
                        self.config.ledger.url,
                        partial(gather, self.live, self.reloader, readiness, sources),
                        password=self.config.ledger.secret,
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
                idleness = Idleness(self.live.intake, self.live.relay, sources)
                ending = partial(self._end_when_idle, idleness, within) if until_idle else None
                url, rollouts = self.config.ledger.url, self.metrics.rollouts
                counted = partial(count_rollouts, rollouts, url, upto)
                await self._work(sources, readiness, counted, ending)
        finally:
            await self.ledger.after(self.live.engine.close)  # a judgement may be under way there
        left = await let_go()
        if self.last is not None:
            self.last.keep(left)
        with suppress(LedgerUnavailable):  # then the next start is careful for nothing
            await self.ledger.call(lives.end, self.live.clock())
        _log.info("router.stopped")

    async def _be_ahead(self) -> None:
        """On an older state of the ledger, no number is given again."""
        known, now = await self.heads.known(), self.live.clock()
        restored = await self.ledger.call(set_ahead, known, now)
        if restored is not None:
            advice = (
                f"each user's numbers go on {MARGIN:,} further, so that none is given again: tell "
                f"Service Users; what came in since is not in this ledger: see the runbook"
            )
            _log.warning(
                "ledger.restored", detail=restored.why, users=restored.users, advice=advice
            )
        await self.heads.keep()

    def _stop(self) -> None:
        if self.last is not None:
            self.last.begin()
        self.stopping.set()

    async def _work(
        self,
        sources: Mapping[str, Source[Options]],
        readiness: Readiness,
        counted: Callable[[], Coroutine[None, None, None]],
        end_when_idle: Callable[[], Awaitable[None]] | None,
    ) -> None:
        intake, relay = self.live.intake, self.live.relay
        async with asyncio.TaskGroup() as group:
            relaying = group.create_task(relay.run())
            ending = group.create_task(self._end(intake, readiness))
            beside = [group.create_task(self._end_when_gone(intake, relay))]
            beside.append(group.create_task(counted()))
            await _unless_gone(self._begin_life(intake))
            await _unless_gone(intake.release())
            async with asyncio.TaskGroup() as taking:
                for name, source in sources.items():
                    taking.create_task(_unless_gone(intake.run(name, source)))
                beside += [
                    group.create_task(_unless_gone(self._watch(intake, relay))),
                    group.create_task(watch_lag(self.metrics.loop_lag)),
                    group.create_task(self.heads.run()),
                    group.create_task(self._reload_when_hung_up()),
                ]
                if self.config.watch:
                    beside.append(group.create_task(self.reloader.watch()))
                readiness.started = not self.stopping.is_set()
                if end_when_idle is not None:
                    group.create_task(_unless_gone(end_when_idle()))
                await ending
            for task in beside:
                task.cancel()
            relay.stop()
            await relaying
        await self.heads.keep(AT_THE_END)

    async def _begin_life(self, intake: Intake) -> None:
        deaths = await self.ledger.call(lives.begin)
        intake.beware(deaths)
        if deaths:
            _log.warning(
                "router.died",
                times=deaths,
                detail="the last router did not end by itself",
                advice="what it was at is taken up with care; its log may say why",
            )

    async def _reload_when_hung_up(self) -> None:
        while True:
            await self.hung_up.wait()
            self.hung_up.clear()
            await self.reloader.quietly("SIGHUP")

    async def _end(self, intake: Intake, readiness: Readiness) -> None:
        """Beside everything else: what is released at the start may take long, too."""
        await self.stopping.wait()
        self._stop()
        readiness.started = False
        _log.info("router.stopping")
        intake.stop()

    async def _end_when_gone(self, intake: Intake, relay: Relay) -> None:
        """Take and send nothing more at once; end when who asks has had time to hear why.

        The relay waits as long for answers of what is under way.
        """
        await self.ledger.noticed.wait()
        self.metrics.ledger_up.set(0)
        relay.drain = min(relay.drain, LAST)
        intake.stop()
        relay.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST):
                await self.stopping.wait()
        self.stopping.set()

    async def _end_when_idle(self, idleness: Idleness, within: float | None) -> None:
        self.left = await idleness.wait(self.stopping, within)
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
                ended = await self._end_pauses()
                version = await self.ledger.call(changes)
                if ended or version != seen:
                    relay.refresh()
                    await observed.count_withdrawn()
                    await intake.release()
                    seen = version
            except LedgerUnavailable as error:
                _log.warning("ledger.unavailable", part="watch", detail=str(error))
            rounds += 1
            await asyncio.sleep(LOOK)

    async def _end_pauses(self) -> bool:
        """Open the lanes whose pause is over; whether there were any."""
        ended = await self.ledger.call(end_pauses, self.live.clock())
        for user, channel in ended:
            _log.info("lane.pause_over", recipient=user, channel=channel)
        return bool(ended)

    async def _source(
        self, name: str, configured: ConfiguredSource, stack: AsyncExitStack
    ) -> Source[Options]:
        point = installed(SOURCES)[configured.adapter]
        try:
            kind = load(point)
        except AdapterError as error:
            return AbsentSource(name, str(error))
        hide = self.discretion.beside(configured.options)
        source = bordered(kind, partial(kind, name, configured.options), origin_of(point), hide)
        stack.push_async_callback(source.end)
        await source.begin()
        return source

    async def _sources(self, stack: AsyncExitStack) -> dict[str, Source[Options]]:
        found: dict[str, Source[Options]] = {}
        for name, configured in self.config.sources.items():
            options = configured.options
            if isinstance(options, UnreadyOptions):
                found[name] = AbsentSource(name, options.why)
            else:
                found[name] = await self._source(name, configured, stack)
            self.metrics.duplicates.labels(name)  # counters that begin at 1 show no increase
            self.metrics.misfits.labels(name)
            for reason in QuarantineReason:
                self.metrics.quarantined.labels(name, reason.value)
        return found
