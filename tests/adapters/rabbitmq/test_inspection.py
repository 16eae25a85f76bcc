"""What a queue on a real broker is, found out without making one or changing it."""

from __future__ import annotations

import secrets
from typing import Any

import aio_pika
import pytest
from support.broker import Broker
from support.factqueue import FactQueue

from adapters.rabbitmq.inspection import Inspected, inspect, soon_given_up

pytestmark = pytest.mark.once
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


async def found(place: FactQueue) -> Inspected:
    async with await aio_pika.connect(place.broker.url) as connection:
        return await inspect(connection, place.name)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (QUORUM, Inspected("quorum")),
        ({**QUORUM, "x-delivery-limit": 3}, Inspected("quorum", 3)),
        ({**QUORUM, "x-delivery-limit": 100_000}, Inspected("quorum", 100_000)),
        ({**QUORUM, "x-single-active-consumer": True}, Inspected("quorum", None, True)),
        (
            {
                **QUORUM,
                "x-delivery-limit": 7,
                "x-single-active-consumer": True,
                "x-dead-letter-exchange": "some 'odd' name",
                "x-dead-letter-routing-key": "",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
                "x-max-length": 1_000_000,
                "x-max-length-bytes": 10_000_000_000,
                "x-expires": 3_600_000,
                "x-message-ttl": 60_000,
            },
            Inspected("quorum", 7, True),
        ),
        ({"x-queue-type": "stream"}, Inspected("stream")),
        ({"x-queue-type": "stream", "x-max-age": "7D"}, Inspected("stream")),
        ({}, Inspected("classic")),
        ({"x-queue-type": "classic", "x-max-priority": 5}, Inspected("classic")),
    ],
)
async def test_its_type_and_limit(
    place: FactQueue, arguments: dict[str, Any], expected: Inspected
) -> None:
    async with place.channel() as channel:
        await channel.declare_queue(place.name, durable=True, arguments=arguments)
    assert await found(place) == expected


@pytest.mark.parametrize("flags", [{"auto_delete": True}, {"durable": False}])
async def test_of_a_classic_one_with_other_flags(place: FactQueue, flags: dict[str, bool]) -> None:
    async with place.channel() as channel:
        await channel.declare_queue(place.name, **{"durable": True, **flags})
        assert await found(place) == Inspected("classic")


async def test_one_that_is_not_there_is_not_made(place: FactQueue) -> None:
    assert await found(place) == Inspected()
    assert place.name not in place.broker.control("list_queues", "name")


async def test_who_may_not_ask_learns_nothing(place: FactQueue) -> None:
    user = f"user-{secrets.token_hex(4)}"
    place.broker.control("add_user", user, "right")
    place.broker.control("set_permissions", user, "", "", ".*")
    async with place.channel() as channel:
        await channel.declare_queue(place.name, durable=True, arguments=QUORUM)
    url = place.broker.url.replace("//", f"//{user}:right@")
    async with await aio_pika.connect(url) as connection:
        assert await inspect(connection, place.name) == Inspected()


def test_what_to_do_about_a_limit() -> None:
    at = {"queue": "it's", "virtual_host": "dsp"}
    told = soon_given_up(Inspected("quorum"), version="4.2.1", **at)
    assert told is not None
    assert """rabbitmqctl set_policy -p dsp hubherald '^it'"'"'s$'""" in told
    assert soon_given_up(Inspected("quorum"), version="3.12.0", **at) is None
    assert soon_given_up(Inspected("classic"), version="4.2.1", **at) is None
    assert soon_given_up(Inspected(), version="4.2.1", **at) is None
    told = soon_given_up(Inspected("quorum", 5), version="3.12.0", **at)
    assert told is not None
    assert "made anew with x-delivery-limit 1000" in told
