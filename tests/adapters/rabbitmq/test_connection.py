"""How a broker is reached: several nodes, by certificate or password, and what a URL may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from support.alertqueue import DELIVERED, told
from support.amqpserver import AmqpServer, Waiting
from support.broker import Broker
from support.factqueue import reading, until

from adapters.rabbitmq import source as module
from adapters.rabbitmq.connection import BrokerOptions, dial, hang_up, peer
from adapters.rabbitmq.delivery import RabbitAdapter
from adapters.rabbitmq.source import RabbitSource, RabbitSourceOptions
from adapters.rabbitmq.trouble import BrokerError, TroubleKind
from router.ports import Delivery, Reason

NOBODY = "127.0.0.1:1"
EXTERNAL = """
listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_cert_login_from = common_name
auth_mechanisms.1 = EXTERNAL
disk_free_limit.absolute = 1MB
log.console = true
log.file = false
"""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.1)


def options(url: str, **more: Any) -> BrokerOptions:
    return BrokerOptions.model_validate({"url": url, **more})


# --- URLs -----------------------------------------------------------------------------------


def test_several_nodes_of_a_cluster() -> None:
    found = options("amqps://one.example,two.example:7000,[::1]:5671/dsp%2Ffacts")
    assert found.where == "one.example:5671,two.example:7000,::1:5671"
    assert found.virtual_host == "dsp/facts"
    assert [each.where for each in found.nodes] == found.where.split(",")
    assert {each.virtual_host for each in found.nodes} == {"dsp/facts"}
    assert options("amqp://localhost,127.0.0.1").virtual_host == "/"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("amqp://localhost,far.example/", "must use TLS (amqps://...): 'far.example' is not this"),
        ("amqps://one,,two/", "must be a URL such as amqps://host.example/"),
        ("amqps://one:no,two/", "must be a URL such as amqps://host.example/"),
        ("amqps://one,me:secret@two/", "must not hold a user or password"),
        ("amqps://me:secret@one/", "must not hold a user or password"),
        ("amqps://one/vhost?heartbeat=30", "keys beside `url`"),
        ("amqps://one?auth_mechanism=external", "keys beside `url`"),
        ("amqps://one/v?no_verify_ssl=1", "keys beside `url`"),
        ("amqps://one/v#x", "must end with the virtual host"),
        ("amqps://one\\two/", "cannot be the name of a host"),
        ("amqps://one,xn--/v", "'xn--' cannot be the name of a host"),
        ("amqps://one:0/", "port 0"),
        (f"amqps://{'ü' * 70}.example/", "cannot be the name of a host"),
    ],
)
def test_what_a_url_may_not_hold(url: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        options(url)
    assert words in str(caught.value)


@pytest.mark.parametrize("scheme", ["amqps", "AMQPS", "Amqps"])
async def test_nothing_is_said_without_tls_however_the_scheme_is_written(scheme: str) -> None:
    server = AmqpServer()
    async with server.running():
        url = server.url.replace("amqp", scheme)
        with pytest.raises(BrokerError):
            await dial(options(url, user="me", password="S3CRET"), "test")
        assert server.peers[0].heard == []


# --- nodes ----------------------------------------------------------------------------------


async def test_the_next_node_is_taken_when_one_is_not_there_or_goes() -> None:
    one, two = AmqpServer(), AmqpServer(waiting=[Waiting(b"2")])
    async with two.running(), one.running():
        url = f"amqp://{NOBODY},127.0.0.1:{one.port},127.0.0.1:{two.port}/"
        source = RabbitSource("dsp", RabbitSourceOptions.model_validate({"url": url}))
        async with reading(source) as reader:
            assert len(one.peers) == 1
            for peer in one.peers:
                peer.writer.transport.abort()
            one.answers["Connection.StartOk"] = _goes
            await reader.until(1)
            assert reader.source.link().up
            assert len(two.peers) == 1


async def _goes(peer: Any, _channel: int, _frame: object) -> bool:
    peer.writer.transport.abort()
    return True


async def test_alerts_go_to_the_next_node(delivery: Callable[[int], Delivery]) -> None:
    server = AmqpServer()
    async with server.running():
        url = f"amqp://{NOBODY},127.0.0.1:{server.port}/"
        given = {"url": url, "exchange": "alerts"}
        async with RabbitAdapter(RabbitAdapter.Config.model_validate(given)) as adapter:
            assert await adapter.deliver([delivery(1)]) == [DELIVERED]


async def test_each_node_says_why_none_is_to_be_had(delivery: Callable[[int], Delivery]) -> None:
    given = {"url": f"amqp://{NOBODY},127.0.0.1:2/", "exchange": "alerts"}
    async with RabbitAdapter(RabbitAdapter.Config.model_validate(given)) as adapter:
        (outcome,) = await adapter.deliver([delivery(1)])
        told(outcome, Reason.NETWORK, f"{NOBODY}: connection refused", "; 127.0.0.1:2: connection")


async def test_what_somebody_has_to_mend_stands_above_what_is_away() -> None:
    server = AmqpServer(mechanisms="GSSAPI")
    async with server.running():
        with pytest.raises(BrokerError) as caught:
            await dial(options(f"amqp://{NOBODY},127.0.0.1:{server.port}/"), "test")
    assert caught.value.kind is TroubleKind.CREDENTIALS


# --- who we are -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict() -> Iterator[Broker]:
    """Lets in by certificate only."""
    with Broker(plugins=["rabbitmq_auth_mechanism_ssl"], config=EXTERNAL) as running:
        running.control("add_user", "hubherald", "unused")
        running.control("set_permissions", "hubherald", ".*", ".*", ".*")
        yield running


def papers(broker: Broker, folder: Path, name: str) -> dict[str, Any]:
    """Options for TLS, with a certificate in this name."""
    made: trustme.LeafCert = broker.ca.issue_cert("client.example", common_name=name)
    made.cert_chain_pems[0].write_to_path(str(folder / "our.pem"))
    made.private_key_pem.write_to_path(str(folder / "our.key"))
    (folder / "our.key").chmod(0o600)
    return {
        "ca_file": broker.folder / "ca.pem",
        "certificate_file": folder / "our.pem",
        "key_file": folder / "our.key",
    }


@pytest.mark.once
async def test_by_certificate_where_the_broker_offers_it(strict: Broker, tmp_path: Path) -> None:
    given = papers(strict, tmp_path, "hubherald")
    connection = await dial(options(strict.tls_url, **given), "test")
    shown = peer(connection)
    assert shown is not None
    assert shown.expires_at > datetime.now(UTC)
    await hang_up(connection)
    assert "hubherald" in strict.control("list_users")


@pytest.mark.once
async def test_a_certificate_of_nobody_that_the_broker_knows(
    strict: Broker, tmp_path: Path
) -> None:
    with pytest.raises(BrokerError) as caught:
        await dial(options(strict.tls_url, **papers(strict, tmp_path, "stranger")), "test")
    assert caught.value.kind is TroubleKind.CREDENTIALS
    assert "knows no user of the name that our certificate bears" in str(caught.value)
    assert "(certificate_file)" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.once
async def test_a_password_where_only_certificates_open(strict: Broker, tmp_path: Path) -> None:
    given = papers(strict, tmp_path, "hubherald")
    with pytest.raises(BrokerError) as caught:
        await dial(options(strict.tls_url, **given, user="hubherald", password="x"), "test")
    assert caught.value.kind is TroubleKind.CREDENTIALS
    assert "lets nobody in by password, only by EXTERNAL" in str(caught.value)
    assert "no `password`" in str(caught.value)


async def test_a_password_is_used_where_one_is_given() -> None:
    server = AmqpServer(mechanisms="PLAIN EXTERNAL")
    async with server.running():
        given = {"user": "me", "password": "sesame"}
        await hang_up(await dial(options(server.url, **given), "test"))
        (start,) = server.peers[0].said("Connection.StartOk")
        assert (start.mechanism, start.response) == ("PLAIN", "\x00me\x00sesame")


async def test_by_password_where_the_broker_does_not_take_certificates(tmp_path: Path) -> None:
    server = AmqpServer(mechanisms="PLAIN")
    async with server.running():
        files = {f"{name}_file": tmp_path / name for name in ("certificate", "key")}
        await hang_up(await dial(options(server.url, **files), "test"))
        assert [each.mechanism for each in server.peers[-1].said("Connection.StartOk")] == ["PLAIN"]
    await until(lambda: len(server.peers) == 2)
