"""Names whose servers are away: whoever needs them waits, and nobody else does."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.amqpserver import AmqpServer
from support.rawreceiver import answering

from adapters import dialling
from adapters.rabbitmq.delivery import RabbitAdapter
from adapters.webhook import WebhookAdapter
from router.ports import Adapter, Delivered, Delivery, Outcome, Reason, Retry

Make = Callable[[int], Delivery]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Names:
    """The system's look-up: a name that ends in `.away` is never found."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.back = threading.Event()
        self._real = socket.getaddrinfo

    def getaddrinfo(self, host: Any, *more: Any, flags: int = 0, **named: Any) -> Any:
        """As `socket.getaddrinfo`."""
        if not flags & socket.AI_NUMERICHOST:
            self.asked.append(str(host))
            if str(host).endswith(".away"):
                self.back.wait(60)
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._real(host, *more, flags=flags, **named)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    yield found
    found.back.set()


def webhook(url: str) -> WebhookAdapter:
    return WebhookAdapter(WebhookAdapter.Config.model_validate({"url": url}))


def rabbit(url: str) -> RabbitAdapter:
    return RabbitAdapter(RabbitAdapter.Config.model_validate({"url": url, "exchange": "alerts"}))


async def answered(adapter: Adapter[Any], delivery: Delivery) -> Outcome:
    async with asyncio.timeout(20), adapter:
        (outcome,) = await adapter.deliver([delivery])
    return outcome


async def until(done: Callable[[], object]) -> None:
    """The limit is there to fail, not to measure."""
    for _ in range(2_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def test_names_that_are_not_found_hold_up_no_other_user(names: Names, delivery: Make) -> None:
    """However many, and whatever they are asked by."""
    threads = threading.active_count()
    server = AmqpServer()
    async with answering([OK]) as receiver, server.running(), asyncio.TaskGroup() as evil:
        stuck = [
            evil.create_task(answered(make(f"{scheme}://{number}.{scheme}.away/"), delivery(1)))
            for number in range(20)
            for make, scheme in ((webhook, "https"), (rabbit, "amqps"))
        ]
        await until(lambda: len(names.asked) == len(stuck))
        for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
            assert await answered(webhook(url), delivery(1)) == Delivered("200")
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            assert await answered(rabbit(url), delivery(1)) == Delivered("confirmed")
        assert not any(each.done() for each in stuck)
        names.back.set()
    assert all(isinstance(each.result(), Retry) for each in stuck)
    assert threading.active_count() <= threads + 3 * len(stuck)


async def test_a_name_is_looked_up_once_for_all_who_ask(names: Names, delivery: Make) -> None:
    adapters = [webhook("https://all.away/") for _ in range(20)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(answered(each, delivery(1))) for each in adapters]
        await until(lambda: names.asked)
        await asyncio.sleep(0.05)
        assert names.asked == ["all.away"]
        for _ in range(50):  # whose time is over
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await dialling.addresses("all.away", 443)
        assert names.asked == ["all.away"]
        names.back.set()
    for task in tasks:
        outcome = task.result()
        assert isinstance(outcome, Retry)
        assert outcome.reason is Reason.NETWORK
        assert "Name or service not known" in outcome.detail


async def test_who_waits_for_a_name_is_told_so(
    names: Names, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialling, "LOOK_UP_S", 0.1)
    for adapter in (webhook("https://late.away/"), rabbit("amqps://late.away/")) * 2:
        outcome = await answered(adapter, delivery(1))
        assert isinstance(outcome, Retry)
        assert outcome.reason is Reason.NETWORK
        assert "is the server of names away?" in outcome.detail
    assert names.asked == ["late.away"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.1", "fe80::1%lo"])
async def test_an_address_is_never_looked_up(names: Names, host: str) -> None:
    found = await dialling.addresses(host, 443)
    assert {each[4][1] for each in found} == {443}
    assert names.asked == []


async def test_what_was_found_is_known_for_a_while(names: Names) -> None:
    first = await dialling.addresses("localhost", 443)
    assert first == await dialling.addresses("localhost", 443)
    other = await dialling.addresses("localhost", 5671)
    assert {each[4][1] for each in other} == {5671}
    assert names.asked.count("localhost") <= 1
