"""The door of the operations port: half requests, long ones, and more than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
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


def test_the_same_on_the_loop_of_the_router() -> None:
    async def all_of_it() -> None:
        await test_a_thousand_half_requests_take_few_descriptors_and_let_others_in()
        await test_a_head_that_never_ends_is_hung_up_on()
        await test_a_long_head_is_refused(b"")
        await test_one_connection_is_for_one_request_and_no_body_is_read()
        await test_heads_in_pieces_are_heads()
        await test_where_all_are_answered_one_more_is_turned_away()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_of_it())
