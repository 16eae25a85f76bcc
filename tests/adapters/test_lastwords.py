"""An answer over TLS with something wrong right behind it, on both kinds of loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
import uvloop

from adapters.webhook import WebhookAdapter
from router.ports import Delivered, Delivery, Outcome, Retry

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NO_RECORD = b"\x17\x03\x03\x00\x20" + b"x" * 32
NO_TLS = b"GET / HTTP/1.1\r\n\r\n"
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@contextmanager
def receiver(ca: trustme.CA, answer: bytes, behind: bytes) -> Iterator[int]:
    """Gives `answer` to one request, and what is no TLS in the same segment."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(tls)

    def serve() -> None:
        plain, _ = listener.accept()
        with plain, tls.wrap_socket(plain, server_side=True) as secure:
            secure.recv(65_536)
            secure.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            if answer:
                secure.sendall(answer)
            socket.socket.send(secure, behind)
            secure.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            ended.wait(10)

    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        ended.set()
        serving.join()


async def sent(port: int, ca_file: Path, delivery: Delivery) -> Outcome:
    options = {"url": f"https://localhost:{port}/receive", "ca_file": str(ca_file)}
    async with asyncio.timeout(10):
        async with WebhookAdapter(WebhookAdapter.Config.model_validate(options)) as adapter:
            return (await adapter.deliver([delivery]))[0]


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("behind", [NO_RECORD, NO_TLS], ids=["no record", "no TLS"])
def test_a_status_stands_whatever_follows_in_tls(
    tmp_path: Path,
    delivery: Callable[[int], Delivery],
    loop: Callable[[], asyncio.AbstractEventLoop],
    behind: bytes,
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with receiver(ca, ANSWER, behind) as port, asyncio.Runner(loop_factory=loop) as runner:
        outcome = runner.run(sent(port, tmp_path / "ca.pem", delivery(1)))
    assert outcome == Delivered("200")


@pytest.mark.parametrize("loop", LOOPS, ids=["asyncio", "uvloop"])
def test_without_a_status_it_is_told_at_once(
    tmp_path: Path,
    delivery: Callable[[int], Delivery],
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with receiver(ca, b"", NO_RECORD) as port, asyncio.Runner(loop_factory=loop) as runner:
        outcome = runner.run(sent(port, tmp_path / "ca.pem", delivery(1)))
    assert isinstance(outcome, Retry)
    assert "TLS failed" in outcome.detail
