"""The adapters that run: one for each channel, each alive in a task of its own.

The files that name them may change while the router runs. An adapter whose channel stays as it is
stays too, with its connections; the others are made beside the old ones, which leave when their
last send is over. An adapter is left in the task that entered it, as client libraries expect.

Nobody waits for an adapter: its lane sends when it is entered. What can't be made or entered keeps
its own lane closed, and is tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Self

from router.config.unready import BrokenOptions, UnreadyOptions
from router.delivery.border import bordered
from router.delivery.sending import log_bug
from router.delivery.standin import StandIn
from router.domain.users import Channel, ServiceUser
from router.entrypoints import ADAPTERS, installed
from router.errors import RouterError
from router.lanes.lane import PROBE
from router.lanes.values import LaneKey
from router.ports import Adapter, Introduced, Options, Originator, Recipient
from router.ports.discretion import Discretion
from router.ports.loading import TheirError, caught, load
from router.ports.origins import AdapterError, Origin, origin_of
from router.ports.stay import Stay

ENTER = 30.0
"""Seconds that an adapter has to set itself up; connecting to others comes later."""
LEAVE = 5.0
"""Seconds that it has to leave."""
PROMPT = 0.5
"""Seconds that a start or a reload waits for all new ones together, as most are there at once."""
AGAIN = "the lane opens when it can be, tried again by itself, and at once by: hubherald reload"


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """All that an adapter is made from: while none of it changes, the adapter stays."""

    kind: str
    options: Options
    originator: Originator
    recipient: Recipient

    @property
    def origin(self) -> Origin:
        """Who brought it."""
        return origin_of(installed(ADAPTERS)[self.kind])

    def make(self) -> Adapter[Options]:
        """A new adapter, or what answers for it as long as its options can't be made."""
        if isinstance(self.options, UnreadyOptions):
            return StandIn(self.options.why)
        made: Adapter[Options] = load(installed(ADAPTERS)[self.kind])(self.options)
        if isinstance(made, Introduced):
            made.introduce(self.originator, self.recipient)
        return made


@dataclass(eq=False, slots=True)
class RunningAdapter:
    """An adapter that is entered, or about to be."""

    spec: AdapterSpec
    timeout: float
    """Seconds after which no send of it can still be under way."""
    origin: Origin
    redact: Callable[[str], str] = str
    adapter: Adapter[Options] | None = None
    """As it was made; None before."""
    entered: Adapter[Options] | None = None
    """What lanes have of it: None before it is entered, and when it can't be."""
    fault: str = ""
    """Why it can't be entered, for people; empty where it is, or may be soon."""
    changed: Callable[[], None] = lambda: None
    """Called when `entered` or `fault` have."""
    may_leave: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """It need not wait to be tried again."""
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """It was entered or has failed."""
    stay: Stay | None = None

    def leave(self) -> None:
        """Nobody needs it any more."""
        self.may_leave.set()
        self.again.set()
        if self.stay is not None:
            self.stay.give_up()

    async def enter(self) -> Stay | None:
        """Make it and enter it; None when that failed, with why in `fault`."""
        try:
            self.adapter = caught(self.spec.make)()
            self.stay = stay = Stay(self.adapter)
            await stay.enter(ENTER)
            try:
                self.entered, self.fault = bordered(self.adapter, self.origin, self.redact), ""
            except AdapterError as error:
                self._failed(error)
                await self.left(stay)
        except TheirError as raised:
            self._failed(raised.error)
        except TimeoutError:
            if self.may_leave.is_set():
                return None
            self.fault = self.origin.blamed(f"was not ready within {ENTER:g} s", advice=AGAIN)
        self.known.set()
        self.changed()
        return stay if self.entered is not None else None

    async def left(self, stay: Stay) -> None:
        """Have it leave; what goes wrong there harms nobody."""
        try:
            await stay.leave(LEAVE)
        except TheirError as raised:
            log_bug(raised.error, self.redact, adapter=str(self.origin))
        except TimeoutError:
            what = f"did not leave within {LEAVE:g} s; it is left to itself"
            log_bug(AdapterError(self.origin.blamed(what)), self.redact, adapter=self.spec.kind)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, AdapterError):
            self.fault = self.redact(str(error))
            return
        if not isinstance(error, RouterError):
            log_bug(error, self.redact, adapter=str(self.origin))
        self.fault = self.redact(self.origin.blamed("could not be set up", error, AGAIN))


ByLane = Mapping[LaneKey, RunningAdapter]


class AdapterPool:
    """Enters adapters, keeps them, and lets them go."""

    def __init__(self, originator: Originator, discretion: Discretion | None = None) -> None:
        self._originator = originator
        self.discretion = discretion or Discretion()
        self._serving: ByLane = {}
        self._running: set[RunningAdapter] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for running in self._running:
            running.leave()
        await self._group.__aexit__(None, None, None)

    async def prepare(self, users: Iterable[ServiceUser]) -> ByLane:
        """An adapter for every channel: those that serve where nothing changed, new ones else.

        Channels whose adapter is not installed get none. Never fails for what an adapter does.
        """
        known = installed(ADAPTERS)
        found: dict[LaneKey, RunningAdapter] = {}
        for user in users:
            for channel in user.channels:
                if channel.adapter in known and channel.options is not None:
                    key = (user.id, channel.name)
                    spec = self._spec_of(user, channel, channel.options)
                    stays = self._serving.get(key)
                    if stays is None or not _same(stays.spec, spec):
                        stays = self._begin(spec, channel.timeout)
                    stays.again.set()
                    found[key] = stays
                    stays.timeout = max(stays.timeout, channel.timeout)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(PROMPT):
                    for each in found.values():
                        await each.known.wait()
        except BaseException:
            self.abandon(found)
            raise
        return found

    def serve(self, adapters: ByLane) -> None:
        """These serve from now on; all others leave when their last send is over."""
        leaving = set(self._serving.values()) - set(adapters.values())
        self._serving = dict(adapters)
        loop = asyncio.get_running_loop()
        for running in leaving:
            running.changed = lambda: None
            loop.call_later(running.timeout + 1.0, running.leave)

    def abandon(self, adapters: ByLane) -> None:
        """These were for nothing: those that do not serve leave at once."""
        for running in set(adapters.values()) - set(self._serving.values()):
            running.leave()

    def _spec_of(self, user: ServiceUser, channel: Channel, options: Options) -> AdapterSpec:
        return AdapterSpec(channel.adapter, options, self._originator, user.recipient)

    def _begin(self, spec: AdapterSpec, timeout: float) -> RunningAdapter:
        redact = self.discretion.beside(spec.options, spec.originator)
        running = RunningAdapter(spec, timeout, spec.origin, redact)
        if isinstance(spec.options, BrokenOptions):
            running.fault = spec.options.why
            running.known.set()
        else:
            self._running.add(running)
            self._group.create_task(self._keep(running))
        return running

    async def _keep(self, running: RunningAdapter) -> None:
        try:
            for pause in chain(PROBE, repeat(PROBE[-1])):
                running.again.clear()
                if running.may_leave.is_set():
                    return
                stay = await running.enter()
                if stay is not None:
                    await running.may_leave.wait()
                    await running.left(stay)
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await running.again.wait()
        finally:
            self._running.discard(running)


def _same(one: AdapterSpec, other: AdapterSpec) -> bool:
    """Whether nothing changed; options of somebody else's may fail at being compared."""
    try:
        return bool(caught(lambda: one == other)())
    except TheirError:
        return False
