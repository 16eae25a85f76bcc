"""Alerts in DUIS by HTTP POST: what is sent, what the answers mean, and what TLS can refuse."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from pydantic import ValidationError
from support.mutual import AN_HOUR_AGO, Mutual
from support.receivers import receiving
from support.tlslistener import TlsListener, only_tls_1_1

from adapters.duis.delivery import DuisAdapter
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    Reason,
    Refused,
    Retry,
    Unfit,
)

Make = Callable[[int], Delivery]


@pytest.fixture
def mutual(tmp_path: Path) -> Mutual:
    return Mutual(tmp_path / "tls")


@asynccontextmanager
async def channel(mutual: Mutual, url: str) -> AsyncIterator[DuisAdapter]:
    async with DuisAdapter(DuisAdapter.Config.model_validate(mutual.options(url))) as adapter:
        yield adapter


async def send(adapter: DuisAdapter, delivery: Delivery) -> Outcome:
    async with asyncio.timeout(30):
        (outcome,) = await adapter.deliver([delivery])
    return outcome


# --- what is sent, and what the answers mean --------------------------------------------------


async def test_one_document_in_a_request_on_one_connection(mutual: Mutual, delivery: Make) -> None:
    async with (
        receiving(tls=mutual.server()) as receiver,
        channel(mutual, receiver.url) as adapter,
    ):
        for number in range(3):
            assert await send(adapter, delivery(number)) == Delivered("204")
    assert DuisAdapter.batch == 1
    assert [each.body for each in receiver.received] == [delivery(n).body for n in range(3)]
    assert {each.headers["content-type"] for each in receiver.received} == {"application/xml"}
    assert receiver.connections == 1


async def test_proxies_of_the_environment_are_not_asked(
    mutual: Mutual, delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy, receiving(tls=mutual.server()) as receiver:
        for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        async with channel(mutual, receiver.url) as adapter:
            assert await send(adapter, delivery(1)) == Delivered("204")
    assert proxy.received == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered("200")),
        (202, Delivered("202")),
        (302, ChannelFault.ENDPOINT),
        (400, Refused),
        (401, ChannelFault.CREDENTIALS),
        (402, ChannelFault.CREDENTIALS),
        (403, ChannelFault.CREDENTIALS),
        (404, ChannelFault.ENDPOINT),
        (405, ChannelFault.ENDPOINT),
        (407, ChannelFault.CREDENTIALS),
        (409, Delivered),
        (411, ChannelFault.ENDPOINT),
        (421, ChannelFault.ENDPOINT),
        (422, Refused),
        (429, Reason.BUSY),
        (426, ChannelFault.ENDPOINT),
        (431, ChannelFault.ENDPOINT),
        (500, Reason.SERVER),
        (501, ChannelFault.ENDPOINT),
        (503, Reason.SERVER),
        (505, ChannelFault.ENDPOINT),
        (511, ChannelFault.CREDENTIALS),
    ],
)
async def test_the_status_decides(
    mutual: Mutual, delivery: Make, status: int, expected: object
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        headers = {"Location": "https://elsewhere.example/", "Retry-After": "7"}
        return web.Response(status=status, text="why", headers=headers)

    async with (
        receiving(answer, mutual.server()) as receiver,
        channel(mutual, receiver.url) as adapter,
    ):
        outcome = await send(adapter, delivery(1))
    assert len(receiver.received) == 1
    if isinstance(outcome, Retry):
        assert (outcome.reason, outcome.after) == (expected, timedelta(seconds=7))
    elif isinstance(outcome, Closed):
        assert outcome.reason is expected
        names_ours = str(mutual.certificate_file) in outcome.detail
        assert names_ours == (expected is ChannelFault.CREDENTIALS)
    else:
        assert expected in {outcome, type(outcome)}


async def test_a_receiver_that_is_not_there_is_tried_again(mutual: Mutual, delivery: Make) -> None:
    async with receiving(tls=mutual.server()) as gone:
        pass
    async with channel(mutual, gone.url) as adapter:
        outcome = await send(adapter, delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK


async def test_a_receiver_that_fails_at_requests_is_not_taken_for_one_that_refuses_us(
    mutual: Mutual, delivery: Make
) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with (
        receiving(hang_up, mutual.server()) as receiver,
        channel(mutual, receiver.url) as adapter,
    ):
        outcome = await send(adapter, delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK


# --- TLS --------------------------------------------------------------------------------------

Servers = Callable[[Mutual], ssl.SSLContext]
THEIRS: dict[str, tuple[Servers, str]] = {
    "wrong CA": (
        lambda it: it.server(trustme.CA().issue_cert("127.0.0.1")),
        "unable to get local issuer certificate",
    ),
    "expired": (
        lambda it: it.server(it.theirs.issue_cert("127.0.0.1", not_after=AN_HOUR_AGO)),
        "certificate has expired",
    ),
    "wrong host name": (
        lambda it: it.server(it.theirs.issue_cert("acme.example")),
        "not valid for '127.0.0.1'",
    ),
    "TLS 1.1": (lambda it: only_tls_1_1(it.server()), "speaks no TLS of version 1.2 or later"),
}


@pytest.mark.parametrize("fault", THEIRS)
async def test_a_fault_of_theirs_closes_the_lane_until_they_have_mended_it(
    mutual: Mutual, delivery: Make, fault: str
) -> None:
    make, why = THEIRS[fault]
    with TlsListener(make(mutual)) as receiver:
        async with channel(mutual, receiver.url) as adapter:
            outcome = await send(adapter, delivery(1))
            assert isinstance(outcome, Closed)
            assert outcome.reason is ChannelFault.ENDPOINT
            assert receiver.where in outcome.detail
            assert why in outcome.detail
            assert "nothing was sent" in outcome.detail
            assert receiver.got == b""
            receiver.tls = mutual.server()
            assert await send(adapter, delivery(1)) == Delivered("204")
    assert receiver.got.endswith(delivery(1).body)


OURS: dict[str, tuple[Callable[[Mutual], object], str, str]] = {
    "no key": (lambda it: it.key_file.unlink(), "key_file: ", "cannot be read"),
    "an open key": (lambda it: it.key_file.chmod(0o644), "key_file: ", "chmod 600"),
    "no certificate": (lambda it: it.certificate_file.unlink(), "certificate_file: ", "missing"),
    "an expired certificate": (
        lambda it: it.show(it.ours.issue_cert("dcc.example", not_after=AN_HOUR_AGO)),
        "certificate_file: ",
        "expired on",
    ),
    "no CA": (lambda it: it.ca_file.unlink(), "ca_file: ", "is missing"),
}


@pytest.mark.parametrize("while_running", [False, True])
@pytest.mark.parametrize("fault", OURS)
async def test_a_fault_of_ours_closes_the_lane_until_we_have_mended_it(
    mutual: Mutual, delivery: Make, fault: str, while_running: bool
) -> None:
    damage, option, why = OURS[fault]
    with TlsListener(mutual.server()) as receiver:
        if not while_running:
            damage(mutual)
        async with channel(mutual, receiver.url) as adapter:
            if while_running:
                damage(mutual)
            outcome = await send(adapter, delivery(1))
            assert isinstance(outcome, Closed)
            assert outcome.reason is ChannelFault.CREDENTIALS
            assert outcome.detail.startswith(option)
            assert str(mutual.folder) in outcome.detail
            assert why in outcome.detail
            assert receiver.connections == 0
            mutual.mend()
            mutual.key_file.chmod(0o600)
            assert await send(adapter, delivery(1)) == Delivered("204")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tell", [True, False], ids=["with an alert", "without a word"])
async def test_a_receiver_that_does_not_know_our_ca_closes_the_lane(
    mutual: Mutual, delivery: Make, version: ssl.TLSVersion, tell: bool
) -> None:
    """OpenSSL says so; Node.js accepts the handshake, looks at the certificate and hangs up."""
    tls = mutual.server()
    tls.maximum_version = version
    mutual.show(trustme.CA().issue_cert("dcc.example"))
    if not tell:
        tls.verify_mode = ssl.CERT_NONE
    with TlsListener(tls, hangs_up=not tell) as receiver:
        async with channel(mutual, receiver.url) as adapter:
            outcome = await send(adapter, delivery(1))
            assert isinstance(outcome, Closed)
            assert outcome.reason is ChannelFault.CREDENTIALS
            assert f"{receiver.where} does not accept our certificate" in outcome.detail
            assert str(mutual.certificate_file) in outcome.detail
            assert receiver.got == b""
            mutual.mend()
            receiver.hangs_up = False
            assert await send(adapter, delivery(1)) == Delivered("204")


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "http://acme.example/"}, "url"),
        ({"url": "https://user:pass@acme.example/"}, "url"),
        ({"url": f"https://{'a' * 64}.example/"}, "url"),
        ({"batch": 10}, "batch"),
        ({"verify": False}, "verify"),
    ],
)
def test_options_that_cannot_be_right(
    mutual: Mutual, change: dict[str, object], wrong: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        DuisAdapter.Config.model_validate(mutual.options("https://acme.example/") | change)
    assert [error["loc"] for error in caught.value.errors()] == [(wrong,)]


@pytest.mark.parametrize("missing", ["url", "certificate_file", "key_file", "ca_file"])
def test_nothing_can_be_left_out(mutual: Mutual, missing: str) -> None:
    options = mutual.options("https://acme.example/")
    del options[missing]
    with pytest.raises(ValidationError) as caught:
        DuisAdapter.Config.model_validate(options)
    assert [error["loc"] for error in caught.value.errors()] == [(missing,)]


def test_what_is_unfit_is_told_and_does_not_keep_the_options_from_being_read(
    mutual: Mutual,
) -> None:
    options = DuisAdapter.Config.model_validate(mutual.options("https://acme.example/"))
    assert options.unfit() == []
    mutual.key_file.unlink()
    (found,) = options.unfit()
    assert found == Unfit(
        "key_file", f"{mutual.key_file} cannot be read: No such file or directory"
    )
