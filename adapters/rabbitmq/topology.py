"""Where facts wait on the broker: an exchange, a quorum queue, and a dead-letter queue behind it.

Quorum queues count how often a message came back, and pass on what they give up at least once
(both since RabbitMQ 3.10): https://www.rabbitmq.com/docs/quorum-queues
"""

from __future__ import annotations

import shlex
from typing import Annotated, Self

from aio_pika import ExchangeType, exceptions
from aio_pika.abc import AbstractChannel
from pydantic import AfterValidator, Field, model_validator

from adapters.rabbitmq.connection import BrokerOptions
from adapters.rabbitmq.names import LONGEST
from adapters.rabbitmq.trouble import BrokerError, TroubleKind, said

FACTS = "hubherald.facts"


def _name(text: str) -> str:
    if not text or len(text.encode()) > LONGEST or not text.isprintable():
        raise ValueError(f"must be 1 to {LONGEST} bytes without control characters")
    if text.startswith("amq."):
        raise ValueError("must not begin with 'amq.': those names are the broker's own")
    return text


Name = Annotated[str, AfterValidator(_name)]


class QueueOptions(BrokerOptions):
    """The queue that facts come from."""

    queue: Annotated[Name, Field(description="the quorum queue that facts are taken from")] = FACTS
    exchange: Annotated[
        Name, Field(description="the topic exchange that facts are published to")
    ] = FACTS
    rejected: Annotated[
        Name | None,
        Field(
            description="the dead-letter exchange and queue, for what the broker gives up; "
            "without: <queue>.rejected"
        ),
    ] = None
    delivery_limit: Annotated[
        int,
        Field(
            ge=20,
            le=1_000_000,
            description="how often the broker gives a message out before it gives it up; each lost "
            "connection counts for all in hand, so keep it high: the router finds what kills it",
        ),
    ] = 1000
    declare: Annotated[
        bool,
        Field(description="make what is missing; false: it is somebody else's, only check it"),
    ] = True

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.rejected_name == self.queue:
            raise ValueError("`rejected` must not be the queue itself")
        if self.rejected_name == self.exchange:
            raise ValueError(
                "`rejected` must not be the exchange of the facts: what is given up would come back"
            )
        if len(self.rejected_name.encode()) > LONGEST:
            raise ValueError("`queue` is so long that `rejected` needs a name of its own")
        return self

    @property
    def rejected_name(self) -> str:
        """The dead-letter exchange and queue."""
        return self.rejected or f"{self.queue}.rejected"


async def prepare(channel: AbstractChannel, options: QueueOptions) -> None:
    """Declare, or only check. BrokerError when something is missing or different; the broker has
    closed the channel then."""
    kind, name = "exchange", options.exchange
    try:
        if not options.declare:
            await channel.get_exchange(options.exchange, ensure=True)
            kind, name = "queue", options.queue
            await channel.declare_queue(options.queue, passive=True)
            return
        exchange = await channel.declare_exchange(
            options.exchange, ExchangeType.TOPIC, durable=True
        )
        kind, name = "exchange", options.rejected_name
        dead_letters = await channel.declare_exchange(
            options.rejected_name, ExchangeType.TOPIC, durable=True
        )
        kind, name = "queue", options.rejected_name
        rejected = await channel.declare_queue(
            options.rejected_name, durable=True, arguments={"x-queue-type": "quorum"}
        )
        await rejected.bind(dead_letters, "#")
        kind, name = "queue", options.queue
        queue = await channel.declare_queue(
            options.queue,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": options.delivery_limit,
                "x-dead-letter-exchange": options.rejected_name,
                "x-dead-letter-strategy": "at-least-once",
                # the strategy needs it: a full queue refuses, it does not drop its oldest
                "x-overflow": "reject-publish",
            },
        )
        await queue.bind(exchange, "#")
    except exceptions.ChannelPreconditionFailed as error:
        raise BrokerError(
            TroubleKind.ENDPOINT,
            f"{options.where}: {kind} {name!r} is there, but different: {said(error)}; if it is "
            f"right as it is, set `declare: false`; else {_anew(options, kind, name)}",
        ) from error
    except exceptions.ChannelNotFoundEntity as error:
        raise BrokerError(
            TroubleKind.ENDPOINT,
            f"{options.where}: {kind} {name!r} is missing: {said(error)}; have it made, or let the "
            "router do it with `declare: true`",
        ) from error


def _anew(options: QueueOptions, kind: str, name: str) -> str:
    """How to have it made as we want it. rabbitmqctl deletes no exchanges, and can't be told to
    spare a quorum queue that is not empty (`--if-empty` is not supported)."""
    if kind == "exchange":
        return "have it deleted (its bindings go with it), and it is made anew"
    command = shlex.join(["rabbitmqctl", "delete_queue", name, "-p", options.virtual_host])
    return (
        f"once nobody publishes and it is empty, run: {command} (it would delete a full one, "
        "too), and it is made anew"
    )
