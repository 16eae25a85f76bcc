"""Alerts by HTTP POST to receivers that answer untidily, end connections or never come to a status.

DUIS channels share all of it; over mutual TLS it is tried here, too.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from support.mutual import Mutual
from support.rawreceiver import HANG_UP, answering
from support.receivers import talking

from adapters.duis.delivery import DuisAdapter
from adapters.http.session import REST_S
from adapters.webhook import WebhookAdapter
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    Reason,
    Refused,
    Retry,
)

Make = Callable[[int], Delivery]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
COOKIES = b"".join(b"Set-Cookie: c%d=%s\r\n" % (number, b"y" * 3900) for number in range(12))


@asynccontextmanager
async def webhook(url: str) -> AsyncIterator[WebhookAdapter]:
    async with asyncio.timeout(30):
        async with WebhookAdapter(WebhookAdapter.Config.model_validate({"url": url})) as adapter:
            yield adapter


async def sent(
    adapter: WebhookAdapter | DuisAdapter, delivery: Make, numbers: Sequence[int]
) -> list[Outcome]:
    """The outcomes of so many Alerts, one after the other."""
    return [(await adapter.deliver([delivery(number)]))[0] for number in numbers]


# what a receiver answers; how it counts; whether it hangs up afterwards
ODD: dict[str, tuple[bytes, str, bool]] = {
    "hints": (INTERIM + OK, "200", False),
    "no length": (b"HTTP/1.0 200 OK\r\n\r\nfine", "200", True),
    "a body behind 204": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        "204 (untidy",
        False,
    ),
    "an unannounced one": (b"HTTP/1.1 204 No Content\r\n\r\nok", "204 (untidy", False),
    "a body cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "200", True),
    "cut off in its headers": (b"HTTP/1.1 202 Accepted\r\nContent-Le", "202", True),
    "more than it says": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokAND MORE\r\n",
        "200 (untidy",
        False,
    ),
    "a header of 9 kB": (
        b"HTTP/1.1 200 OK\r\nCSP: " + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
        "200",
        False,
    ),
    "a header of 200 kB": (
        b"HTTP/1.1 200 OK\r\nCSP: " + b"x" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
        "200 (untidy",
        False,
    ),
    "cookies": (b"HTTP/1.1 200 OK\r\n" + COOKIES + b"Content-Length: 0\r\n\r\n", "200", False),
    "a line that is no header": (
        b"HTTP/1.1 200 OK\r\nwhat is this\r\nContent-Length: 0\r\n\r\n",
        "200 (untidy",
        False,
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
        "200 (untidy",
        True,
    ),
    "no chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfine\r\n",
        "200 (untidy",
        True,
    ),
    "a SOAP fault": (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n<Fault/>", "200", False),
}


@pytest.mark.parametrize("over", ["webhook", "duis"])
@pytest.mark.parametrize("name", ODD)
async def test_a_status_that_came_stands_whatever_surrounds_it(
    delivery: Make, tmp_path: Path, name: str, over: str
) -> None:
    answer, receipt, closes = ODD[name]
    mutual = Mutual(tmp_path / "tls") if over == "duis" else None
    tls = mutual.server() if mutual else None
    async with answering([answer], tls, closes=closes) as receiver, asyncio.timeout(30):
        if mutual:
            options = DuisAdapter.Config.model_validate(mutual.options(receiver.url))
            async with DuisAdapter(options) as adapter:
                outcomes = await sent(adapter, delivery, range(3))
        else:
            async with webhook(receiver.url) as adapter:
                outcomes = await sent(adapter, delivery, range(3))
    for outcome in outcomes:
        assert isinstance(outcome, Delivered)
        assert outcome.receipt.startswith(receipt)
        assert ("untidy" in outcome.receipt) == ("untidy" in receipt)
    assert len(receiver.requests) == 3  # each was asked once


async def test_what_an_untidy_answer_says_against_us_counts_too(delivery: Make) -> None:
    untidy = (
        b"no header\r\nX: " + b"x" * 9000 + b"\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nwhy"
    )
    answers = [b"HTTP/1.1 %d x\r\n" % status + untidy for status in (503, 422, 404, 999)]
    async with answering(answers) as receiver, webhook(receiver.url) as adapter:
        busy, refused, gone, unknown = await sent(adapter, delivery, range(4))
    assert isinstance(busy, Retry)
    assert busy.after is not None
    assert busy.after.total_seconds() == 7
    assert "(untidy: a line of its headers is none): why" in busy.detail
    assert isinstance(refused, Refused)
    for outcome in (gone, unknown):
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.ENDPOINT


BEGUN: dict[str, bytes] = {
    "no end of its headers": b"HTTP/1.1 204 No Content\r\nDate: now\r\n",
    "no body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nhalf",
    "no end of the chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
}


@pytest.mark.parametrize("over", ["webhook", "duis"])
@pytest.mark.parametrize("name", BEGUN)
async def test_a_status_stands_though_the_time_of_the_send_ends_before_the_answer_does(
    delivery: Make, tmp_path: Path, name: str, over: str
) -> None:
    """The channel's `timeout` is shorter than what the rest of an answer has."""
    mutual = Mutual(tmp_path / "tls") if over == "duis" else None
    tls = mutual.server() if mutual else None
    async with answering([BEGUN[name]], tls) as receiver, AsyncExitStack() as stack:
        adapter: WebhookAdapter | DuisAdapter
        if mutual:
            options = DuisAdapter.Config.model_validate(mutual.options(receiver.url))
            adapter = await stack.enter_async_context(DuisAdapter(options))
        else:
            adapter = await stack.enter_async_context(webhook(receiver.url))
        async with asyncio.timeout(30):
            async with asyncio.timeout(REST_S / 4):
                (outcome,) = await adapter.deliver([delivery(1)])
    assert isinstance(outcome, Delivered)
    assert outcome.receipt.startswith(BEGUN[name][9:12].decode())


