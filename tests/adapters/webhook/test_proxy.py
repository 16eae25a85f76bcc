"""A proxy of one channel: a real one, which sees where Alerts go and never what they say."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from pydantic import ValidationError
from support.forwarding import forwarding
from support.mutual import Mutual
from support.receivers import Talking, receiving, talking

from adapters.webhook import WebhookAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Retry

Make = Callable[[int], Delivery]
LOGIN = {"proxy_user": "herald", "proxy_password": "hunter22x"}


async def posted(delivery: Delivery, **options: object) -> Outcome:
    config = WebhookAdapter.Config.model_validate(options)
    async with asyncio.timeout(30), WebhookAdapter(config) as adapter:
        (outcome,) = await adapter.deliver([delivery])
    return outcome


def test_alerts_go_through_it_on_connections_that_stay(delivery: Make, tmp_path: Path) -> None:
    """On the loop that the router has."""

    async def go() -> None:
        mutual = Mutual(tmp_path / "tls")
        async with receiving(tls=mutual.server()) as receiver, forwarding(tmp_path) as proxy:
            config = WebhookAdapter.Config.model_validate(
                {**mutual.options(receiver.url), "proxy": proxy.url}
            )
            async with WebhookAdapter(config) as adapter:
                for number in range(5):
                    assert await adapter.deliver([delivery(number)]) == [Delivered("204")]
            assert receiver.connections == proxy.tunnels == 1

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(go())


@pytest.mark.parametrize(
    ("login", "reason", "why"),
    [
        ({}, ChannelFault.CREDENTIALS, "answered 407; correct `proxy_user`"),
        ({**LOGIN, "proxy_password": "wrong"}, ChannelFault.CREDENTIALS, "`proxy_password`"),
        (LOGIN, ChannelFault.ENDPOINT, "it answered 403; have it allowed there"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_closes_the_lane(
    delivery: Make, tmp_path: Path, login: dict[str, str], reason: ChannelFault, why: str
) -> None:
    async with forwarding(tmp_path, login="herald hunter22x", ports=(443,)) as proxy:
        outcome = await posted(
            delivery(1), url="https://127.0.0.1:1/receive", proxy=proxy.url, **login
        )
    assert isinstance(outcome, Closed)
    assert outcome.reason is reason
    assert why in outcome.detail
    assert proxy.url.removeprefix("http://") in outcome.detail


async def test_with_its_password_it_lets_us_through(delivery: Make, tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    async with (
        receiving(tls=mutual.server()) as receiver,
        forwarding(tmp_path, login="herald hunter22x") as proxy,
    ):
        options = {**mutual.options(receiver.url), "proxy": proxy.url, **LOGIN}
        assert await posted(delivery(1), **options) == Delivered("204")


async def test_what_a_proxy_can_not_reach_is_a_retry(delivery: Make, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with forwarding(tmp_path) as proxy:
        outcome = await posted(delivery(1), url=f"https://127.0.0.1:{port}/", proxy=proxy.url)
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK
    assert f"could not reach 127.0.0.1:{port}" in outcome.detail
    outcome = await posted(delivery(1), url=f"https://127.0.0.1:{port}/", proxy=proxy.url)
    assert isinstance(outcome, Retry)  # it is away itself, by now
    assert f"proxy {proxy.url.removeprefix('http://')}: Connect" in outcome.detail


async def test_a_receiver_that_is_not_who_it_should_be_gets_nothing(
    delivery: Make, tmp_path: Path
) -> None:
    mutual, another = Mutual(tmp_path / "tls"), Mutual(tmp_path / "other")
    async with receiving(tls=another.server()) as receiver, forwarding(tmp_path) as proxy:
        options = {**mutual.options(receiver.url), "proxy": proxy.url}
        outcome = await posted(delivery(1), **options)
    assert isinstance(outcome, Closed)
    assert "is not valid" in outcome.detail
    assert receiver.received == []


async def _says(text: bytes) -> Talking:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()
        writer.close()

    return talk


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: ", b"SSH-2.0 hi\r\n"])
async def test_what_is_no_proxy_is_a_retry_that_says_so(delivery: Make, text: bytes) -> None:
    async with talking(await _says(text)) as line:
        proxy = f"http://127.0.0.1:{line.port}"
        outcome = await posted(delivery(1), url="https://acme.example/", proxy=proxy)
    assert isinstance(outcome, Retry)
    assert f"proxy 127.0.0.1:{line.port}: " in outcome.detail
    assert b"CONNECT acme.example:443 HTTP/1.1\r\nHost: acme.example:443\r\n" in line.got
    assert b"POST" not in line.got


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"proxy": "proxy.example:3128"}, "must be http://host:port"),
        ({"proxy": "http://u:p@proxy.example"}, "without a user or path"),
        ({"proxy": "socks5://proxy.example"}, "must be http://host:port"),
        ({"proxy": "http://proxy.example", **LOGIN}, "by https alone"),
        (
            {"proxy": "http://proxy.example", "proxy_user": "x"},
            "both proxy_user and proxy_password",
        ),
        (LOGIN, "proxy_user needs a proxy beside it"),
        ({"url": "http://127.0.0.1/", "proxy": "http://proxy.example"}, "a proxy needs https"),
    ],
)
def test_a_proxy_that_cannot_be_right_is_a_mistake(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookAdapter.Config.model_validate({"url": "https://acme.example/", **options})
    (error,) = caught.value.errors()
    assert why in error["msg"]
    assert "u:p" not in error["msg"]


def test_a_proxy_may_itself_be_reached_over_tls(delivery: Make, tmp_path: Path) -> None:
    """TLS within TLS, on the loop that the router has."""

    async def go() -> None:
        mutual = Mutual(tmp_path / "tls")
        front = mutual.server()
        front.verify_mode = ssl.CERT_NONE  # it asks for a password
        async with (
            receiving(tls=mutual.server()) as receiver,
            forwarding(tmp_path, login="herald hunter22x", tls=front) as proxy,
        ):
            assert proxy.url.startswith("https://")
            options = {**mutual.options(receiver.url), "proxy": proxy.url, **LOGIN}
            assert await posted(delivery(1), **options) == Delivered("204")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(go())
