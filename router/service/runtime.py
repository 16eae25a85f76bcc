"""What is live: the rules and users that decide, the lanes and adapters that deliver.

A reload changes all of it as a whole, between two facts: whatever fails before leaves everything
as it was. Alerts that are under way keep the rules that they were decided by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from router.clock import Clock
from router.config.loading import Config
from router.deciding.batch import LaneOfUser, Standing
from router.deciding.decisions import Verdict
from router.deciding.engine import Engine
from router.deciding.judgement import Judgement
from router.deciding.responsibility import Responsibility
from router.delivery.adapters import AdapterPool, ByLane
from router.delivery.reconcile import reconcile
from router.delivery.relay import Relay
from router.domain.timestamps import rfc3339
from router.intake.intake import Intake
from router.lanes.succession import stranded
from router.lanes.values import LaneKey, LaneRow, TakenOver
from router.ledger.deliveries import lost_attempts
from router.ledger.documents import Text, go_live
from router.ledger.pauses import end_pauses
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.service.timekeeping import Timekeeper

_log = structlog.get_logger(__name__)


class Runtime:
    """The intake and the relay, with the rules and users that they work by."""

    def __init__(  # the parts of a router
        self,
        config: Config,
        engine: Engine,
        *,
        ledger: LedgerThread,
        pool: AdapterPool,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.config = config
        self.engine = engine
        self.metrics = metrics
        self._ledger = ledger
        self._pool = pool
        self.clock = clock
        self.since: datetime
        """When these rules and users went live; from `begin` on."""
        self.relay = Relay(
            ledger,
            [],
            withdrawn=Responsibility(config.users.by_id, clock),
            metrics=metrics,
            clock=clock,
        )
        self.intake = Intake(
            ledger,
            Judgement(config.rules, config.users.by_id, engine, config.facts),
            _standing(config, {}),
            outlet=self.relay,
            metrics=metrics,
            clock=clock,
        )

        self.timekeeper = Timekeeper(
            clock, ledger=ledger, relay=self.relay, pause=self.intake.between, metrics=metrics
        )

    def name_of(self, service_user_id: str) -> str | None:
        """The name of a Service User that is live; None of others."""
        user = self.config.users.by_id.get(service_user_id)
        return user.name if user else None

    async def begin(self) -> None:
        """Set up lanes and adapters, before anything runs."""
        await self.timekeeper.begin()
        config, now = self.config, self.clock()
        adapters = await self._pool.prepare(config.users.by_id.values())
        await self._ledger.call(end_pauses, now)
        rows = await self._ledger.call(go_live, _texts(config), _lanes(config), now)
        self._put(config, self.engine, adapters, rows)
        tell_lanes(rows, config.users.channels)
        lost = await self._ledger.call(lost_attempts, now)
        if lost:
            _log.warning("deliveries.unknown", count=lost, advice="sent again, same id and body")

    async def change(
        self, config: Config, engine: Engine, *, trigger: str, by: str = ""
    ) -> Sequence[str]:
        """Make other rules and users live, between two facts; gives what there is to say of lanes.

        Nothing has changed when this raises: LedgerUnavailable, or UsageError when the router
        stops. `trigger` and `by` say in the record what asked, and who.
        """
        self._pool.discretion.learn(config.users)
        adapters = await self._pool.prepare(config.users.by_id.values())
        old = self.engine
        told = {"trigger": trigger, "by": by, "from": _digests(self.config), "to": _digests(config)}

        told_lanes: list[str] = []

        async def take_over() -> None:
            texts, lanes = _texts(config), _lanes(config)
            rows = await self._ledger.call(go_live, texts, lanes, self.clock(), reload=told)
            self._put(config, engine, adapters, rows)
            told_lanes.extend(tell_lanes(rows, config.users.channels))

        try:
            async with self.intake.between():
                await self.relay.between(take_over)
        except BaseException:
            self._pool.abandon(adapters)
            raise
        old.close()
        return told_lanes

    def _put(
        self, config: Config, engine: Engine, adapters: ByLane, rows: Mapping[LaneKey, LaneRow]
    ) -> None:
        users = config.users.by_id
        self.config, self.engine = config, engine
        self.intake.change(
            Judgement(config.rules, users, engine, self.config.facts), _standing(config, rows)
        )
        self.relay.withdrawn = Responsibility(users, self.clock)
        reconcile(self.relay, users.values(), adapters, rows)
        self._pool.serve(adapters)
        self.metrics.rules.set(len(config.rules.rules))
        for rule in config.rules.rules:  # what never fired is to be seen, too
            verdict = Verdict.ALERTED if rule.alert is not None else Verdict.SUPPRESSED
            self.metrics.rule_hits.labels(rule.name, verdict.value)
        self.metrics.service_users.clear()
        for user in users.values():
            self.metrics.service_users.labels(user.id, user.name).set(1)
        self.metrics.rules_info.clear()
        self.metrics.rules_info.labels(config.rules.digest).set(1)
        self.since = self.clock()
        self.metrics.rules_loaded.set(self.since.timestamp())


def _texts(config: Config) -> tuple[Text, Text]:
    rules, users = config.rules, config.users
    return Text("rules", rules.digest, rules.text), Text("users", users.digest, users.text)


def _digests(config: Config) -> dict[str, str]:
    return {"rules": config.rules.digest, "users": config.users.digest}


def _lanes(config: Config) -> list[tuple[str, str, str]]:
    return [
        (user.id, channel.name, channel.adapter)
        for user in config.users.by_id.values()
        for channel in user.channels
    ]


def tell_lanes(rows: Mapping[LaneKey, LaneRow], wanted: Collection[LaneKey]) -> list[str]:
    """Log which channels have taken over from others, and what waits in vain; gives the lines."""
    lines = []
    for (user, channel), row in rows.items():
        if row.took_over is not None and (row.took_over.deliveries or row.took_over.paused):
            took = row.took_over
            named = {"recipient": user, "channel": channel, "before": took.channel}
            _log.info("lane.took_over", **named, alerts=took.deliveries, paused=took.paused)
            lines.append(_words(user, channel, took))
    for each in stranded(rows, wanted):
        _log.warning(
            "lane.stranded",
            recipient=each.service_user_id,
            channel=each.channel,
            waiting=each.waiting,
            oldest=rfc3339(each.oldest),
            advice=each.command,
        )
        lines.append(f"held: {each}")
    return lines


def _words(user: str, channel: str, took: TakenOver) -> str:
    count = "1 Alert" if took.deliveries == 1 else f"{took.deliveries:,} Alerts"
    said = f"moved: {count} from {user}/{took.channel} to {user}/{channel}"
    resume = f"; paused as before: `hubherald lanes resume {user} {channel}`"
    return said + (resume if took.paused else "")


def _standing(config: Config, rows: Mapping[LaneKey, LaneRow]) -> Standing:
    of_user = {
        user.id: [
            LaneOfUser(rows[(user.id, channel.name)].id, timedelta(hours=channel.hold_hours))
            for channel in user.channels
            if (user.id, channel.name) in rows
        ]
        for user in config.users.by_id.values()
    }
    return Standing(config.dcc.id, config.rules.digest, config.users.digest, of_user)
