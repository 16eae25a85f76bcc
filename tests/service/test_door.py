"""The door of the operations port: half requests, long ones, and more than there is room for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs
from support.operations import Router

from router.service.door import BACKLOG, LARGEST_HEAD, MOST, Doorkeeper

WHOLE = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def ask(port: int, request: bytes = WHOLE) -> bytes:
    """All that is answered, until the other side hangs up."""
    async with connected(port) as (reader, writer):
        writer.write(request)
        return await reader.read()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_thousand_half_requests_take_few_descriptors_and_let_others_in() -> None:
    async with Router().operations() as operations:
        before = descriptors()
        writers: list[asyncio.StreamWriter] = []
        most = 0
        for _ in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", operations.port)
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            writers.append(writer)
            await asyncio.sleep(0)
            most = max(most, descriptors() - before - len(writers))
        assert most <= MOST + BACKLOG + 2
        assert (await ask(operations.port)).startswith(b"HTTP/1.1 200")
        for writer in writers:
            writer.close()


async def test_a_head_that_never_ends_is_hung_up_on() -> None:
    keeper = Doorkeeper(asyncio.Protocol, head_s=0.05)
    server = await asyncio.get_running_loop().create_server(keeper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connected(port) as (reader, writer):
        with suppress(OSError, RuntimeError):
            for _ in range(200):  # a byte now and then does not help
                writer.write(b"x")
                await asyncio.sleep(0.005)
        with suppress(OSError):
            assert await reader.read() == b""
    assert not keeper.doors
    server.close()


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_a_long_head_is_refused(end: bytes) -> None:
    async with Router().operations() as operations:
        request = b"GET / HTTP/1.1\r\nX: " + b"x" * (LARGEST_HEAD + 10) + end
        assert (await ask(operations.port, request)).startswith(b"HTTP/1.1 431 ")


async def test_one_connection_is_for_one_request_and_no_body_is_read() -> None:
    async with Router().operations() as operations:
        assert (await ask(operations.port, WHOLE * 1000)).count(b"HTTP/1.1 200") == 1
        endless = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
        assert b"live: 8 rules" in await ask(operations.port, endless)


async def test_heads_in_pieces_are_heads() -> None:
    async with Router().operations() as operations, connected(operations.port) as (reader, writer):
        for each in range(len(WHOLE)):
            writer.write(WHOLE[each : each + 1])
            await asyncio.sleep(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 200")


async def test_where_all_are_answered_one_more_is_turned_away() -> None:
    keeper = Doorkeeper(asyncio.Protocol)  # answers nothing
    server = await asyncio.get_running_loop().create_server(keeper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    writers = []
    for _ in range(MOST):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        writers.append(writer)
    for _ in range(60_000):
        if sum(each.passed for each in keeper.doors) == MOST:
            break
        await asyncio.sleep(0.001)
    assert (await ask(port)).startswith(b"HTTP/1.1 503 ")
    for door in list(keeper.doors):
        door.leave()
    for writer in writers:
        writer.close()
    server.close()


async def unread(port: int) -> socket.socket:
    """One that asks for much and reads nothing of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, WHOLE)
    return client


async def until(done: Callable[[], object]) -> None:
    """The limit is there to fail, and is less than the whole time of a connection."""
    for _ in range(1_000):
        if done():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def test_who_reads_nothing_makes_room_and_is_hung_up_on() -> None:
    keeper = Doorkeeper(Lengthy)
    server = await asyncio.get_running_loop().create_server(keeper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clients = [await unread(port) for _ in range(MOST)]
    await until(lambda: all(each.unread_for for each in keeper.doors))
    for _ in range(3):  # Prometheus comes, and a probe
        assert len(await ask(port)) == LENGTH
    await until(lambda: not keeper.doors)
    for client in clients:
        client.close()
    server.close()


async def test_who_reads_slowly_gets_all_of_it() -> None:
    keeper = Doorkeeper(Lengthy, unread_s=1.0)
    server = await asyncio.get_running_loop().create_server(keeper, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with connected(port) as (reader, writer):
        writer.write(WHOLE)
        read = 0
        while piece := await reader.read(200_000):
            read += len(piece)
            await asyncio.sleep(0.02)
    assert read == LENGTH
    server.close()


LENGTH = 8_000_000


class Lengthy(asyncio.Protocol):
    """Answers at length, all at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        self._transport.write(bytes(LENGTH))
        self._transport.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nAuthorization Bearer s3cret\r\n\r\n",
        b"GET / HTTP/9.9\r\nAuthorization: Bearer s3cret\r\n\r\n",
        b"GET /s3cret\x00 HTTP/1.1\r\nHost: \x01\r\n\r\n",
        b"GET /\r\nHost: s3cret\r\n\r\n",
        b"\x16\x03\x01s3cret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: s3cret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: s3cret\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_one_short_line_of_the_log(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        async with Router().operations() as operations:
            for _ in range(50):
                assert (await ask(operations.port, head))[8:10] == b" 4"
            assert (await ask(operations.port)).startswith(b"HTTP/1.1 200 ")
    assert caplog.records == []  # nor anything in the server's own words
    assert len(lines) <= 1
    for line in lines:
        assert line["event"] == "operations.malformed"
        assert line["last_from"] == "127.0.0.1"
        assert "s3cret" not in str(line)


def test_the_same_on_the_loop_of_the_router() -> None:
    async def all_of_it() -> None:
        await test_who_reads_nothing_makes_room_and_is_hung_up_on()
        await test_who_reads_slowly_gets_all_of_it()
        await test_a_thousand_half_requests_take_few_descriptors_and_let_others_in()
        await test_a_head_that_never_ends_is_hung_up_on()
        await test_a_long_head_is_refused(b"")
        await test_one_connection_is_for_one_request_and_no_body_is_read()
        await test_heads_in_pieces_are_heads()
        await test_where_all_are_answered_one_more_is_turned_away()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())
