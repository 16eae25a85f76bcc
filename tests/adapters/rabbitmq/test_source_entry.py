"""Who is let in: passwords, virtual hosts, permissions and certificates, said once and mended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from cryptography.hazmat.primitives import serialization
from support.broker import Broker
from support.factqueue import FactQueue, reading, until

from adapters.rabbitmq import source as module
from adapters.rabbitmq.source import RabbitSource

pytestmark = pytest.mark.once

TRIES_S = 0.6
"""Seconds for several tries, each of which could say something again."""


@pytest.fixture
def place(broker: Broker) -> FactQueue:
    return FactQueue(broker)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries often, so that a line for each try would be seen."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.2)


@pytest.fixture
def user(broker: Broker) -> Iterator[str]:
    """One who may do nothing yet."""
    name = f"user-{secrets.token_hex(4)}"
    broker.control("add_user", name, "sesame-old")
    yield name
    broker.control("delete_user", name)


async def told(source: RabbitSource, words: str) -> None:
    """It says so, and goes on trying."""
    await until(lambda: words in (source.down() or ""))
    await asyncio.sleep(TRIES_S)
    assert words in (source.down() or "")
    assert not source.link().up


async def control(place: FactQueue, *words: str) -> None:
    await asyncio.to_thread(place.broker.control, *words)


async def test_who_is_not_let_in_says_why_until_it_is(place: FactQueue, user: str) -> None:
    host = f"host-{secrets.token_hex(4)}"
    url = f"{place.broker.url}{host}"
    source = place.source(url=url, user=user, password="sesame")
    with structlog.testing.capture_logs() as logs:
        async with source:
            await told(source, f"does not know user {user!r} with this password")
            await control(place, "change_password", user, "sesame")
            await told(source, f"does not let user {user!r} into virtual host {host!r}")
            await control(place, "add_vhost", host)
            await asyncio.sleep(TRIES_S)
            await told(source, f"set_permissions -p {host} {user}")
            await control(place, "set_permissions", "-p", host, user, "^$", "^$", "^$")
            await told(source, "ACCESS_REFUSED")
            assert f"rabbitmqctl set_permissions -p {host} {user}" in (source.down() or "")
            await control(place, "set_permissions", "-p", host, user, ".*", ".*", ".*")
            await until(lambda: source.link().up)
            assert source.down() is None
    await control(place, "delete_vhost", host)
    events = [line["event"] for line in logs]
    assert events == ["rabbitmq.unavailable"] * 3 + ["rabbitmq.connected"]
    assert "sesame" not in str(logs)


class Papers:
    """Certificates as an operator would hand them over."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.folder = folder
        self.issue(broker.ca)
        self.ca = folder / "ca.pem"
        broker.ca.cert_pem.write_to_path(str(self.ca))

    def issue(self, ca: trustme.CA) -> None:
        """A certificate with its key, from this authority."""
        made = ca.issue_cert("hubherald")
        made.cert_chain_pems[0].write_to_path(str(self.folder / "our.pem"))
        made.private_key_pem.write_to_path(str(self.folder / "our.key"))
        (self.folder / "our.key").chmod(0o600)

    def options(self) -> dict[str, Any]:
        found = {"ca": "ca.pem", "certificate": "our.pem", "key": "our.key"}
        return {f"{name}_file": self.folder / file for name, file in found.items()}


@pytest.fixture
def papers(broker: Broker, tmp_path: Path) -> Papers:
    return Papers(broker, tmp_path)


async def test_facts_come_by_tls_with_our_certificate(place: FactQueue, papers: Papers) -> None:
    source = place.source(url=place.broker.tls_url, **papers.options())
    async with reading(source) as reader:
        await place.publish(range(300))
        await reader.until(300)
        assert reader.numbers == list(range(300))


async def test_certificates_are_mended_without_a_restart(place: FactQueue, papers: Papers) -> None:
    source = place.source(url=place.broker.tls_url, **papers.options())
    key = papers.folder / "our.key"
    with structlog.testing.capture_logs() as logs:
        key.chmod(0o644)
        async with source:
            await told(
                source, "key_file: others may open key_file (mode 0644); run: chmod 600 key_file"
            )
            key.unlink()
            await told(source, "key_file: FILE cannot be read")
            assert "No such file" in (source.down() or "")
            papers.issue(trustme.CA())
            await until(lambda: "others" not in (source.down() or "others"))
            papers.issue(place.broker.ca)
            await until(lambda: source.link().up)
    assert logs[-1]["event"] == "rabbitmq.connected"


async def test_a_broker_that_we_do_not_trust(place: FactQueue, papers: Papers) -> None:
    trustme.CA().cert_pem.write_to_path(str(papers.ca))
    source = place.source(url=place.broker.tls_url, **papers.options())
    with structlog.testing.capture_logs() as logs:
        async with source:
            await told(source, "its certificate is not valid: ")
            assert "set `ca_file`" in (source.down() or "")
            place.broker.ca.cert_pem.write_to_path(str(papers.ca))
            await until(lambda: source.link().up)
    assert [line["event"] for line in logs] == ["rabbitmq.unavailable", "rabbitmq.connected"]


async def test_a_broker_that_wants_our_certificate(place: FactQueue, papers: Papers) -> None:
    """It says so, or resets the connection: whichever comes first, at each try."""
    source = place.source(url=place.broker.tls_url, ca_file=papers.ca)
    with structlog.testing.capture_logs() as logs:
        async with source:
            await until(lambda: "`certificate_file` and `key_file`" in (source.down() or ""))
            await told(source, "our certificate")
    assert len({line["detail"] for line in logs}) == len(logs) <= 2


async def test_a_port_without_tls(place: FactQueue, papers: Papers) -> None:
    source = place.source(url=place.broker.url.replace("amqp:", "amqps:"), **papers.options())
    async with source:
        await told(source, "it speaks no TLS on this port; correct the port or the scheme")


async def test_a_key_with_a_password_asks_nobody(place: FactQueue, papers: Papers) -> None:
    file = papers.folder / "our.key"
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hush"),
        )
    )
    source = place.source(url=place.broker.tls_url, **papers.options())
    async with source:
        await told(source, "key_file: FILE wants a password")
