"""A queue for Alerts on a real broker, what may befall the broker, and what is made of that."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aio_pika

from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Retry
from support.broker import Broker

DELIVERED = Delivered("confirmed")


@dataclass(frozen=True)
class Place:
    """A queue of this test alone, behind the default exchange."""

    broker: Broker
    queue: str

    @classmethod
    async def made(cls, broker: Broker) -> Self:
        name = f"alerts.{secrets.token_hex(4)}"
        async with await aio_pika.connect(broker.url) as dialled:
            await (await dialled.channel()).declare_queue(name, durable=True)
        return cls(broker, name)

    def adapter(self, **options: object) -> RabbitAdapter:
        given = {"url": self.broker.url, "exchange": "", "routing_key": self.queue, **options}
        return RabbitAdapter(RabbitAdapter.Config.model_validate(given))

    async def bind(self, exchange: str, key: str) -> None:
        async with await aio_pika.connect(self.broker.url) as dialled:
            queue = await (await dialled.channel()).get_queue(self.queue)
            await queue.bind(exchange, key)

    async def taken(self) -> list[str]:
        """The ids of what is in the queue, in order."""
        found = []
        async with await aio_pika.connect(self.broker.url) as dialled:
            queue = await (await dialled.channel()).get_queue(self.queue)
            while message := await queue.get(no_ack=True, fail=False):
                found.append(message.message_id or "")
        return found


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


@contextmanager
def full(broker: Broker) -> Iterator[None]:
    """The disk is full, as far as the broker knows."""
    broker.control("set_disk_free_limit", "9000GB")
    try:
        yield
    finally:
        broker.control("set_disk_free_limit", "1MB")


async def each(adapter: RabbitAdapter, deliveries: Sequence[Delivery]) -> list[Outcome]:
    """Sent at once and one by one, as the relay does it."""
    answers = await asyncio.gather(*(adapter.deliver([one]) for one in deliveries))
    return [outcome for (outcome,) in answers]


def ids(deliveries: Sequence[Delivery]) -> set[str]:
    return {str(one.alert.id) for one in deliveries}


def told(outcome: Outcome, reason: Reason | ChannelFault, *words: str) -> None:
    assert isinstance(outcome, Retry | Closed)
    assert outcome.reason is reason, outcome
    for each_word in words:
        assert each_word in outcome.detail
