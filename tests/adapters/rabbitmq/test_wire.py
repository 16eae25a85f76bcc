"""A broker that sends whatever it likes: that connection ends, and nothing is kept of it."""

from __future__ import annotations

import asyncio
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pamqp.frame
import pytest
from pamqp import commands
from pamqp.header import ContentHeader
from support.alertqueue import DELIVERED, told
from support.amqpserver import AmqpServer, Peer

from adapters.rabbitmq.delivery import RabbitAdapter
from router.ports import ChannelFault, Delivery, Reason

Make = Callable[[int], Delivery]
MB = 1_000_000
GIVEN = 40 * MB
"""Bytes that an enemy has for us."""
KEPT = 8 * MB
"""Bytes that are allocated at most while it sends them."""


@pytest.fixture
def watched() -> Iterator[Callable[[], int]]:
    """Gives the most bytes that were allocated at a time."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def adapter(server: AmqpServer, **more: Any) -> RabbitAdapter:
    given = {"url": server.url, "exchange": "alerts", **more}
    return RabbitAdapter(RabbitAdapter.Config.model_validate(given))


async def flood(peer: Peer, block: bytes) -> None:
    """Send one block again and again, as far as the other side takes it."""
    with suppress(OSError):
        for _ in range(GIVEN // len(block)):
            peer.writer.write(block)
            await peer.writer.drain()


def frame(kind: int, channel: int, payload: bytes, size: int | None = None) -> bytes:
    return struct.pack(">BHI", kind, channel, size or len(payload)) + payload + b"\xce"


def returned(peer: Peer, channel: int, size: int) -> None:
    """The beginning of a message that comes back."""
    published = commands.Basic.Properties(message_id="any")
    peer.send(channel, commands.Basic.Return(312, "NO_ROUTE", "alerts", "N64"))
    peer.send(channel, ContentHeader(body_size=size, properties=published))


async def large_frame(peer: Peer, channel: int, _frame: object) -> bool:
    peer.writer.write(struct.pack(">BHI", 3, channel, 2**32 - 1))
    await flood(peer, bytes(65_536))
    return True


async def large_method(peer: Peer, channel: int, _frame: object) -> bool:
    peer.writer.write(frame(1, channel, bytes(100_000)))
    return True


async def large_body(peer: Peer, channel: int, _frame: object) -> bool:
    returned(peer, channel, 2**40)
    await flood(peer, frame(3, channel, bytes(131_064)))
    return True


async def many_bodies(peer: Peer, channel: int, _frame: object) -> bool:
    """All of a size that could be ours; then the connection is closed."""
    with suppress(OSError):
        for _ in range(GIVEN // 10 // MB):
            returned(peer, channel, 10 * MB)
            for _ in range(100):
                peer.writer.write(frame(3, channel, bytes(100_000)))
                await peer.writer.drain()
        peer.writer.close()
    return True


async def endless_body(peer: Peer, channel: int, _frame: object) -> bool:
    """More and more of one that was small by its header."""
    returned(peer, channel, 1_000)
    await flood(peer, frame(3, channel, bytes(1_000)))
    return True


async def body_of_nothing(peer: Peer, channel: int, _frame: object) -> bool:
    await flood(peer, frame(3, channel, bytes(100_000)))
    return True


async def body_in_no_pieces(peer: Peer, channel: int, _frame: object) -> bool:
    returned(peer, channel, 1_000)
    await flood(peer, frame(3, channel, b"") * 8_000)
    return True


async def large_properties(peer: Peer, channel: int, _frame: object) -> bool:
    headers = {f"{number:x}": True for number in range(15_000)}
    peer.send(channel, commands.Basic.Return(312, "NO_ROUTE", "alerts", "N64"))
    peer.send(channel, ContentHeader(properties=commands.Basic.Properties(headers=headers)))
    return True


@pytest.mark.parametrize(
    ("method", "evil", "words"),
    [
        ("Connection.StartOk", large_frame, "sent a frame of 4,294,967,295 bytes"),
        ("Channel.Open", large_frame, "sent a frame of 4,294,967,295 bytes"),
        ("Basic.Publish", large_frame, "sent a frame of 4,294,967,295 bytes"),
        ("Basic.Publish", large_method, "sent a frame of 100,000 bytes"),
        ("Basic.Publish", large_body, "sent a message of 1,099,511,627,776 bytes"),
        ("Basic.Publish", many_bodies, "connection"),
        ("Basic.Publish", large_properties, "bytes of properties"),
        ("Basic.Publish", endless_body, "a body without end"),
        ("Basic.Publish", body_of_nothing, "a body without end"),
        ("Basic.Publish", body_in_no_pieces, "a body without end"),
    ],
)
async def test_what_is_too_large_ends_the_connection_and_is_a_retry(
    delivery: Make,
    watched: Callable[[], int],
    method: str,
    evil: Callable[..., Any],
    words: str,
) -> None:
    server = AmqpServer(answers={method: evil})
    async with server.running(), adapter(server) as sending:
        (outcome,) = await sending.deliver([delivery(1)])
        told(outcome, Reason.NETWORK, f"127.0.0.1:{server.port}", words)
        assert watched() < KEPT
        server.answers.clear()
        assert await sending.deliver([delivery(1)]) == [DELIVERED]


def nested(depth: int) -> bytes:
    """A table in a table in a table."""
    table = b""
    for _ in range(depth):
        table = b"\x01aF" + struct.pack(">I", len(table)) + table
    return struct.pack(">I", len(table)) + table


@pytest.mark.parametrize(
    "answer",
    [
        frame(1, 0, struct.pack(">HHBB", 10, 10, 0, 9) + nested(1_000) + bytes(8)),
        frame(1, 0, b"\x00\x0a\x00\x0a" + b"\xff" * 200),
        frame(1, 0, b""),
        frame(9, 0, b"abc"),
        frame(1, 0, b"abc")[:-1] + b"x",
        pamqp.frame.marshal(commands.Connection.Secure("x"), 0),
    ],
)
async def test_what_no_broker_answers_is_told_as_that(delivery: Make, answer: bytes) -> None:
    async def answers(peer: Peer, _channel: int, _frame: object) -> bool:
        peer.writer.write(answer)
        return True

    server = AmqpServer(answers={"Connection.StartOk": answers})
    async with server.running(), adapter(server) as sending:
        (outcome,) = await sending.deliver([delivery(1)])
        told(outcome, Reason.NETWORK, "it answers as no RabbitMQ node does")
        assert " object at 0x" not in str(outcome)


@pytest.mark.parametrize("rest", [b"\x01\x00\x02\x02\x46", b"\x03\x00\x02\x02\x16"])
async def test_a_port_for_tls_is_told_as_that(delivery: Make, rest: bytes) -> None:
    async def alerts(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x15\x03" + rest)
        writer.close()

    server = await asyncio.start_server(alerts, "127.0.0.1", 0)
    url = f"amqp://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, adapter(AmqpServer(), url=url) as sending:
        (outcome,) = await sending.deliver([delivery(1)])
        told(outcome, ChannelFault.ENDPOINT, "it speaks TLS on this port; write amqps:// in `url`")


async def test_an_unroutable_message_is_told_whatever_its_size(delivery: Make) -> None:
    """Nothing is kept of its body."""

    async def unroutable(peer: Peer, channel: int, _frame: object) -> bool:
        _, header = await peer._next()
        await peer._next()
        peer.send(channel, commands.Basic.Return(312, "NO_ROUTE", "alerts", "N64"))
        peer.send(channel, ContentHeader(body_size=70_000, properties=header.properties))
        peer.writer.write(frame(3, channel, bytes(70_000)))
        peer.send(channel, commands.Basic.Ack(1))
        return True

    server = AmqpServer(answers={"Basic.Publish": unroutable})
    async with server.running(), adapter(server) as sending:
        (outcome,) = await sending.deliver([delivery(1)])
        assert "no queue for routing key 'N64'" in str(outcome)


@pytest.mark.parametrize(
    ("proposed", "agreed"), [(0, 131_072), (2**31, 131_072), (131_072, 131_072), (8_192, 8_192)]
)
async def test_frames_are_agreed_that_are_not_above_ours(
    delivery: Make, proposed: int, agreed: int
) -> None:
    server = AmqpServer(frame_max=proposed)
    async with server.running(), adapter(server, batch=1000) as sending:
        ours = [delivery(number) for number in range(1000)]
        assert await sending.deliver(ours) == [DELIVERED] * 1000
        (tuned,) = server.peers[0].said("Connection.TuneOk")
        assert tuned.frame_max == agreed


async def test_a_flood_of_small_frames_lets_others_work(delivery: Make) -> None:
    """Frames that have come are read without waiting for the socket."""

    async def heartbeats(peer: Peer, _channel: int, _frame: object) -> bool:
        await flood(peer, struct.pack(">BHIB", 8, 0, 0, 0xCE) * 8_000)
        return True

    server, good = AmqpServer(answers={"Basic.Publish": heartbeats}), AmqpServer()
    async with server.running(), good.running(), adapter(server) as noisy, adapter(good) as quiet:
        sending = asyncio.create_task(noisy.deliver([delivery(1)]))
        for number in range(50):
            assert await quiet.deliver([delivery(number)]) == [DELIVERED]
        assert not sending.done()
        sending.cancel()


async def test_a_broker_that_only_confirms_is_heard(
    delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library ends what it hears nothing on, and confirmations go past it."""
    monkeypatch.setattr("aiormq.connection.Connection.HEARTBEAT_GRACE_MULTIPLIER", 0.5)
    monkeypatch.setattr("adapters.rabbitmq.connection.HEARTBEAT_S", 1)
    server = AmqpServer()
    async with server.running(), adapter(server) as sending:
        for number in range(30):
            assert await sending.deliver([delivery(number)]) == [DELIVERED]
            await asyncio.sleep(0.1)
        link = sending.link()
        assert (link.up, link.made) == (True, 1)
