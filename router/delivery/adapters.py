"""The adapters at work: one for each channel, each alive in a task of its own.

The files that name them may change while the router runs. An adapter whose channel stays as it is
stays too, with its connections; the others are made beside the old ones, which leave when their
last send is over. An adapter is left in the task that entered it, as client libraries expect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import structlog

from router.domain.users import Channel, ServiceUser
from router.errors import RouterError, UsageError
from router.ports import ADAPTERS, Adapter, Introduced, Options, Originator, Recipient, installed

ENTER = 30.0
"""Seconds that an adapter has to set itself up; connecting to others comes later."""
Place = tuple[str, str]
"""A user's id and the name of its channel."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """All that an adapter is made from: while none of it changes, the adapter stays."""

    kind: str
    options: Options
    originator: Originator
    recipient: Recipient


@dataclass(eq=False, slots=True)
class Hand:
    """An adapter at its post."""

    post: Post
    adapter: Adapter[Options]
    timeout: float
    """Seconds after which no send of it can still be under way."""
    may_leave: asyncio.Event = field(default_factory=asyncio.Event)


Staff = Mapping[Place, Hand]


class Crew:
    """Enters adapters, keeps them, and lets them go."""

    def __init__(self, originator: Originator) -> None:
        self._originator = originator
        self._at_work: Staff = {}
        self._hands: set[Hand] = set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        for hand in self._hands:
            hand.may_leave.set()
        await self._group.__aexit__(None, None, None)

    async def staff(self, users: Iterable[ServiceUser]) -> Staff:
        """An adapter for every channel: those at work where nothing changed, new ones else.

        Channels whose adapter is not installed get none. Raises what an adapter raises when it
        is entered; the new ones have left by then, and nothing has changed.
        """
        known = installed(ADAPTERS)
        found: dict[Place, Hand] = {}
        try:
            for user in users:
                for channel in user.channels:
                    if channel.adapter in known and channel.options is not None:
                        place = (user.id, channel.name)
                        post = self._post(user, channel, channel.options)
                        stays = self._at_work.get(place)
                        if stays is None or stays.post != post:
                            made: Adapter[Options] = known[post.kind].load()(post.options)
                            stays = await self._hire(Hand(post, made, channel.timeout))
                        found[place] = stays
                        stays.timeout = max(stays.timeout, channel.timeout)
        except BaseException:
            self.abandon(found)
            raise
        return found

    def settle(self, staff: Staff) -> None:
        """These are at work from now on; all others leave when their last send is over."""
        leaving = set(self._at_work.values()) - set(staff.values())
        self._at_work = dict(staff)
        loop = asyncio.get_running_loop()
        for hand in leaving:
            loop.call_later(hand.timeout + 1.0, hand.may_leave.set)

    def abandon(self, staff: Staff) -> None:
        """These were for nothing: those that are not at work leave at once."""
        for hand in set(staff.values()) - set(self._at_work.values()):
            hand.may_leave.set()

    def _post(self, user: ServiceUser, channel: Channel, options: Options) -> Post:
        return Post(channel.adapter, options, self._originator, user.recipient)

    async def _hire(self, hand: Hand) -> Hand:
        if isinstance(hand.adapter, Introduced):
            hand.adapter.introduce(hand.post.originator, hand.post.recipient)
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._group.create_task(self._serve(hand, entered))
        try:
            async with asyncio.timeout(ENTER):
                await entered
        except asyncio.CancelledError:  # whoever wanted it has gone: nobody would let it leave
            task.cancel()
            raise
        except TimeoutError:
            task.cancel()
            who = hand.post.recipient.id
            raise UsageError(
                f"adapter {hand.post.kind} of {who} was not ready within {ENTER:g} s"
            ) from None
        return hand

    async def _serve(self, hand: Hand, entered: asyncio.Future[None]) -> None:
        self._hands.add(hand)
        try:
            async with hand.adapter:
                with suppress(asyncio.InvalidStateError):
                    entered.set_result(None)
                await hand.may_leave.wait()
        except Exception as error:  # an adapter's bug must not stop others
            if entered.done():
                _log.exception("adapter.bug", adapter=hand.post.kind)
            else:
                entered.set_exception(_not_set_up(hand, error))
        finally:
            self._hands.discard(hand)


def _not_set_up(hand: Hand, error: Exception) -> Exception:
    if isinstance(error, RouterError):
        return error
    _log.error("adapter.bug", adapter=hand.post.kind, exc_info=error)
    who = f"adapter {hand.post.kind} of {hand.post.recipient.id}"
    return UsageError(f"{who} could not be set up: {type(error).__name__}: {error}")
