"""Brokers that repeat our password in what they say: it goes no further."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from pamqp import commands
from support.amqpserver import AmqpServer, Peer
from support.factqueue import until

from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions
from router.errors import PublishError
from router.ports import Outgoing

PASSWORD = "Sw0rdfishPassw0rd"
LOGIN = {"user": "me", "password": PASSWORD}


def source(server: AmqpServer) -> RabbitSource:
    return RabbitSource("dsp", RabbitSourceOptions.model_validate({"url": server.url, **LOGIN}))


def closing(channel: Callable[[str], Any]) -> Any:
    """Answers with this, and our password in its reason."""

    async def answer(peer: Peer, number: int, _frame: Any) -> bool:
        close = channel(f"NO - me:{PASSWORD}")
        peer.send(0 if isinstance(close, commands.Connection.Close) else number, close)
        return True

    return answer


CLOSES = {
    "no exchange": ("Exchange.Declare", lambda text: commands.Channel.Close(404, text, 0, 0)),
    "no access": ("Basic.Consume", lambda text: commands.Channel.Close(403, text, 0, 0)),
    "another": ("Basic.Qos", lambda text: commands.Channel.Close(406, text, 0, 0)),
    "all of it": ("Basic.Consume", lambda text: commands.Connection.Close(320, text, 0, 0)),
}


@pytest.mark.parametrize(("method", "close"), CLOSES.values(), ids=CLOSES)
async def test_what_a_broker_repeats_is_taken_out(method: str, close: Callable[[str], Any]) -> None:
    server = AmqpServer(product=f"Rabbit {PASSWORD}", answers={method: closing(close)})
    with structlog.testing.capture_logs() as logs:
        async with server.running(), source(server) as facts:
            await until(lambda: any(each["event"] != "rabbitmq.connected" for each in logs))
            down = facts.down()
    assert down is not None
    assert PASSWORD not in f"{down} {logs}"


async def test_neither_is_it_in_who_answers() -> None:
    server = AmqpServer(product=f"Rabbit {PASSWORD}")
    with structlog.testing.capture_logs() as logs:
        async with server.running(), source(server) as facts:
            await until(lambda: facts.link().up)
            assert facts.link().peer == "Rabbit *** 4.2.0"
    assert PASSWORD not in str(logs)


async def test_publishing_tells_none_either() -> None:
    server = AmqpServer(answers={"Exchange.Declare": closing(CLOSES["no exchange"][1])})
    async with server.running():
        with pytest.raises(PublishError) as caught:
            async with source(server).publisher() as publisher:
                await publisher.publish([Outgoing(b"{}", "id", "type")])
    assert PASSWORD not in str(caught.value)
