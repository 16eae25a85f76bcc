"""Alerts to a broker that says no, hangs, goes away or is killed: the outcome, and what follows."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import pytest
from broker import Broker
from proxy import Proxy

from adapters.rabbitmq import connection
from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import Closed, ClosedReason, Delivered, Delivery, Outcome, Reason, Retry

Make = Callable[[int], Delivery]
DELIVERED = Delivered("confirmed")


@dataclass(frozen=True)
class Place:
    """A queue of this test alone, behind the default exchange."""

    broker: Broker
    queue: str

    def adapter(self, **options: object) -> RabbitAdapter:
        given = {"url": self.broker.url, "exchange": "", "routing_key": self.queue, **options}
        return RabbitAdapter(RabbitAdapter.Config.model_validate(given))

    async def taken(self) -> list[str]:
        """The ids of what is in the queue, in order."""
        found = []
        async with await aio_pika.connect(self.broker.url) as dialled:
            queue = await (await dialled.channel()).get_queue(self.queue)
            while message := await queue.get(no_ack=True, fail=False):
                found.append(message.message_id or "")
        return found


@pytest.fixture
async def place(broker: Broker) -> AsyncIterator[Place]:
    name = f"alerts.{secrets.token_hex(4)}"
    async with await aio_pika.connect(broker.url) as dialled:
        await (await dialled.channel()).declare_queue(name, durable=True)
    yield Place(broker, name)


def certified(broker: Broker, folder: Path) -> tuple[dict[str, object], dict[str, object]]:
    """Options for TLS: whom we trust, and who we are."""
    issued = broker.ca.issue_cert("client.example")
    issued.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    issued.private_key_pem.write_to_path(str(folder / "client.key"))
    (folder / "client.key").chmod(0o600)
    return (
        {"url": broker.tls_url, "ca_file": broker.folder / "ca.pem"},
        {"certificate_file": folder / "client.pem", "key_file": folder / "client.key"},
    )


@contextmanager
def frozen(broker: Broker) -> Iterator[None]:
    broker.freeze()
    try:
        yield
    finally:
        broker.thaw()


async def each(adapter: RabbitAdapter, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Sent at once and one by one, as the relay does it."""
    answers = await asyncio.gather(*(adapter.deliver([one]) for one in deliveries))
    return [outcome for (outcome,) in answers]


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


def ids(deliveries: Sequence[Delivery]) -> set[str]:
    return {str(one.alert.id) for one in deliveries}


def told(outcome: Outcome, reason: Reason | ClosedReason, *words: str) -> None:
    assert isinstance(outcome, Retry | Closed)
    assert outcome.reason is reason, outcome
    for each_word in words:
        assert each_word in outcome.detail


# --- it does not let us in -------------------------------------------------------------------


async def test_a_permission_that_is_missing_closes_the_lane_until_it_is_given(
    place: Place, delivery: Make
) -> None:
    async with place.adapter(url=f"{place.broker.url}nowhere") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ClosedReason.ENDPOINT, "virtual host 'nowhere'", "add_vhost nowhere")
    user = f"user-{secrets.token_hex(4)}"
    place.broker.control("add_user", user, "right")
    async with place.adapter(user=user, password="wrong") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ClosedReason.CREDENTIALS, f"user '{user}' with this password")
        assert "wrong" not in str(outcome)
    async with place.adapter(user=user, password="right") as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ClosedReason.ENDPOINT, "virtual host '/'", "set_permissions")
        place.broker.control("set_permissions", user, "", "", "")
        outcomes = await each(adapter, [delivery(n) for n in range(16)])
        told(outcomes[0], ClosedReason.CREDENTIALS, "ACCESS_REFUSED", "set_permissions")
        place.broker.control("set_permissions", user, "", ".*", "")
        assert await adapter.deliver([delivery(1)]) == [DELIVERED]


async def test_tls_with_a_client_certificate(place: Place, delivery: Make, tmp_path: Path) -> None:
    trusted, files = certified(place.broker, tmp_path)
    async with place.adapter(**trusted, **files) as adapter:
        assert await each(adapter, [delivery(n) for n in range(16)]) == [DELIVERED] * 16
    async with place.adapter(**{**trusted, **files, "ca_file": None}) as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ClosedReason.ENDPOINT, "its certificate is not valid", "`ca_file`")
    (tmp_path / "client.key").chmod(0o644)
    async with place.adapter(**trusted, **files) as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, ClosedReason.CREDENTIALS, "others may open")


