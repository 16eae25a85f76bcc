"""What the running router knows of itself, gathered at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from router.config.loading import Config
from router.metrics.rollouts import RolloutSeen
from router.ports import Linked, Options, Source
from router.service.readiness import Readiness
from router.service.reloading import Reloader, ReloadRefused
from router.service.runtime import Runtime


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source of facts."""

    name: str
    adapter: str
    down: str | None
    """Why no facts can come; None while they can."""
    made: int | None
    """Connections made since the start; None where the source keeps none."""
    peer: str = ""
    """Who answers there: product and version."""
    standby: str = ""
    """Why nothing comes though nothing is wrong."""


@dataclass(frozen=True, slots=True)
class RouterState:
    """All of it."""

    version: str
    now: datetime
    not_ready: str | None
    sources: Sequence[SourceState]
    config: Config
    """The rules and users that are live."""
    since: datetime
    """When they went live."""
    refused: ReloadRefused | None
    """The last reload, when it was refused."""
    rollouts: Sequence[RolloutSeen] = ()
    """The busiest versions; none until the ledger is counted."""
    lost: str | None = None
    """Why the ledger at its path is not the router's: what stands there says nothing of it."""

    @property
    def names(self) -> Mapping[str, str]:
        """Of the Service Users, by id."""
        return {user.id: user.name for user in self.config.users.by_id.values()}


def gather(
    live: Runtime,
    reloader: Reloader,
    readiness: Readiness,
    sources: Mapping[str, Source[Options]],
) -> RouterState:
    """Ask all of them."""
    down = readiness.down()
    return RouterState(
        version=version("hubherald"),
        now=live.clock(),
        not_ready=readiness.not_ready(),
        sources=[
            _source(name, live.config.sources[name].adapter, down.get(name), source)
            for name, source in sources.items()
        ],
        config=live.config,
        since=live.since,
        refused=reloader.refused,
        rollouts=live.metrics.rollouts.seen(),
        lost=readiness.lost(),
    )


def _source(name: str, adapter: str, down: str | None, source: Source[Options]) -> SourceState:
    if not isinstance(source, Linked):
        return SourceState(name, adapter, down, None)
    link = source.link()
    return SourceState(name, adapter, down, link.made, link.peer, link.standby)
