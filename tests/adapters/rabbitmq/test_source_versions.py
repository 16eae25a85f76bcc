"""Brokers of versions that can't be run here: a server of ours answers as they do."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from pamqp import commands
from support.amqpserver import AmqpServer, Peer, Waiting
from support.factqueue import reading, until

from adapters.rabbitmq import session as session_module
from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LOOK_S", 0.02)


def source(server: AmqpServer, **more: Any) -> RabbitSource:
    options = RabbitSourceOptions.model_validate({"url": server.url, **more})
    return RabbitSource("dsp", options)


@pytest.mark.parametrize(
    ("headers", "redelivered", "expected"),
    [
        ({"x-delivery-count": 2}, True, 2),  # up to 4.2
        ({"x-delivery-count": 0, "x-acquired-count": 4}, True, 4),  # from 4.3 on
        ({"x-acquired-count": 4}, True, 4),
        ({"x-delivery-count": 5, "x-acquired-count": 4}, True, 5),
        ({}, True, 1),  # a classic queue
        ({"x-delivery-count": 0}, True, 1),
        ({"x-delivery-count": 0}, False, 0),  # up to 3.11
        ({"x-acquired-count": 9, "x-delivery-count": 9}, False, 0),  # its sender wrote that
        ({"x-acquired-count": "9", "x-delivery-count": -4}, True, 1),
    ],
)
async def test_how_often_it_was_given_out(
    headers: dict[str, Any], redelivered: bool, expected: int
) -> None:
    server = AmqpServer(waiting=[Waiting(b"1", headers, redelivered)])
    async with server.running(), reading(source(server)) as reader:
        (taken,) = await reader.until(1)
        assert taken.deliveries == expected


@pytest.mark.parametrize("version", ["4.0.1", "4.1.0", "4.2.0"])
async def test_a_number_of_consumers_that_is_none_ends_no_consumer(version: str) -> None:
    """The number of messages in hand stands there: none, as soon as all are acknowledged."""

    def unacknowledged(peer: Peer) -> int:
        return len(peer.unacknowledged)

    server = AmqpServer(version=version, consumers=unacknowledged)
    async with server.running(), reading(source(server)) as reader:
        for number in range(3):
            looked = len(server.peers[0].said("Queue.Declare"))
            await until(lambda: len(server.peers[0].said("Queue.Declare")) > looked + 3)  # noqa: B023
            server.waiting.append(Waiting(b"%d" % number))
            server.peers[0].give()
            await reader.until(number + 1)
        assert reader.source.link().made == 1


async def test_a_consumer_that_the_broker_cancels_is_made_anew() -> None:
    server = AmqpServer()
    async with server.running(), reading(source(server)) as reader:
        (peer,) = server.peers
        ((tag, channel),) = peer.consumers.items()
        peer.send(channel, commands.Basic.Cancel(tag, True))
        await until(lambda: reader.source.link().made == 2)


async def test_the_broker_is_named_in_the_log_and_on_the_link() -> None:
    server = AmqpServer(version="4.3.7")
    with structlog.testing.capture_logs() as logs:
        async with server.running(), reading(source(server)) as reader:
            assert reader.source.link().peer == "RabbitMQ 4.3.7"
    connected = next(line for line in logs if line["event"] == "rabbitmq.connected")
    assert connected["version"] == "RabbitMQ 4.3.7"


@pytest.mark.parametrize("product", ["", "Lavin\x1b[31mMQ" + "x" * 100])
async def test_whatever_it_says_of_itself_is_shown_safely(product: str) -> None:
    server = AmqpServer(product=product, version="")
    async with server.running(), reading(source(server)) as reader:
        peer = reader.source.link().peer
        assert peer.isprintable()
        assert len(peer) <= 60


def unequal(**arguments: tuple[str, str]) -> Any:
    """Answers a declaration as a broker whose queue has these arguments: value and type."""

    async def answer(peer: Peer, channel: int, frame: Any) -> bool:
        if frame.passive:
            return False
        given = frame.arguments or {}
        for name, (value, kind) in arguments.items():
            key = name.replace("_", "-")
            if str(given.get(key)) == value or given.get(key) == (value == "true"):
                continue
            has = f"the value '{value}' of type '{kind}'" if value else "none"
            text = (
                f"PRECONDITION_FAILED - inequivalent arg '{key}' for queue 'q' in vhost '/':"
                f" received {given.get(key)!r} but current is {has}"
            )
            peer.send(channel, commands.Channel.Close(406, text, 50, 10))
            return True
        raise AssertionError("it would have made a queue")

    return answer


@pytest.mark.parametrize(
    ("version", "limit", "told"),
    [
        ("3.13.7", "", ""),
        ("4.2.0", "", "given out 20 times"),
        ("4.3.0", "", "given out 20 times"),
        ("10.0", "", "given out 20 times"),
        ("4.2.0", "3", "given out 3 times"),
        ("3.10.8", "3", "given out 3 times"),
        ("4.2.0", "1000", ""),
        ("4.2.0", "-1", ""),
    ],
)
async def test_a_delivery_limit_of_a_queue_that_is_not_ours_is_looked_at(
    version: str, limit: str, told: str
) -> None:
    declared = unequal(
        x_single_active_consumer=("true", "bool"),
        x_dead_letter_exchange=("dead", "longstr"),
        x_max_length=("1000", "signedint"),
        x_queue_type=("quorum", "longstr"),
        x_delivery_limit=(limit, "byte"),
    )
    server = AmqpServer(version=version, answers={"Queue.Declare": declared})
    with structlog.testing.capture_logs() as logs:
        async with server.running(), reading(source(server, declare=False, queue="q")):
            pass
    warned = [line["detail"] for line in logs if line["log_level"] == "warning"]
    assert len(warned) == bool(told)
    assert all(told in line for line in warned)


async def test_who_may_not_declare_takes_facts_all_the_same() -> None:
    async def refused(peer: Peer, channel: int, frame: Any) -> bool:
        if not frame.passive:
            peer.send(channel, commands.Channel.Close(403, "ACCESS_REFUSED - no", 50, 10))
        return not frame.passive

    server = AmqpServer(waiting=[Waiting(b"1")], answers={"Queue.Declare": refused})
    with structlog.testing.capture_logs() as logs:
        async with server.running(), reading(source(server, declare=False)) as reader:
            await reader.until(1)
    assert {line["log_level"] for line in logs} == {"info"}


async def test_ours_says_its_limit_itself() -> None:
    server = AmqpServer()
    async with server.running(), reading(source(server)):
        declared = [each for each in server.peers[0].said("Queue.Declare") if not each.passive]
    assert declared[-1].arguments["x-delivery-limit"] == 1000