def test_a_status_that_waits_to_be_read_when_the_time_ends_stands(delivery: Make) -> None:
    """The router's loop looks at its clocks before it looks at its sockets."""
    came = threading.Event()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            another.send(b"x")
            time.sleep(0.05)  # the loop has taken it
            connection.sendall(OK)
            came.set()
            connection.recv(1)

    def hold_up() -> None:
        """As it reads from another connection."""
        other.recv(1)
        came.wait(10)
        time.sleep(0.3)

    async def send(url: str) -> Sequence[Outcome]:
        asyncio.get_running_loop().add_reader(other, hold_up)
        async with webhook(url) as adapter:
            async with asyncio.timeout(0.2):
                return await adapter.deliver([delivery(1)])

    other, another = socket.socketpair()
    with other, another, socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcomes = runner.run(send(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join()
    assert outcomes == [Delivered("200")]


async def test_without_a_status_the_time_of_a_send_ends(delivery: Make) -> None:
    async with answering([INTERIM]) as receiver, webhook(receiver.url) as adapter:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await adapter.deliver([delivery(1)])


async def test_what_the_receiver_has_already_is_delivered_and_noted(delivery: Make) -> None:
    answer = b"HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\nknown"
    async with answering([answer]) as receiver, webhook(receiver.url) as adapter:
        (outcome,) = await sent(adapter, delivery, [1])
    assert isinstance(outcome, Delivered)
    assert "409 Conflict: known" in outcome.receipt
    assert "has it already" in outcome.receipt


async def test_a_change_of_protocol_closes_the_lane(delivery: Make) -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    async with answering([answer]) as receiver, webhook(receiver.url) as adapter:
        (outcome,) = await sent(adapter, delivery, [1])
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert "101" in outcome.detail


async def test_an_echo_is_told_without_what_it_repeats(delivery: Make) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(line.got))
        await writer.drain()
        await _reader.read()

    async with talking(talk) as line, webhook(f"http://127.0.0.1:{line.port}/?token=hidden") as it:
        (outcome,) = await sent(it, delivery, [1])
    assert isinstance(outcome, Retry)
    assert "does not speak HTTP: it repeats our request" in outcome.detail
    assert "hidden" not in outcome.detail


async def test_a_receiver_that_never_comes_to_a_status_is_left(delivery: Make) -> None:
    """The bytes before a status are bounded, so the send ends long before its deadline."""
    wrote = 0

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal wrote
        while True:
            writer.write(INTERIM * 100)
            await writer.drain()
            wrote += 100 * len(INTERIM)

    async with talking(talk) as line, webhook(f"http://127.0.0.1:{line.port}/") as adapter:
        (outcome,) = await sent(adapter, delivery, [1])
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.SERVER
    assert "more than 64 kB" in outcome.detail
    assert wrote < 20_000_000  # what lay between us when we left


# --- connections that are used again ----------------------------------------------------------


async def test_a_used_connection_that_ends_without_a_byte_is_tried_again_at_once(
    delivery: Make,
) -> None:
    async with answering([OK, HANG_UP, OK]) as receiver, webhook(receiver.url) as adapter:
        outcomes = await sent(adapter, delivery, [1, 2])
    assert outcomes == [Delivered("200")] * 2
    first, lost, again = receiver.requests
    assert lost == again  # to the byte
    assert first != lost
    assert receiver.on == [1, 1, 2]


async def test_but_only_once(delivery: Make) -> None:
    answers = [OK, HANG_UP, HANG_UP, OK]
    async with answering(answers) as receiver, webhook(receiver.url) as adapter:
        outcomes = await sent(adapter, delivery, [1, 2])
    assert outcomes[0] == Delivered("200")
    assert isinstance(outcomes[1], Retry)
    assert outcomes[1].reason is Reason.NETWORK
    assert receiver.on == [1, 1, 2]


@pytest.mark.parametrize("began", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_and_not_once_a_byte_of_an_answer_came(delivery: Make, began: bytes) -> None:
    async with answering([OK, began, OK]) as receiver, webhook(receiver.url) as adapter:
        (first,) = await sent(adapter, delivery, [1])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sent(adapter, delivery, [2])
    assert first == Delivered("200")
    assert len(receiver.requests) == 2


async def test_a_new_connection_that_ends_without_a_byte_is_the_relays_to_try(
    delivery: Make,
) -> None:
    async with answering([HANG_UP]) as receiver, webhook(receiver.url) as adapter:
        (outcome,) = await sent(adapter, delivery, [1])
    assert isinstance(outcome, Retry)
    assert len(receiver.requests) == 1


async def test_a_connection_that_has_ended_meanwhile_is_not_used(delivery: Make) -> None:
    async with answering([OK], closes=True) as receiver, webhook(receiver.url) as adapter:
        outcomes = await sent(adapter, delivery, range(3))
    assert outcomes == [Delivered("200")] * 3
    assert receiver.on == [1, 2, 3]


async def test_a_connection_on_which_a_request_was_not_read_to_its_end_is_not_used(
    delivery: Make,
) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(3600)

    large = replace(delivery(1), body=b" " * 30_000_000)
    async with talking(talk) as line, webhook(f"http://127.0.0.1:{line.port}/") as adapter:
        for each in (large, delivery(2)):
            (outcome,) = await adapter.deliver([each])
            assert isinstance(outcome, Refused)
    assert line.connections == 2


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/w/abc?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sig=a%2Bb%2Fc%3D", None),
        ("/hook%2Ftenant%3A1/x%28y%29?q=%27a%27&e=x%40y", None),
        ("/a/../b//c/./", None),
        ("/t?x=a+b&y=a%20b", None),
        ("/T%c3%a9l?z=%7e&%zz&100%", None),
        ('/a;b=c,d/{x}|"^`\\[]<>?{}|"\'^`\\[]<>', None),
        ("/?a?b=/c//d", None),
        ("?x=y", "/?x=y"),
        ("", "/"),
        ("/x#fragment?no=query", "/x"),
        ("/x?a=b#", "/x?a=b"),
        ("/tél?ü=%fc", "/t%C3%A9l?%C3%BC=%fc"),
    ],
)
async def test_an_address_is_asked_for_byte_for_byte(
    delivery: Make, written: str, asked: str | None
) -> None:
    async with answering([OK], path=written) as receiver, webhook(receiver.url) as adapter:
        assert await sent(adapter, delivery, [1]) == [Delivered("200")]
    assert receiver.targets == [written if asked is None else asked]
    host = receiver.url.partition("//")[2][: -len(written) or None]
    assert f"\r\nHost: {host}\r\n".encode() in receiver.requests[0]
