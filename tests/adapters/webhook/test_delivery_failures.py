"""Alerts by HTTP POST when no answer comes: broken connections, and TLS that is not right."""

import asyncio
import datetime
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from support.receivers import receiving, talking

from adapters.webhook import WebhookAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Retry

Make = Callable[[int], Delivery]
AN_HOUR_AGO = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)


def adapter(url: str, **options: object) -> WebhookAdapter:
    return WebhookAdapter(WebhookAdapter.Config.model_validate({"url": url, **options}))


async def delivered(url: str, delivery: Delivery, **options: object) -> Outcome:
    async with asyncio.timeout(30), adapter(url, **options) as webhook:
        (outcome,) = await webhook.deliver([delivery])
    return outcome


def is_network(outcome: Outcome) -> bool:
    return isinstance(outcome, Retry) and outcome.reason is Reason.NETWORK


# --- the connection --------------------------------------------------------------------------


async def test_nobody_listens(delivery: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        outcome = await delivered(f"http://127.0.0.1:{port}/receive?token=hidden", delivery(1))
    assert is_network(outcome)
    assert f"127.0.0.1:{port}" in str(outcome)
    assert "hidden" not in str(outcome)


async def test_a_reset_after_the_request_was_taken(delivery: Make) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with talking(reset) as line:
        outcome = await delivered(f"http://127.0.0.1:{line.port}/", delivery(1))
    assert is_network(outcome)
    assert line.connections == 1  # the adapter does not try again by itself
    assert line.got.endswith(delivery(1).body)


@pytest.mark.parametrize(
    ("answer", "reason", "why"),
    [
        (b"", Reason.NETWORK, "ended before an answer came"),
        (b"HTTP/1.1 2", Reason.NETWORK, "ended before an answer came"),
        (b"SSH-2.0-OpenSSH\r\n", Reason.SERVER, "does not speak HTTP: 'SSH-2.0-OpenSSH"),
        (b"\x00", Reason.SERVER, "does not speak HTTP"),
    ],
    ids=["silence", "begun", "another protocol", "nonsense"],
)
async def test_an_answer_that_is_none(
    delivery: Make, answer: bytes, reason: Reason, why: str
) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.write_eof()
        await writer.drain()
        await _reader.read()

    async with talking(talk) as line:
        outcome = await delivered(f"http://127.0.0.1:{line.port}/", delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is reason
    assert why in outcome.detail


@pytest.mark.parametrize("body", [b"", b"accep"])
async def test_once_the_status_is_there_a_lost_body_changes_nothing(
    delivery: Make, body: bytes
) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body)
        await writer.drain()
        writer.write_eof()
        await _reader.read()

    async with talking(talk) as line:
        outcome = await delivered(f"http://127.0.0.1:{line.port}/", delivery(1))
    assert outcome == Delivered("200")


async def test_a_body_that_drips_does_not_hold_up_what_its_status_says(delivery: Make) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with talking(talk) as line:
        outcome = await delivered(f"http://127.0.0.1:{line.port}/", delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.SERVER


@pytest.mark.parametrize("drip", [b"", b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_an_answer_that_does_not_come_is_cut_by_the_callers_deadline(
    delivery: Make, drip: bytes
) -> None:
    patient = True

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(drip)
        await writer.drain()
        if patient:
            await asyncio.sleep(3600)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n"[len(drip) if drip == b"H" else 0 :])
        await writer.drain()
        await _reader.read()

    async with talking(answer) as line, adapter(f"http://127.0.0.1:{line.port}/") as webhook:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await webhook.deliver([delivery(1)])
        patient = False
        assert await webhook.deliver([delivery(2)]) == [Delivered("204")]
    assert line.connections == 2


# --- TLS -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return file


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def test_a_certificate_that_ca_file_vouches_for(
    delivery: Make, ca: trustme.CA, ca_file: Path
) -> None:
    async with receiving(tls=server_tls(ca.issue_cert("127.0.0.1"))) as receiver:
        assert receiver.url.startswith("https://")
        outcome = await delivered(receiver.url, delivery(1), ca_file=ca_file)
    assert outcome == Delivered("204")
    assert receiver.received[0].body == delivery(1).body


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("unknown CA", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
        ("wrong host", "not valid for '127.0.0.1'"),
        ("system's trust", "certificate"),
    ],
)
async def test_a_wrong_certificate_closes_the_lane_before_a_byte_is_sent(
    delivery: Make, ca: trustme.CA, ca_file: Path, fault: str, why: str
) -> None:
    certificate = {
        "unknown CA": lambda: trustme.CA().issue_cert("127.0.0.1"),
        "expired": lambda: ca.issue_cert("127.0.0.1", not_after=AN_HOUR_AGO),
        "wrong host": lambda: ca.issue_cert("acme.example"),
        "system's trust": lambda: ca.issue_cert("127.0.0.1"),
    }[fault]()
    options = {} if fault == "system's trust" else {"ca_file": ca_file}
    async with talking(None, server_tls(certificate)) as line:
        outcome = await delivered(f"https://127.0.0.1:{line.port}/", delivery(1), **options)
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert f"127.0.0.1:{line.port}" in outcome.detail
    assert why in outcome.detail
    assert line.got == b""


async def test_tls_before_1_2_is_not_spoken(delivery: Make, ca: trustme.CA, ca_file: Path) -> None:
    tls = server_tls(ca.issue_cert("127.0.0.1"))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        tls.minimum_version = ssl.TLSVersion.TLSv1
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    async with talking(None, tls) as line:
        outcome = await delivered(f"https://127.0.0.1:{line.port}/", delivery(1), ca_file=ca_file)
    assert is_network(outcome)
    assert line.got == b""


async def test_no_tls_where_there_should_be(delivery: Make) -> None:
    async with receiving() as receiver:
        outcome = await delivered(receiver.url.replace("http:", "https:"), delivery(1))
    assert is_network(outcome)
    assert "TLS failed: WRONG_VERSION_NUMBER" in str(outcome)
    assert receiver.received == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_ca_file_that_is_none_stops_the_lane_and_not_the_checks(
    delivery: Make, ca: trustme.CA, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "missing.pem"
    if content is not None:
        file.write_bytes(content)
    async with talking(None, server_tls(ca.issue_cert("127.0.0.1"))) as line:
        outcome = await delivered(f"https://127.0.0.1:{line.port}/", delivery(1), ca_file=file)
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert str(file) in outcome.detail
    assert line.connections == 0


async def test_tls_connections_are_kept_too(delivery: Make, ca: trustme.CA, ca_file: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async with (
        receiving(answer, server_tls(ca.issue_cert("127.0.0.1"))) as receiver,
        adapter(receiver.url, ca_file=ca_file) as webhook,
    ):
        for number in range(3):
            assert await webhook.deliver([delivery(number)]) == [Delivered("200")]
    assert receiver.connections == 1
