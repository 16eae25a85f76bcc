"""The adapters that run: one for each channel, each alive in a task of its own.

The files that name them may change while the router runs. An adapter whose channel stays as it is
stays too, with its connections; the others are made beside the old ones, which leave when their
last send is over. An adapter is left in the task that entered it, as client libraries expect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from router.config.unready import UnreadyOptions
from router.delivery.sending import log_bug
from router.delivery.standin import StandIn
from router.domain.users import Channel, ServiceUser
from router.entrypoints import ADAPTERS, installed
from router.errors import RouterError, UsageError
from router.files.secrecy import Redactor
from router.lanes.values import LaneKey
from router.ports import Adapter, Introduced, Options, Originator, Recipient
from router.ports.discretion import redactor

ENTER = 30.0
"""Seconds that an adapter has to set itself up; connecting to others comes later."""


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """All that an adapter is made from: while none of it changes, the adapter stays."""

    kind: str
    options: Options
    originator: Originator
    recipient: Recipient

    def make(self) -> Adapter[Options]:
        """A new adapter, or what answers for it as long as its options can't be made."""
        if isinstance(self.options, UnreadyOptions):
            return StandIn(self.options.why)
        made: Adapter[Options] = installed(ADAPTERS)[self.kind].load()(self.options)
        return made

    def redactor(self) -> Redactor:
        """Takes out of what such an adapter says what nobody may see."""
        return redactor(self.options, self.originator)


@dataclass(eq=False, slots=True)
class RunningAdapter:
    """An adapter that is entered, or about to be."""

    spec: AdapterSpec
    adapter: Adapter[Options]
    timeout: float
    """Seconds after which no send of it can still be under way."""
    redact: Callable[[str], str] = str
    may_leave: asyncio.Event = field(default_factory=asyncio.Event)


ByLane = Mapping[LaneKey, RunningAdapter]


class AdapterPool:
    """Enters adapters, keeps them, and lets them go."""

    def __init__(self, originator: Originator) -> None:
        self._originator = originator
        self._serving: ByLane = {}
        self._running: set[RunningAdapter] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for running in self._running:
            running.may_leave.set()
        await self._group.__aexit__(None, None, None)

    async def prepare(self, users: Iterable[ServiceUser]) -> ByLane:
        """An adapter for every channel: those that serve where nothing changed, new ones else.

        Channels whose adapter is not installed get none. Raises what an adapter raises when it
        is entered; the new ones have left by then, and nothing has changed.
        """
        known = installed(ADAPTERS)
        found: dict[LaneKey, RunningAdapter] = {}
        try:
            for user in users:
                for channel in user.channels:
                    if channel.adapter in known and channel.options is not None:
                        key = (user.id, channel.name)
                        spec = self._spec_of(user, channel, channel.options)
                        stays = self._serving.get(key)
                        if stays is None or stays.spec != spec:
                            stays = await self._enter(
                                RunningAdapter(spec, spec.make(), channel.timeout, spec.redactor())
                            )
                        found[key] = stays
                        stays.timeout = max(stays.timeout, channel.timeout)
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
            loop.call_later(running.timeout + 1.0, running.may_leave.set)

    def abandon(self, adapters: ByLane) -> None:
        """These were for nothing: those that do not serve leave at once."""
        for running in set(adapters.values()) - set(self._serving.values()):
            running.may_leave.set()

    def _spec_of(self, user: ServiceUser, channel: Channel, options: Options) -> AdapterSpec:
        return AdapterSpec(channel.adapter, options, self._originator, user.recipient)

    async def _enter(self, running: RunningAdapter) -> RunningAdapter:
        if isinstance(running.adapter, Introduced):
            running.adapter.introduce(running.spec.originator, running.spec.recipient)
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._group.create_task(self._run(running, entered))
        try:
            async with asyncio.timeout(ENTER):
                await entered
        except asyncio.CancelledError:  # whoever wanted it has gone: nobody would let it leave
            task.cancel()
            raise
        except TimeoutError:
            task.cancel()
            who = running.spec.recipient.id
            raise UsageError(
                f"adapter {running.spec.kind} of {who} was not ready within {ENTER:g} s"
            ) from None
        return running

    async def _run(self, running: RunningAdapter, entered: asyncio.Future[None]) -> None:
        self._running.add(running)
        try:
            async with running.adapter:
                with suppress(asyncio.InvalidStateError):
                    entered.set_result(None)
                await running.may_leave.wait()
        except Exception as error:  # an adapter's bug must not stop others
            if entered.done():
                log_bug(error, running.redact, adapter=running.spec.kind)
            else:
                entered.set_exception(_not_set_up(running, error))
        finally:
            self._running.discard(running)


def _not_set_up(running: RunningAdapter, error: Exception) -> Exception:
    if isinstance(error, RouterError):
        return error
    log_bug(error, running.redact, adapter=running.spec.kind)
    who = f"adapter {running.spec.kind} of {running.spec.recipient.id}"
    said = running.redact(f"{type(error).__name__}: {error}")
    return UsageError(f"{who} could not be set up: {said}")
