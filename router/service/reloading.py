"""Reloads: rules and users read anew, tried aside, and made live only if all of it is right.

Whoever asks (a signal, the operations endpoint, files that changed) gets the same: either all of
it is live, or nothing has changed and every problem is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from router.config.filewatch import Look, look
from router.config.loading import Config, load
from router.deciding.engine import Engine
from router.deciding.trial import trial
from router.errors import FilesError, RouterError, UsageError
from router.files.redaction import in_one_line
from router.metrics.metrics import Metrics
from router.ports import Aside
from router.service.runtime import Runtime

LOOK = 1.0
"""Seconds between looks at the files, with `watch: true`."""
READ = 30.0
"""Seconds that the files have to be read."""
LONGEST = 60.0
"""Seconds after which, at the latest, `watch` tries again what failed for no mistake in files."""
MOST_WAITING = 5
"""How many may wait for their reload: each reads all files, and takes up what the others would."""
MOST_TOLD = 50
"""Problems in a line of the log, and channels in an answer."""
TRIGGERS = ("http", "SIGHUP", "watch")
"""Who can ask."""
FOR_A_RESTART = ("sources", "ledger", "dcc", "operations", "facts", "watch")
"""What of hubherald.yaml a running router keeps as it was."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReloadRefused:
    """A reload that has changed nothing."""

    at: datetime
    trigger: str
    problems: Sequence[str]
    """Each with its place, as the log has them."""


class Reloader:
    """Reloads what is live, one reload after the other."""

    def __init__(self, live: Runtime, metrics: Metrics) -> None:
        self._live = live
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()
        self._thread = Aside("reload")
        self._waiting = 0
        self.refused: ReloadRefused | None = None
        """The last reload; None when it succeeded, or when there was none."""
        self._looked: Look | None = live.config.looked
        """What the files looked like that are live, or have mistakes; None: try them again."""
        metrics.rules_reload.set(1)
        for trigger in TRIGGERS:  # a counter that begins at 1 shows no increase
            for outcome in ("successful", "refused"):
                metrics.reloads.labels(trigger, outcome)

    async def reload(self, trigger: str, by: str = "") -> str:
        """Make live what the files say now; gives what is live then, in a line for people, and a
        line for each channel that took over from another or left Alerts behind. `by` is who asked.

        RouterError when nothing has changed: FilesError with every problem, EngineError when
        durable_rules can't be trusted with the rules, LedgerUnavailable, UsageError.
        """
        if self._waiting >= MOST_WAITING:
            raise UsageError(f"{self._waiting} reloads wait already, and will read the same files")
        self._waiting += 1
        async with self._one_at_a_time:
            self._waiting -= 1
            try:
                config, lanes = await self._reload(trigger, by)
            except RouterError as error:
                self._refused(trigger, by, error)
                raise
            except Exception as error:  # of somebody's adapter or of ours: the router goes on
                _log.exception("reload.bug", trigger=trigger, by=by)
                found = UsageError(f"the reload failed, the log says where: {error!r}")
                self._refused(trigger, by, found)
                raise found from error
            self.refused = None
            self._metrics.rules_reload.set(1)
            self._metrics.reloads.labels(trigger, "successful").inc()
            _log.info(
                "reload.done",
                trigger=trigger,
                by=by,
                rules=len(config.rules.rules),
                rules_digest=config.rules.digest,
                users=len(config.users.by_id),
                users_digest=config.users.digest,
            )
            more = len(lanes) - MOST_TOLD
            rest = [f"and {more:,} more channels; see `hubherald lanes list`"] if more > 0 else []
            return "\n".join([_words(config), *lanes[:MOST_TOLD], *rest])

    def _refused(self, trigger: str, by: str, error: RouterError) -> None:
        advice = "the old rules and users serve on; "
        if isinstance(error, FilesError):
            advice += "mend the files and reload again"
        else:
            advice += "reload again" + (" (watch does)" if self._live.config.watch else "")
            self._looked = None
        problems = _problems(error)
        self.refused = ReloadRefused(self._live.clock(), trigger, problems)
        self._metrics.rules_reload.set(0)
        self._metrics.reloads.labels(trigger, "refused").inc()
        _log.error(
            "reload.refused",
            trigger=trigger,
            by=by,
            problems=problems,
            advice=advice,
        )

    async def _reload(self, trigger: str, by: str) -> tuple[Config, Sequence[str]]:
        live = self._live
        found = await self._read()
        self._looked = found.looked
        for warning in found.warnings:
            where, code = str(warning.location), str(warning.code)
            _log.warning("config.warning", at=where, code=code, detail=warning.message)
        changed = [key for key in FOR_A_RESTART if _differ(live.config, found, key)]
        if changed:
            advice = "rules and users are reloaded; the rest needs a restart"
            _log.warning("reload.needs_restart", changed=changed, advice=advice)
        await self._thread.call(trial, found.rules)
        config = replace(
            live.config,
            rules_folder=found.rules_folder,
            users_file=found.users_file,
            rules=found.rules,
            users=found.users,
            warnings=found.warnings,
            looked=found.looked,
        )
        engine = Engine(config.rules)
        try:
            lanes = await live.change(config, engine, trigger=trigger, by=by)
        except BaseException:
            engine.close()
            raise
        return config, lanes

    async def watch(self) -> None:
        """Reload when rules or users have changed, and stand still again."""
        last, pause = self._looked, LOOK
        while True:
            await asyncio.sleep(pause)
            seen = await self._thread.call(self._look)
            if seen == last != self._looked:
                await self.quietly("watch")
            last = seen
            pause = LOOK if self._looked is not None else min(2 * pause, LONGEST)

    async def quietly(self, trigger: str) -> None:
        """For whoever gets no answer: the log has it."""
        with suppress(RouterError):
            await self.reload(trigger)

    async def _read(self) -> Config:
        """All files. FilesError has their mistakes; UsageError when they hang."""
        try:
            async with asyncio.timeout(READ):
                self._looked = await self._thread.call(self._look)
                return await self._thread.call(load, self._live.config.file)
        except TimeoutError:
            raise UsageError(
                f"the files of rules and users do not answer within {READ:g} s; is what they, or "
                f"the keys that they name, are mounted from away?"
            ) from None

    def _look(self) -> Look:
        return look(self._live.config.rules_folder, self._live.config.users_file)


def _differ(ours: Config, theirs: Config, key: str) -> bool:
    return bool(getattr(ours, key) != getattr(theirs, key))


def _problems(error: RouterError) -> list[str]:
    if not isinstance(error, FilesError):
        return [in_one_line(str(error), 2_000)]
    told, all_of_them = error.problems[:MOST_TOLD], len(error.problems) + error.more
    more = all_of_them - len(told)
    rest = [f"and {more:,} more; `hubherald check` tells them"] if more else []
    return [*(problem.head for problem in told), *rest]


def _words(config: Config) -> str:
    rules, users = config.rules, config.users
    return (
        f"live: {len(rules.rules)} rules of {config.rules_folder} (digest {rules.digest[:12]}), "
        f"{len(users.by_id)} Service Users of {config.users_file} (digest {users.digest[:12]})"
    )
