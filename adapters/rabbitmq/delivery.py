"""Alerts to a RabbitMQ exchange: persistent, mandatory, each message confirmed by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from aio_pika.abc import AbstractConnection
from aiormq.channel import Channel as BareChannel
from aiormq.exceptions import (
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)
from aiormq.exceptions import PublishError as Unroutable
from pamqp.commands import Basic
from pydantic import Field

from adapters.rabbitmq.connection import (
    BrokerOptions,
    alive,
    blocked,
    dial,
    hang_up,
    in_words,
    introduced,
)
from adapters.rabbitmq.routing import ExchangeName, RoutingKey, keys
from adapters.rabbitmq.trouble import BrokerError, TroubleKind, said
from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    EVENT_TYPE,
    Adapter,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Link,
    Outcome,
    Reason,
    Refused,
    Retry,
    batch_body,
    batch_id,
)

CHANNEL_S = 10.0
"""Seconds in which a channel stands."""
LOOK_S = 1.0
"""Seconds from one look to the next whether the broker takes anything at all."""
UNCONFIRMED = 300
"""The most messages that wait for their confirmation at a time."""


class RabbitOptions(BrokerOptions):
    """Where on a RabbitMQ node the Alerts go."""

    exchange: Annotated[
        ExchangeName,
        Field(
            description="the recipient's; it must be there, with a queue bound to it; '' is the"
            " default exchange, whose routing keys are names of queues"
        ),
    ]
    routing_key: Annotated[
        RoutingKey,
        Field(
            description="text with {alert_code}, {service_user_id}, {device_id} or"
            " {firmware_version} in it"
        ),
    ] = "{alert_code}"
    batch: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="the most Alerts in a message, which then share a routing key; 1: no"
            " batches",
        ),
    ] = 1


class RabbitAdapter(Adapter[RabbitOptions]):
    """Publishes to the recipient's exchange; the broker confirms that a queue has each message.

    One connection with one channel. Each is made when there is something to send and they do not
    stand, both anew: what is still under way on a channel that was closed can't harm the next.

    How long a confirmation may take is the channel's `timeout`, which whoever calls us keeps: a
    broker that is slow takes the message all the same, and would take it again with every retry.
    Only one that has said that it takes nothing is not waited for.
    """

    Config = RabbitOptions

    def __init__(self, config: RabbitOptions) -> None:
        self.batch: int = config.batch
        self._options = config
        self._connection: AbstractConnection | None = None
        self._channel: BareChannel | None = None
        self._connecting = asyncio.Lock()
        self._failed: BrokerError | None = None
        """Why the last try to connect came to nothing."""
        self._unconfirmed = asyncio.Semaphore(UNCONFIRMED)
        self._waits: set[asyncio.Timeout] = set()
        """Of what waits for a confirmation; none ends before the broker takes nothing."""
        self._watch: asyncio.Task[None] | None = None
        self._made = 0
        self._peer = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._hang_up()

    def link(self) -> Link:
        """How the connection stands; it is made with the first Alert."""
        return Link(alive(self._connection), self._made, self._peer)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """A message for each routing key; the same outcome for all that were in it."""
        try:
            channel = await self._ready()
            if await blocked(self._connection):
                return [_short(self._options)] * len(deliveries)
        except BrokerError as error:
            return [_outcome(error)] * len(deliveries)
        groups = keys(self._options.routing_key, [each.alert for each in deliveries])
        if len(groups) == 1:
            (key,) = groups
            return [await self._publish(channel, key, deliveries)] * len(deliveries)
        return await self._publish_each(channel, groups, deliveries)

    async def _publish_each(
        self,
        channel: BareChannel,
        groups: Mapping[str, Sequence[int]],
        deliveries: Sequence[Delivery],
    ) -> Sequence[Outcome]:
        """A message for each routing key. What was confirmed stands when others are late."""
        late = f"{self._options.where}: no confirmation within the channel's timeout"
        found: list[Outcome] = [Retry(Reason.TIMEOUT, late)] * len(deliveries)

        async def publish(key: str, places: Sequence[int]) -> None:
            outcome = await self._publish(channel, key, [deliveries[place] for place in places])
            for place in places:
                found[place] = outcome

        try:
            async with asyncio.TaskGroup() as publishing:
                for key, places in groups.items():
                    publishing.create_task(publish(key, places))
        except asyncio.CancelledError:
            if not any(isinstance(outcome, Delivered) for outcome in found):
                raise
        return found

    async def _ready(self) -> BareChannel:
        """A channel that publishes are confirmed on. BrokerError when there is none to be had."""
        if self._channel is not None and self._stands(self._channel):
            return self._channel
        known = self._failed
        async with self._connecting:
            if self._channel is not None and self._stands(self._channel):
                return self._channel
            if self._failed is not None and self._failed is not known:
                raise self._failed  # it was tried while we waited; a lane waits once, not 16 times
            self._failed = None
            try:
                return await self._connect()
            except BrokerError as error:
                self._failed = error
                raise

    def _stands(self, channel: BareChannel) -> bool:
        return not channel.is_closed and alive(self._connection)

    async def _connect(self) -> BareChannel:
        await self._hang_up()
        self._connection = await dial(self._options, f"hubherald {self._options.exchange}")
        self._made += 1
        self._peer = " ".join(introduced(self._connection)).strip()
        with in_words(self._options):
            async with asyncio.timeout(CHANNEL_S):
                channel = await self._connection.channel(on_return_raises=True)
                bare = await channel.get_underlay_channel()
        assert isinstance(bare, BareChannel)
        self._channel = bare
        self._watch = asyncio.create_task(self._look_out(self._connection))
        return bare

    async def _hang_up(self) -> None:
        self._channel = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await hang_up(self._connection)

    async def _look_out(self, connection: AbstractConnection) -> None:
        """End what waits for a broker that takes nothing, so that operators hear of it soon."""
        while alive(connection):
            await asyncio.sleep(LOOK_S)
            if await blocked(connection):
                for wait in self._waits:
                    wait.reschedule(0)  # now
                self._waits.clear()

    async def _publish(
        self, channel: BareChannel, key: str, deliveries: Sequence[Delivery]
    ) -> Outcome:
        body, properties = _message(deliveries)
        limit = asyncio.timeout(None)
        try:
            with in_words(self._options):
                async with limit:
                    self._waits.add(limit)
                    async with self._unconfirmed:
                        await channel.basic_publish(
                            body,
                            exchange=self._options.exchange,
                            routing_key=key,
                            properties=properties,
                            mandatory=True,
                            wait=False,  # for the socket; the confirmation says more
                        )
        except BrokerError as error:
            if limit.expired():
                return _short(self._options)
            return _answer(error, self._options, key, len(body))
        finally:
            self._waits.discard(limit)
        return Delivered("confirmed")


def _message(deliveries: Sequence[Delivery]) -> tuple[bytes, Basic.Properties]:
    """Body and properties; the same members give the same id, however often."""
    first = deliveries[0]
    single = len(deliveries) == 1 and first.batch is None
    return (
        first.body if single else batch_body(each.body for each in deliveries),
        Basic.Properties(
            content_type=CONTENT_TYPE if single else BATCH_CONTENT_TYPE,
            delivery_mode=2,  # persistent
            message_id=str(first.alert.id if single else batch_id(e.alert for e in deliveries)),
            message_type=EVENT_TYPE,
            app_id="hubherald",
            timestamp=first.alert.decided_at,
        ),
    )


def _answer(error: BrokerError, options: RabbitOptions, key: str, size: int) -> Outcome:
    """What the recipient has to mend, where we know it better than the broker says it."""
    where = f"{options.where}: exchange {options.exchange!r}"
    match error.__cause__:
        case Unroutable():
            return Closed(ChannelFault.ENDPOINT, _missing_queue(options, key))
        case ChannelNotFoundEntity():
            return Closed(
                ChannelFault.ENDPOINT,
                f"{where} is missing; have it made, with the recipient's queue bound to it for "
                f"routing key {key!r}, or correct `exchange`",
            )
        case ChannelPreconditionFailed() as refused:
            return _too_large(where, said(refused), size)
        case ChannelInvalidStateError():
            return Retry(Reason.NETWORK, f"{options.where}: the channel was closed")
    return _outcome(error)


def _missing_queue(options: RabbitOptions, key: str) -> str:
    if not options.exchange:
        what = f"there is no queue {key!r}"
        return f"{options.where}: {what}; have it made, or correct `routing_key`"
    what = f"exchange {options.exchange!r} has no queue for routing key {key!r}"
    return f"{options.where}: {what}; have the recipient's queue bound to it with that key"


def _too_large(where: str, words: str, size: int) -> Outcome:
    """The broker closes the channel and names one size: whoever else was on it is innocent."""
    if str(size) in words.split():
        return Refused(Reason.REJECTED, f"{where}: {words}")
    return Retry(Reason.SERVER, f"{where}: the channel was closed over another message: {words}")


def _short(options: RabbitOptions) -> Outcome:
    return Retry(
        Reason.BUSY,
        f"{options.where}: takes nothing, it is short of disk or memory (`rabbitmqctl status` "
        "shows the alarm); make room there",
    )


def _outcome(error: BrokerError) -> Outcome:
    match error.kind:
        case TroubleKind.NETWORK:
            return Retry(Reason.NETWORK, str(error))
        case TroubleKind.BUSY:
            return Retry(Reason.BUSY, str(error))
        case TroubleKind.CREDENTIALS:
            return Closed(ChannelFault.CREDENTIALS, str(error))
        case TroubleKind.ENDPOINT:
            return Closed(ChannelFault.ENDPOINT, str(error))
