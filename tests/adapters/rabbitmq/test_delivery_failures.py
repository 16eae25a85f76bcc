"""Alerts to a broker that says no, goes away or is killed: the outcome, and what follows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.alertqueue import DELIVERED, Place, certified, each, ids, told
from support.broker import Broker
from support.proxy import Proxy

from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import ChannelFault, Delivery, Outcome, Reason

pytestmark = pytest.mark.once

Make = Callable[[int], Delivery]


@pytest.fixture
async def place(broker: Broker) -> Place:
    return await Place.made(broker)


async def interrupted(
    adapter: RabbitAdapter, deliveries: Sequence[Delivery], by: Callable[[], object]
) -> list[Outcome]:
    """What becomes of these when something happens as soon as some are delivered."""
    sends = [asyncio.create_task(adapter.deliver([one])) for one in deliveries]
    await sends[0]
    by()
    outcomes = [(await send)[0] for send in sends]
    assert DELIVERED in outcomes
    failed = [one for one in outcomes if one != DELIVERED]
    assert failed, "the broker was too fast: give it more to do"
    for one in failed:
        told(one, Reason.NETWORK, "127.0.0.1:")
    return outcomes


# --- it does not let us in -------------------------------------------------------------------


async def test_a_permission_that_is_missing_closes_the_lane_until_it_is_given(
    place: Place, delivery: Make
) -> None:
    async with place.adapter(url=f"{place.broker.url}nowhere") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ChannelFault.ENDPOINT, "virtual host 'nowhere'", "add_vhost nowhere")
    user = f"user-{secrets.token_hex(4)}"
    place.broker.control("add_user", user, "right")
    async with place.adapter(user=user, password="wrong") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ChannelFault.CREDENTIALS, f"user '{user}' with this password")
        assert "wrong" not in str(outcome)
    async with place.adapter(user=user, password="right") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ChannelFault.ENDPOINT, "virtual host '/'", "set_permissions")
        place.broker.control("set_permissions", user, "", "", "")
        outcomes = await each(adapter, [delivery(n) for n in range(16)])
        told(outcomes[0], ChannelFault.CREDENTIALS, "ACCESS_REFUSED", "set_permissions")
        place.broker.control("set_permissions", user, "", ".*", "")
        assert await adapter.deliver([delivery(1)]) == [DELIVERED]


async def test_tls_with_a_client_certificate(place: Place, delivery: Make, tmp_path: Path) -> None:
    trusted, files = certified(place.broker, tmp_path)
    async with place.adapter(**trusted, **files) as adapter:
        assert await each(adapter, [delivery(n) for n in range(16)]) == [DELIVERED] * 16
    async with place.adapter(**{**trusted, **files, "ca_file": None}) as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ChannelFault.ENDPOINT, "its certificate is not valid", "`ca_file`")
    (tmp_path / "client.key").chmod(0o644)
    async with place.adapter(**trusted, **files) as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ChannelFault.CREDENTIALS, "others may open")


# --- it goes away ----------------------------------------------------------------------------


async def test_a_connection_that_is_cut_is_made_again(place: Place, delivery: Make) -> None:
    ours = [delivery(n) for n in range(2000)]
    with Proxy(place.broker.port) as proxy:
        async with place.adapter(url=f"amqp://127.0.0.1:{proxy.port}/") as adapter:
            outcomes = await interrupted(adapter, ours, proxy.cut)
            left = [one for one, got in zip(ours, outcomes, strict=True) if got != DELIVERED]
            assert await each(adapter, left) == [DELIVERED] * len(left)
            assert adapter.link().made == 2
    assert set(await place.taken()) == ids(ours)


async def test_a_broker_that_stops_and_starts(place: Place, delivery: Make) -> None:
    ours = [delivery(n) for n in range(16)]
    async with place.adapter() as adapter:
        assert await each(adapter, ours) == [DELIVERED] * 16
        place.broker.stop()
        try:
            for outcome in await each(adapter, ours):
                told(outcome, Reason.NETWORK, f"127.0.0.1:{place.broker.port}: ")
            assert not adapter.link().up
            (outcome,) = await adapter.deliver(ours[:1])
            told(outcome, Reason.NETWORK, "connection refused; is RabbitMQ running")
        finally:
            place.broker.start()
        assert await each(adapter, ours) == [DELIVERED] * 16
        assert adapter.link().up
    assert set(await place.taken()) == ids(ours)


async def test_what_was_delivered_survives_a_broker_that_is_killed(
    place: Place, delivery: Make
) -> None:
    ours = [delivery(n) for n in range(2000)]
    async with place.adapter() as adapter:
        try:
            outcomes = await interrupted(adapter, ours, place.broker.kill)
        finally:
            place.broker.start()
        left = [one for one, got in zip(ours, outcomes, strict=True) if got != DELIVERED]
        assert await each(adapter, left) == [DELIVERED] * len(left)
    assert set(await place.taken()) == ids(ours)
