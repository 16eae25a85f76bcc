"""Alerts by mail: what a mailbox gets, and what the answers of real mail servers mean."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError
from support.mailserver import MailServer, mail_server

from adapters.mail import delivery as module
from adapters.mail.delivery import MailAdapter
from adapters.mail.session import MailSession
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    Reason,
    Refused,
    Retry,
    redactor,
)

Make = Callable[[int], Delivery]
USUAL = {"host": "127.0.0.1", "sender": "hubherald@dcc.example", "recipients": ["noc@acme.example"]}
LOGIN = {"user": "hubherald", "password": "hunter22x"}
PLAIN = {**USUAL, "tls": "none"}


def mailing(server: MailServer, **options: object) -> MailAdapter:
    given = {**PLAIN, "port": server.port, **options}
    return MailAdapter(MailAdapter.Config.model_validate(given))


async def mailed(server: MailServer, *deliveries: Delivery, **options: object) -> Outcome:
    async with asyncio.timeout(30), mailing(server, **options) as adapter:
        outcomes = await adapter.deliver(deliveries)
    assert len(outcomes) == len(deliveries)
    assert len(set(outcomes)) == 1
    return outcomes[0]


# --- what is sent ---------------------------------------------------------------------------------


async def test_an_alert_is_a_message_for_people_with_the_event_for_programs(delivery: Make) -> None:
    ours = delivery(7)
    async with mail_server() as server:
        assert await mailed(server, ours) == Delivered("250 2.0.0 taken")
    message = server.read()
    assert message["Subject"] == "90-B3-D5-1F-30-02-00-01 now runs firmware 01020304"
    assert message["Message-ID"] == f"<{ours.alert.id}@dcc.example>"
    assert message["Date"] == "Sun, 01 Feb 2026 00:01:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["From"], message["To"]) == (USUAL["sender"], "noc@acme.example")
    words = message.get_body()
    assert words is not None
    assert "runs firmware 01020304" in words.get_content()
    assert "as gas_supplier, import_supplier" in words.get_content()
    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "application/cloudevents+json"
    assert attached.get_filename() == f"{ours.alert.id}.json"
    assert attached.get_content() == ours.body


async def test_a_batch_is_one_message_and_the_same_each_time(delivery: Make) -> None:
    ours = [replace(delivery(number), batch="b") for number in range(1000)]
    async with mail_server() as server:
        for members in (ours, ours, ours[:1]):
            await mailed(server, *members, batch=1000)
    assert server.messages[0] == server.messages[1]
    message, alone = server.read(0), server.read(2)
    assert message["Subject"] == "1000 Communications Hubs now run other firmware"
    (attached,) = message.iter_attachments()
    assert attached.get_content_type() == "application/cloudevents-batch+json"
    assert [each["id"] for each in json.loads(attached.get_content())] == [
        str(each.alert.id) for each in ours
    ]
    assert len({message["Message-ID"], alone["Message-ID"], str(ours[0].alert.id)}) == 3


async def test_one_connection_serves_many_and_says_goodbye(delivery: Make) -> None:
    async with mail_server() as server:
        async with mailing(server) as adapter:
            sends = (adapter.deliver([delivery(number)]) for number in range(20))
            outcomes = await asyncio.gather(*sends)
        assert {type(each[0]) for each in outcomes} == {Delivered}
        assert (server.connections, server.left, len(server.messages)) == (1, 1, 20)


async def test_a_kept_connection_that_ends_as_we_write_costs_nothing(delivery: Make) -> None:
    async with mail_server() as server, mailing(server) as adapter:
        await adapter.deliver([delivery(1)])
        server.cut = "MAIL"
        (outcome,) = await adapter.deliver([delivery(2)])
        assert isinstance(outcome, Delivered)
        assert (server.connections, len(server.messages)) == (2, 2)


async def test_all_recipients_get_it(delivery: Make) -> None:
    both = ["noc@acme.example", "ops@acme.example"]
    async with mail_server() as server:
        await mailed(server, delivery(1), recipients=both)
    assert server.recipients == [both]


# --- what the answers mean ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said", "kind", "reason", "why"),
    [
        ("noc@acme.example", "452 4.2.2 mailbox full", Retry, Reason.STORAGE, "noc@acme.example: "),
        ("noc@acme.example", "552 5.2.2 over quota", Retry, Reason.STORAGE, "has no room"),
        ("DATA", "452 4.3.1 no space left", Retry, Reason.STORAGE, "452 4.3.1 no space"),
        ("DATA", "552 5.3.4 message too big", Refused, Reason.REJECTED, "a smaller `batch`"),
        ("DATA", "554 5.7.1 looks like spam", Refused, Reason.REJECTED, "looks like spam"),
        ("DATA", "451 4.3.0 try later", Retry, Reason.SERVER, "451 4.3.0 try later"),
        ("MAIL", "421 4.7.0 too many", Retry, Reason.BUSY, "421"),
        ("MAIL", "450 4.7.1 greylisted", Retry, Reason.BUSY, "greylisted"),
        (
            "noc@acme.example",
            "550 5.1.1 no such user",
            Closed,
            ChannelFault.ENDPOINT,
            "noc@acme.example: 127.0.0.1",
        ),
        ("MAIL", "553 5.7.1 not yours", Closed, ChannelFault.ENDPOINT, "let `sender` send"),
        (
            "MAIL",
            "530 5.7.0 login first",
            Closed,
            ChannelFault.CREDENTIALS,
            "`user` and `password`",
        ),
    ],
)
async def test_each_answer_means_something(
    delivery: Make, place: str, said: str, kind: type[Outcome], *, reason: object, why: str
) -> None:
    async with mail_server() as server:
        server.refusals[place] = said
        outcome = await mailed(server, delivery(1))
        assert server.messages == []
        assert isinstance(outcome, kind)
        assert not isinstance(outcome, Delivered)
        assert outcome.reason is reason
        assert why in outcome.detail


async def test_an_unknown_recipient_keeps_it_from_all(delivery: Make) -> None:
    """Else those who have it would have it again each time."""
    both = ["noc@acme.example", "gone@acme.example"]
    async with mail_server() as server:
        server.refusals["gone@acme.example"] = "550 5.1.1 no such user"
        outcome = await mailed(server, delivery(1), recipients=both)
    assert isinstance(outcome, Closed)
    assert "gone@acme.example: " in outcome.detail
    assert "correct `recipients`" in outcome.detail
    assert server.messages == []


async def test_a_message_that_is_larger_than_it_takes_is_refused(delivery: Make) -> None:
    async with mail_server(largest=100) as server:
        outcome = await mailed(server, delivery(1))
    assert isinstance(outcome, Refused)
    assert "smaller `batch`" in outcome.detail


async def test_cut_in_the_middle_of_a_message_is_a_retry_with_the_same_bytes(
    delivery: Make,
) -> None:
    async with mail_server() as server, mailing(server) as adapter:
        server.cut = "DATA"
        (outcome,) = await adapter.deliver([delivery(1)])
        assert isinstance(outcome, Retry)
        assert outcome.reason is Reason.NETWORK
        assert "ended before it said that it has the message" in outcome.detail
        server.cut = ""
        assert isinstance((await adapter.deliver([delivery(1)]))[0], Delivered)
    assert server.read()["Message-ID"] == f"<{delivery(1).alert.id}@dcc.example>"


async def test_where_nobody_is_it_is_a_retry(delivery: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = MailServer(port=closed.getsockname()[1])
    outcome = await mailed(nobody, delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK


async def test_a_send_that_is_cancelled_leaves_no_connection_in_the_middle(delivery: Make) -> None:
    async with mail_server() as server, mailing(server) as adapter:
        sending = asyncio.create_task(adapter.deliver([delivery(1)]))
        while not server.connections:  # noqa: ASYNC110 - it is somebody else's
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance((await adapter.deliver([delivery(1)]))[0], Delivered)
        assert server.connections == 2


# --- TLS and login --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def server_tls(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_over_tls_it_logs_in(
    delivery: Make, ca: trustme.CA, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    tls = {"starttls" if kind == "starttls" else "tls": server_tls(ca)}
    options = {"tls": kind, "ca_file": str(tmp_path / "ca.pem")}
    async with mail_server(login=True, **tls) as server:
        assert isinstance(await mailed(server, delivery(1), **options, **LOGIN), Delivered)
        wrong = await mailed(server, delivery(2), **options, user="hubherald", password="wr0ngpass")
        nobody = await mailed(server, delivery(3), **options)
    assert set(server.users) == {"hubherald"}
    for outcome in (wrong, nobody):
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.CREDENTIALS
        assert "correct `user` and `password`" in outcome.detail
        assert "wr0ngpass" not in outcome.detail
    assert len(server.messages) == 1


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_who_is_not_who_it_should_be_gets_nothing(
    delivery: Make, ca: trustme.CA, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    options = {"tls": kind, "ca_file": str(tmp_path / "ca.pem"), **LOGIN}
    for wrong in (server_tls(trustme.CA()), server_tls(ca, "other.example")):
        tls = {"starttls" if kind == "starttls" else "tls": wrong}
        async with mail_server(login=True, **tls) as server:
            outcome = await mailed(server, delivery(1), **options)
            assert (server.messages, server.users) == ([], [])
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.ENDPOINT
        assert "the certificate that 127.0.0.1" in outcome.detail
        assert "set `ca_file`" in outcome.detail


async def test_a_server_without_starttls_gets_neither_password_nor_alert(delivery: Make) -> None:
    async with mail_server() as server:
        outcome = await mailed(server, delivery(1), tls="starttls", **LOGIN)
    assert isinstance(outcome, Closed)
    assert "STARTTLS" in outcome.detail
    assert "correct `tls`" in outcome.detail
    assert (server.messages, server.users) == ([], [])


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"tls": "none", "host": "mail.example"}, "tls: none is for this machine alone"),
        ({"user": "x"}, "give both user and password"),
        ({"recipients": []}, "at least 1 item"),
        ({"recipients": ["nobody"]}, "must be a bare mail address"),
        ({"recipients": ["A <a@b.example>"]}, "must be a bare mail address"),
        ({"sender": "a@b.example\r\nBcc: evil@c.example"}, "must be a bare mail address"),
        ({"sender": "é@b.example"}, "in ASCII"),
        ({"host": "smtp://mail.example"}, "must be the name of a host alone"),
        ({"host": "mail.example:25"}, "must be the name of a host alone"),
        ({"port": 0}, "greater than or equal to 1"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MailAdapter.Config.model_validate({**USUAL, **options})
    assert why in str(caught.value)


def test_the_port_is_that_of_its_tls_and_the_password_a_secret() -> None:
    for tls, port in (("starttls", 587), ("implicit", 465), ("none", 25)):
        options = MailAdapter.Config.model_validate({**USUAL, "tls": tls, **LOGIN})
        assert MailSession(options).where == f"127.0.0.1:{port}"
    assert "hunter22x" not in repr(options) + redactor(options)("535 no hunter22x")


async def test_without_its_package_it_says_what_to_install(
    delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.extras.find_spec", lambda _: None)  # as it is without the extra
    outcome = await mailed(MailServer(port=1), delivery(1))
    assert isinstance(outcome, Closed)
    said = "mail needs the package aiosmtplib, which is not installed; run: pip install 'hubherald["
    assert said in outcome.detail
    (unfit,) = module.MailOptions.model_validate(PLAIN).unfit()
    assert unfit.key == "adapter"
    assert said in unfit.message
