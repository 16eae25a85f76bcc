"""Facts to the exchange that a source's queue is bound to, each confirmed by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from aio_pika.abc import AbstractConnection
from aiormq.channel import Channel
from aiormq.exceptions import PublishError as Unroutable
from pamqp import commands

from adapters.rabbitmq.connection import blocked, dial, hang_up, told
from adapters.rabbitmq.topology import QueueOptions, prepare
from router.ports import Outgoing, PublishError

CONTENT_TYPE = "application/cloudevents+json"
UNKNOWN = "unknown"
"""The routing key of a fact whose type can't be read or is no routing key."""
SHORT = 255
"""Bytes that a routing key or message id may have (AMQP 0-9-1, shortstr)."""
PREPARE_S = 10.0
"""Seconds in which a channel stands, with the exchange and the queue behind it."""
CONFIRM_S = 30.0
"""Seconds in which all facts of one call are confirmed."""
BLOCKED_S = 5.0
"""Seconds after which we ask whether the broker takes nothing at all; alarms can be short."""


class RabbitPublisher:
    """One connection for as long as it is entered; it is not mended, whoever publishes goes on.

    At most as many facts are unconfirmed as are given to one call of `publish`.
    """

    def __init__(self, options: QueueOptions) -> None:
        self._options = options
        self._connection: AbstractConnection | None = None
        self._channel: Channel | None = None

    @property
    def target(self) -> str:
        """Where the facts go, for people."""
        host = self._options.virtual_host
        within = "" if host == "/" else f", virtual host {host!r}"
        return f"exchange {self._options.exchange!r} on {self._options.where}{within}"

    async def __aenter__(self) -> Self:
        try:
            self._connection = await dial(self._options, "hubherald publish")
            async with asyncio.timeout(PREPARE_S):
                channel = await self._connection.channel(on_return_raises=True)
                # also before the first `run`: without a queue there is nowhere to keep facts
                await prepare(channel, self._options)
                bare = await channel.get_underlay_channel()
                assert isinstance(bare, Channel)
                self._channel = bare
        except (Exception, asyncio.CancelledError) as error:
            await hang_up(self._connection)
            if _is_ours(error):
                raise
            raise self._words(error) from error
        return self

    async def __aexit__(self, *exc: object) -> None:
        await hang_up(self._connection)

    async def publish(self, facts: Sequence[Outgoing]) -> None:
        """When it returns, every one is in the queues. PublishError, in words, when that fails."""
        sending = [asyncio.create_task(self._send(fact)) for fact in facts]
        try:
            _, waiting = await asyncio.wait(sending, timeout=BLOCKED_S)
            if waiting:
                await self._wait(waiting)
        except BaseException:
            for each in sending:
                each.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            raise
        failed = [(_failure(each), fact) for each, fact in zip(sending, facts, strict=True)]
        for error, fact in failed:
            if error is not None:
                raise self._words(error, fact) from error

    async def _wait(self, waiting: set[asyncio.Task[None]]) -> None:
        """For what takes longer than usual."""
        assert self._connection is not None
        if not self._connection.is_closed and await blocked(self._connection):
            raise PublishError(
                f"{self._options.where}: takes nothing at present, it is short of disk or memory"
                " (`rabbitmqctl status` shows the alarm); make room there"
            )
        _, waiting = await asyncio.wait(waiting, timeout=CONFIRM_S - BLOCKED_S)
        if waiting:
            raise PublishError(
                f"{self._options.where}: {len(waiting)} facts were not confirmed within"
                f" {CONFIRM_S:g} s; is the broker overloaded, or without a majority of its nodes?"
            )

    async def _send(self, fact: Outgoing) -> None:
        """Until it is confirmed. The bare channel: blocks of messages go in one write."""
        assert self._channel is not None
        await self._channel.basic_publish(
            fact.body,
            exchange=self._options.exchange,
            routing_key=_routing_key(fact),
            properties=commands.Basic.Properties(
                content_type=CONTENT_TYPE,
                delivery_mode=2,  # persistent
                message_id=fact.id if len(fact.id.encode()) <= SHORT else None,
            ),
            mandatory=True,
            wait=False,
        )

    def _words(self, error: BaseException, fact: Outgoing | None = None) -> PublishError:
        if isinstance(error, Unroutable) and fact is not None:
            return PublishError(
                f"{self.target} has no queue bound for {_routing_key(fact)!r}: bind the source's"
                " queue to it with routing key '#' (`declare: true` in the source does that)"
            )
        return PublishError(str(told(error, self._options)))


def _routing_key(fact: Outgoing) -> str:
    return fact.type if fact.type and len(fact.type.encode()) <= SHORT else UNKNOWN


def _is_ours(error: BaseException) -> bool:
    """Somebody ends us; a lost connection cancels too, but not our task."""
    task = asyncio.current_task()
    assert task is not None
    return isinstance(error, asyncio.CancelledError) and task.cancelling() > 0


def _failure(done: asyncio.Task[None]) -> BaseException | None:
    """Asks each one, as the loop complains about errors that nobody has looked at."""
    return asyncio.CancelledError() if done.cancelled() else done.exception()
