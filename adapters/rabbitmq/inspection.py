"""What a queue is that somebody else has made: of which type, and when its messages are given up.

AMQP tells nobody what the arguments of a queue are. But who declares it with others is refused in
words that name the first that differs. What is declared here can't be made, should the queue go
away meanwhile: it bears an argument that its type does not take. Who may not declare hears nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

from aio_pika import exceptions
from aio_pika.abc import AbstractConnection

from adapters.rabbitmq.trouble import BrokerError, TroubleKind

ROUNDS = 15
"""More arguments than a queue can have are not asked for."""
LOW = 100
"""A delivery limit below this is soon reached: each lost connection counts for all in hand."""
GIVEN_BY_DEFAULT = 20
"""The delivery limit of a quorum queue that names none, from RabbitMQ 4.0 on."""

_DIFFERS = re.compile(
    r"inequivalent arg '(?P<name>[\w-]+)' for queue .* but current is"
    r" (?:none|(?:the value )?'(?P<value>.*?)'(?: of type '(?P<type>\w+)')?)$",
    re.DOTALL,
)
_LIMIT, _KIND, _ALONE = "x-delivery-limit", "x-queue-type", "x-single-active-consumer"
_IMPOSSIBLE = {"x-max-age": "1s"}
"""Of streams alone: whoever would make a quorum queue with it is refused."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """As far as it could be found out."""

    kind: str | None = None
    """`quorum`, `classic`, `stream` or another."""
    limit: int | None = None
    """Of deliveries, by the arguments of a quorum queue; None: none is named, or it is unknown."""
    single_active: bool = False
    """Only one of its consumers is given anything."""


async def inspect(connection: AbstractConnection, queue: str) -> Inspected:
    """Ask until it is known. The broker closes the channel of each question."""
    arguments: dict[str, Any] = {_KIND: "quorum", _LIMIT: "unknown", **_IMPOSSIBLE}
    flags = {"durable": True, "auto_delete": False}
    for _ in range(ROUNDS):
        channel = await connection.channel()
        try:
            await channel.declare_queue(queue, arguments=arguments, **flags)
        except exceptions.ChannelPreconditionFailed as error:
            found = _DIFFERS.search(str(error))
        except exceptions.AMQPChannelError:
            break
        else:
            break  # no broker does that
        if found is None:
            break
        name, value = found["name"], found["value"]
        alone = arguments.get(_ALONE) is True
        if name == _KIND:
            return Inspected(value or "classic", None, alone)
        if name == _LIMIT:
            return Inspected("quorum", int(value) if value else None, alone)
        if name in flags:
            flags[name] = not flags[name]
        elif value is None or name in arguments:
            break
        else:
            arguments[name] = _typed(value, found["type"])
    return Inspected()


def _typed(value: str, kind: str | None) -> Any:
    if kind == "bool":
        return value == "true"
    return value if kind == "longstr" else int(value) if re.fullmatch(r"-?\d+", value) else value


def refuse(found: Inspected, where: str, queue: str) -> None:
    """BrokerError where facts can't be taken from such a queue."""
    if found.kind == "stream":
        raise BrokerError(TroubleKind.ENDPOINT, f"{where}: {is_a_stream(queue)}")


def why_silent(found: Inspected, queue: str) -> str:
    """Why nothing may come from it although something waits."""
    if found.single_active:
        return (
            "it has a single active consumer, and that is another; once that one goes, facts come"
        )
    return (
        "another consumer may have it to itself (exclusive, single active, a higher priority), or"
        f" it is a stream; `rabbitmqctl list_consumers` shows who takes from {queue!r}"
    )


def is_a_stream(queue: str) -> str:
    """Why, and what to do."""
    return (
        f"queue {queue!r} is a stream, which keeps what is acknowledged: have a quorum queue bound"
        " to the same exchange, and give its name as `queue`"
    )


def soon_given_up(found: Inspected, *, version: str, queue: str, virtual_host: str) -> str | None:
    """In words what becomes of facts here after a few lost connections; None: nothing."""
    limit = found.limit
    if found.kind != "quorum" or (limit is not None and not 0 <= limit < LOW):
        return None
    if limit is None and _major(version) < 4:
        return None
    much = GIVEN_BY_DEFAULT if limit is None else limit
    pattern = f"^{re.escape(queue)}$"
    policy = ["-p", virtual_host, "hubherald", pattern, '{"delivery-limit": 1000}']
    set_policy = shlex.join(["rabbitmqctl", "set_policy", *policy, "--apply-to", "queues"])
    how = (
        f"unless a policy says so already, run: {set_policy}"
        if limit is None
        else f"have it made anew with {_LIMIT} 1000, as a policy can only lower it"
    )
    return (
        f"queue {queue!r} gives a fact up once it was given out {much} times, and each lost"
        f" connection counts for all in hand; without a dead-letter exchange it is gone then: {how}"
    )


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0
