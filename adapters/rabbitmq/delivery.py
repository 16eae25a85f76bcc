"""Alerts to a RabbitMQ exchange: persistent, mandatory, each message confirmed by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from aio_pika.abc import AbstractConnection
from aiormq.channel import Channel as BareChannel
from aiormq.exceptions import (
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
)
from pamqp.commands import Basic
from pydantic import Field

from adapters.rabbitmq.channel import ConfirmedChannel
from adapters.rabbitmq.confirms import Answers, Confirms, Fate, Posting
from adapters.rabbitmq.connection import (
    BrokerOptions,
    alive,
    blocked,
    dial,
    hang_up,
    in_words,
    introduced,
    peer,
    told,
)
from adapters.rabbitmq.message import written
from adapters.rabbitmq.routing import ExchangeName, RoutingKey, keys
from adapters.rabbitmq.trouble import BrokerError, TroubleKind, said
from router.ports import (
    Adapter,
    Answering,
    Certificate,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Link,
    Outcome,
    Reason,
    Refused,
    Retry,
)

CHANNEL_S = 10.0
"""Seconds in which a channel stands."""
LOOK_S = 1.0
"""Seconds from one look to the next whether the broker takes anything at all."""
UNCONFIRMED = 300
"""The most messages that wait for their confirmation at a time."""
_CONFIRMED = Delivered("confirmed")


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
        self._posts: ConfirmedChannel | None = None
        self._connecting = asyncio.Lock()
        self._failed: BrokerError | None = None
        """Why the last try to connect came to nothing."""
        self._watch: asyncio.Task[None] | None = None
        self._made = 0
        self._peer = ""
        self._late = Retry(
            Reason.TIMEOUT, f"{config.where}: no confirmation within the channel's timeout"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._hang_up()

    def link(self) -> Link:
        """How the connection stands; it is made with the first Alert."""
        return Link(alive(self._connection), self._made, self._peer)

    def peer(self) -> Certificate | None:
        """The broker's, as it stands."""
        return None if self._connection is None else peer(self._connection)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """A message for each routing key; the same outcome for all that were in it."""
        found: list[Outcome] = []
        try:
            await self.deliver_each([deliveries], lambda _, outcomes: found.extend(outcomes))
        except asyncio.CancelledError:
            if not found:
                raise
        return found

    async def deliver_each(self, requests: Sequence[Sequence[Delivery]], answer: Answering) -> None:
        """The same for several, in one write. What was confirmed stands when others are late."""
        refused: Outcome | None = None
        try:
            posts = await self._ready()
            if await blocked(self._connection):
                refused = _short(self._options)
        except BrokerError as error:
            refused = _outcome(error)
        if refused is None:
            await self._publish(posts, requests, answer)
            return
        for place, deliveries in enumerate(requests):
            answer(place, [refused] * len(deliveries))

    async def _publish(
        self, posts: ConfirmedChannel, requests: Sequence[Sequence[Delivery]], answer: Answering
    ) -> None:
        answers = Answers()
        waiting = {
            place: _Waiting([self._late] * len(deliveries))
            for place, deliveries in enumerate(requests)
        }
        postings = [
            posting
            for place, deliveries in enumerate(requests)
            for posting in self._postings(posts, place, deliveries, answers)
        ]
        for posting in postings:
            waiting[posting.request].messages += 1
        posts.confirms.post(postings)
        try:
            while waiting:
                _note(await answers.more(), waiting, answer)
        except BaseException:
            _note(answers.take(), waiting, answer)
            for place, found in waiting.items():
                if any(isinstance(outcome, Delivered) for outcome in found.outcomes):
                    answer(place, found.outcomes)
            posts.confirms.give_up(postings)
            raise

    def _postings(
        self, posts: ConfirmedChannel, place: int, deliveries: Sequence[Delivery], answers: Answers
    ) -> Iterator[Posting]:
        """Of one request: a message for each routing key."""
        exchange = self._options.exchange
        alerts = [each.alert for each in deliveries]
        for key, members in keys(self._options.routing_key, alerts).items():
            number, size, frames = written(
                [deliveries[member] for member in members],
                exchange,
                key,
                channel=posts.channel.number,
                room=posts.channel.max_content_size,
            )
            yield Posting(place, members, key, number, size, frames, answers)

    async def _ready(self) -> ConfirmedChannel:
        """A channel that publishes are confirmed on. BrokerError when there is none to be had."""
        if self._posts is not None and self._stands(self._posts):
            return self._posts
        known = self._failed
        async with self._connecting:
            if self._posts is not None and self._stands(self._posts):
                return self._posts
            if self._failed is not None and self._failed is not known:
                raise self._failed  # it was tried while we waited; a lane waits once, not 16 times
            self._failed = None
            try:
                return await self._connect()
            except BrokerError as error:
                self._failed = error
                raise

    def _stands(self, posts: ConfirmedChannel) -> bool:
        return not posts.channel.is_closed and alive(self._connection)

    async def _connect(self) -> ConfirmedChannel:
        await self._hang_up()
        confirms = Confirms(self._judged, UNCONFIRMED)
        name = f"hubherald {self._options.exchange}"
        self._connection = await dial(self._options, name, confirms=confirms)
        self._made += 1
        self._peer = " ".join(introduced(self._connection, self._options)).strip()
        with in_words(self._options):
            async with asyncio.timeout(CHANNEL_S):
                channel = await self._connection.channel()
                bare = await channel.get_underlay_channel()
        assert isinstance(bare, BareChannel)
        self._posts = ConfirmedChannel(bare, confirms, self._lost)
        self._watch = asyncio.create_task(self._look_out(self._connection, confirms))
        return self._posts

    async def _hang_up(self) -> None:
        self._posts = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await hang_up(self._connection)

    async def _look_out(self, connection: AbstractConnection, confirms: Confirms) -> None:
        """End what waits for a broker that takes nothing, so that operators hear of it soon."""
        while alive(connection):
            await asyncio.sleep(LOOK_S)
            if await blocked(connection):
                confirms.answer_all(lambda _: _short(self._options))

    def _judged(self, posting: Posting, fate: Fate) -> Outcome:
        match fate:
            case Fate.TAKEN:
                return _CONFIRMED
            case Fate.RETURNED:
                return Closed(ChannelFault.ENDPOINT, _missing_queue(self._options, posting.key))
            case Fate.UNCLEAR:
                missing = _missing_queue(self._options, posting.key)
                return Retry(Reason.TIMEOUT, f"this, or an earlier send that was late: {missing}")
            case Fate.REFUSED:
                return _outcome(told(DeliveryError(None, Basic.Nack()), self._options))

    def _lost(self, posting: Posting, error: BaseException) -> Outcome:
        return _answer(told(error, self._options), error, self._options, posting)


@dataclass(slots=True)
class _Waiting:
    """What is known of a request."""

    outcomes: list[Outcome]
    messages: int = 0
    """How many of its messages have no outcome yet."""


def _note(
    came: Sequence[tuple[Posting, Outcome]], waiting: dict[int, _Waiting], answer: Answering
) -> None:
    """Answer the requests that are complete by now."""
    for posting, outcome in came:
        found = waiting[posting.request]
        for member in posting.members:
            found.outcomes[member] = outcome
        found.messages -= 1
        if not found.messages:
            del waiting[posting.request]
            answer(posting.request, found.outcomes)


def _answer(
    error: BrokerError, cause: BaseException, options: RabbitOptions, posting: Posting
) -> Outcome:
    """What the recipient has to mend, where we know it better than the broker says it."""
    where = f"{options.where}: exchange {options.exchange!r}"
    match cause:
        case ChannelNotFoundEntity():
            return Closed(
                ChannelFault.ENDPOINT,
                f"{where} is missing; have it made, with the recipient's queue bound to it for "
                f"routing key {posting.key!r}, or correct `exchange`",
            )
        case ChannelPreconditionFailed() as refused:
            return _too_large(where, said(refused), posting.size)
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