# --- it takes nothing ------------------------------------------------------------------------


async def test_a_full_disk_is_busy_until_there_is_room(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.CONFIRM_S", 0.5)
    ours = [delivery(n) for n in range(16)]
    async with place.adapter() as adapter:
        assert await each(adapter, ours) == [DELIVERED] * 16
        place.broker.control("set_disk_free_limit", "9000GB")
        try:
            for outcome in await each(adapter, ours):
                told(outcome, Reason.BUSY, "short of disk or memory", "make room")
            (again,) = await adapter.deliver(ours[:1])  # known by now: not even tried
            told(again, Reason.BUSY, "short of disk or memory")
        finally:
            place.broker.control("set_disk_free_limit", "1MB")
        for _ in range(600):
            if await adapter.deliver(ours[:1]) == [DELIVERED]:
                break
            await asyncio.sleep(0.05)
        assert await each(adapter, ours) == [DELIVERED] * 16
        assert adapter.link().made == 1


async def test_a_broker_that_hangs_is_a_timeout(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rabbitmq.delivery.CONFIRM_S", 0.3)
    ours = [delivery(n) for n in range(16)]
    async with place.adapter() as adapter:
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
        with frozen(place.broker):
            for outcome in await each(adapter, ours):
                told(outcome, Reason.TIMEOUT, "not confirmed within 0.3 s")
        monkeypatch.undo()
        assert await each(adapter, ours) == [DELIVERED] * 16
        assert adapter.link().made == 1
    assert set(await place.taken()) == ids(ours)


@pytest.mark.parametrize("batch", [1, 10])
async def test_the_deadline_of_the_channel_ends_a_send(
    place: Place, delivery: Make, batch: int
) -> None:
    ours = [delivery(n) for n in range(10)]
    async with place.adapter(batch=batch) as adapter:
        assert await adapter.deliver(ours[:1]) == [DELIVERED]
        with frozen(place.broker):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await adapter.deliver(ours[:batch])
        assert await adapter.deliver(ours[:batch]) == [DELIVERED] * batch
        assert adapter.link().made == 1


async def test_the_deadline_ends_dialling_too(place: Place, delivery: Make) -> None:
    ours = [delivery(n) for n in range(16)]

    async def hurried(one: Delivery) -> None:
        async with asyncio.timeout(0.2):
            await adapter.deliver([one])

    async with place.adapter() as adapter:
        with frozen(place.broker):
            ends = await asyncio.gather(*map(hurried, ours), return_exceptions=True)
            assert [type(end) for end in ends] == [TimeoutError] * 16
        assert await each(adapter, ours) == [DELIVERED] * 16


async def test_those_that_wait_for_a_connection_share_its_failure(
    place: Place, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "DIAL_S", 0.3)
    ours = [delivery(n) for n in range(16)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://127.0.0.1:{silent.getsockname()[1]}/"
        async with place.adapter(url=url) as adapter:
            silent.settimeout(0)
            for outcome in await each(adapter, ours):
                told(outcome, Reason.NETWORK, "did not answer within 0.3 s")
            silent.accept()[0].close()
            with pytest.raises(BlockingIOError):  # one call, not sixteen
                silent.accept()
            (outcome,) = await adapter.deliver(ours[:1])
            told(outcome, Reason.NETWORK, "did not answer within 0.3 s")
            silent.accept()[0].close()  # and the next tries again


@pytest.mark.parametrize("tls", [False, True])
async def test_a_broker_that_hangs_does_not_keep_us(
    place: Place, delivery: Make, tmp_path: Path, tls: bool
) -> None:
    options: dict[str, object] = {}
    if tls:
        trusted, files = certified(place.broker, tmp_path)
        options = {**trusted, **files}
    async with asyncio.timeout(20):
        try:
            async with place.adapter(**options) as adapter:
                assert await adapter.deliver([delivery(1)]) == [DELIVERED]
                place.broker.freeze()
        finally:
            place.broker.thaw()


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
