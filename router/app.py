"""The router: everything wired together, from start to SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog
import uvloop

from router.clock import Clock, SteadyClock
from router.config import Config
from router.engine import Engine
from router.errors import RouterError
from router.intake import Intake
from router.judgement import Judgement
from router.lanes import Lane
from router.ledger.batch import Lane as LaneOfUser
from router.ledger.batch import Standing
from router.ledger.deliveries import lost_attempts
from router.ledger.intake import keep_document
from router.ledger.lanes import LaneRow, count_waiting, ensure_lanes
from router.ledger.opening import Database, LedgerUnavailable, Use, open_database
from router.ledger.thread import LedgerThread
from router.metrics import Metrics
from router.operations import Operations
from router.parties import Introduced
from router.ports import ADAPTERS, SOURCES, Adapter, ClosedReason, Source, installed
from router.readiness import Readiness
from router.relay import Relay
from router.responsibility import Responsibility
from router.trial import trial
from router.users import Channel, ServiceUser, UserStatus

LOOK = 0.5
"""Seconds between looks at what other processes changed in the ledger."""
_log = structlog.get_logger(__name__)


def run(config: Config, *, until_idle: bool = False, clock: Clock | None = None) -> None:
    """Route until SIGTERM, or until there is nothing left to do.

    Raises EngineError when the rules can't be trusted, LedgerError when the ledger can't be
    used, UsageError when a port or folder is not to be had; nothing is acknowledged then.
    """
    clock = clock or SteadyClock()
    trial(config.rules)
    engine = Engine(config.rules)
    try:
        with (
            LedgerThread(open_database(config.ledger.url, Use.ROUTE)) as ledger,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_Router(config, engine, ledger, clock).run(until_idle=until_idle))
    except BaseExceptionGroup as group:
        expected = _first_expected(group)
        if expected is None:
            raise
        raise expected from group
    finally:
        engine.close()


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
        self.users: Mapping[str, ServiceUser] = config.users.by_id
        self.engine = engine
        self.ledger = ledger
        self.clock = clock
        self.metrics = Metrics()
        self.metrics.rules.set(len(config.rules.rules))
        self.metrics.rules_info.labels(config.rules.digest).set(1)
        self.metrics.rules_reload.set(1)
        self.stopping = asyncio.Event()

    async def run(self, *, until_idle: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, _refuse_reload)  # its default would kill us
        if self.config.watch:
            _refuse_reload()
        for warning in self.config.warnings:
            _log.warning("config.warning", at=str(warning.location), detail=warning.message)
        async with AsyncExitStack() as stack:
            lanes, rows = await self._lanes(stack)
            sources = await self._sources(stack)
            relay = self._relay(lanes, rows)
            intake = await self._intake(lanes, relay)
            readiness = Readiness(self.metrics, sources=sources, lanes=lanes)
            operations = Operations(
                self.config.operations.host,
                self.config.operations.port,
                metrics=self.metrics,
                not_ready=readiness.not_ready,
                before_scrape=readiness.show,
            )
            await stack.enter_async_context(operations)
            _log.info(
                "router.started",
                listen=f"{operations.host}:{operations.port}",
                rules=len(self.config.rules.rules),
                rules_digest=self.config.rules.digest[:12],
                users=len(self.users),
                lanes=len(lanes),
                sources=sorted(sources),
            )
            await self._work(intake, relay, sources, readiness, until_idle=until_idle)
        _log.info("router.stopped")

    async def _work(
        self,
        intake: Intake,
        relay: Relay,
        sources: Mapping[str, Source],
        readiness: Readiness,
        *,
        until_idle: bool,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            relaying = group.create_task(relay.run())
            ending = group.create_task(self._end(intake, readiness))
            await intake.release()
            async with asyncio.TaskGroup() as taking:
                for name, source in sources.items():
                    taking.create_task(intake.run(name, source))
                watching = group.create_task(self._watch(intake, relay))
                readiness.started = not self.stopping.is_set()
                if until_idle:
                    group.create_task(self._end_when_idle(intake, relay, sources))
                await ending
            watching.cancel()
            relay.stop()
            await relaying

    async def _end(self, intake: Intake, readiness: Readiness) -> None:
        """Beside everything else: what is released at the start may take long, too."""
        await self.stopping.wait()
        readiness.started = False
        _log.info("router.stopping")
        intake.stop()

    async def _end_when_idle(
        self, intake: Intake, relay: Relay, sources: Mapping[str, Source]
    ) -> None:
        quiet = 0
        while quiet < 2 and not self.stopping.is_set():
            await asyncio.sleep(0.05)
            idle = intake.idle(list(sources.values())) and relay.idle()
            quiet = quiet + 1 if idle else 0
        self.stopping.set()

    async def _watch(self, intake: Intake, relay: Relay) -> None:
        """Take over what operators' commands change; keep the gauges of waiting Alerts."""
        seen: int | None = None  # what changed since the lanes were read at the start counts too
        rounds = 0
        while True:
            try:
                if rounds % 10 == 0:
                    await self._show_waiting(relay)
                changes = await self.ledger.call(Database.changes)
                if changes != seen:
                    relay.refresh()
                    await intake.release()
                    seen = changes
            except LedgerUnavailable as error:
                _log.warning("ledger.unavailable", part="watch", detail=str(error))
            rounds += 1
            await asyncio.sleep(LOOK)

    async def _show_waiting(self, relay: Relay) -> None:
        waiting = await self.ledger.call(count_waiting)
        for lane in relay.lanes.values():
            count, oldest = waiting.get(lane.id, (0, None))
            labels = (lane.service_user_id, lane.channel.name)
            self.metrics.waiting.labels(*labels).set(count)
            self.metrics.oldest.labels(*labels).set(oldest.timestamp() if oldest else 0)

    async def _sources(self, stack: AsyncExitStack) -> dict[str, Source]:
        found: dict[str, Source] = {}
        for name, configured in self.config.sources.items():
            kind = installed(SOURCES)[configured.adapter].load()
            found[name] = await stack.enter_async_context(kind(name, configured.options))
        return found

    async def _lanes(
        self, stack: AsyncExitStack
    ) -> tuple[list[Lane], Mapping[tuple[str, str], LaneRow]]:
        known = installed(ADAPTERS)
        wanted = [
            (user.id, channel.name, channel.adapter)
            for user in self.users.values()
            for channel in user.channels
        ]
        rows = await self.ledger.call(ensure_lanes, wanted)
        lanes = []
        for user in self.users.values():
            for channel in user.channels:
                adapter: Adapter | None = None
                if channel.adapter in known and channel.options is not None:
                    kind = known[channel.adapter].load()
                    made: Adapter = kind(channel.options)
                    if isinstance(made, Introduced):
                        made.introduce(self.config.dcc.originator, user.recipient)
                    adapter = await stack.enter_async_context(made)
                row = rows[(user.id, channel.name)]
                lanes.append(Lane(row.id, user.id, channel, adapter, failing=row.failing))
        return lanes, rows

    def _relay(self, lanes: list[Lane], rows: Mapping[tuple[str, str], LaneRow]) -> Relay:
        relay = Relay(
            self.ledger,
            lanes,
            withdrawn=Responsibility(self.users, self.clock),
            metrics=self.metrics,
            clock=self.clock,
        )
        for lane in lanes:
            was = rows[(lane.service_user_id, lane.channel.name)].closed
            reason = self._closed_by_files(lane)
            if reason is not None:
                relay.close_lane(lane, reason, _WHY[reason])
            elif was is ClosedReason.OPERATOR:
                lane.close(was, self.clock())
            elif was is not None:  # a restart is a fresh try
                relay.open_lane(lane, carefully=True)
        relay.forget({row.id: row for row in rows.values()})
        return relay

    def _closed_by_files(self, lane: Lane) -> ClosedReason | None:
        if self.users[lane.service_user_id].status is UserStatus.SUSPENDED:
            return ClosedReason.SUSPENDED
        return ClosedReason.ADAPTER_MISSING if lane.adapter is None else None

    async def _intake(self, lanes: list[Lane], relay: Relay) -> Intake:
        now = self.clock()
        rules, users = self.config.rules, self.config.users
        await self.ledger.call(
            keep_document, digest=rules.digest, kind="rules", content=rules.text, now=now
        )
        await self.ledger.call(
            keep_document, digest=users.digest, kind="users", content=users.text, now=now
        )
        lost = await self.ledger.call(lost_attempts, now)
        if lost:
            _log.warning("deliveries.unknown", count=lost, advice="sent again, same id and body")
        of_user: dict[str, list[LaneOfUser]] = {}
        for lane in lanes:
            of_user.setdefault(lane.service_user_id, []).append(_of_user(lane.id, lane.channel))
        return Intake(
            self.ledger,
            Judgement(rules, self.users, self.engine),
            Standing(self.config.dcc.id, rules.digest, users.digest, of_user),
            notify=relay.notify,
            metrics=self.metrics,
            clock=self.clock,
        )


def _refuse_reload() -> None:
    _log.warning("reload.unavailable", advice="restart to make changed rules and users live")


_WHY = {
    ClosedReason.SUSPENDED: "the user is suspended in the service users file",
    ClosedReason.ADAPTER_MISSING: "the channel's adapter is not installed",
}


def _of_user(number: int, channel: Channel) -> LaneOfUser:
    return LaneOfUser(number, timedelta(hours=channel.hold_hours))
