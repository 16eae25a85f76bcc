"""Alerts by HTTP POST: what is sent, and what each answer means."""

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from support.receivers import Answering, receiving

from adapters.webhook import WebhookAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Refused, Retry

Make = Callable[[int], Delivery]
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 24).decode()
NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)


def adapter(url: str, *, now: datetime | None = None, **options: object) -> WebhookAdapter:
    config = WebhookAdapter.Config.model_validate({"url": url, **options})
    return WebhookAdapter(config) if now is None else WebhookAdapter(config, lambda: now)


async def answered(answer: Answering, delivery: Delivery) -> Outcome:
    """The outcome when a receiver answers so."""
    async with receiving(answer) as receiver, adapter(receiver.url, now=NOW) as webhook:
        (outcome,) = await webhook.deliver([delivery])
    return outcome


def always(status: int, body: str = "", **headers: str) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named)

    return answer


def together(one: Delivery) -> Delivery:
    """As a member of a batch."""
    return replace(one, batch="b")


# --- what is sent ----------------------------------------------------------------------------


async def test_an_alert_is_posted_as_it_is_stored(delivery: Make) -> None:
    ours = delivery(1)
    async with receiving() as receiver, adapter(receiver.url) as webhook:
        assert webhook.batch == 1
        assert await webhook.deliver([ours]) == [Delivered("204")]
    (request,) = receiver.received
    assert request.body == ours.body
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["webhook-id"] == str(ours.alert.id)
    assert not {"webhook-signature", "webhook-timestamp"} & request.headers.keys()


async def test_a_batch_is_an_array_of_the_stored_bytes(delivery: Make) -> None:
    ours = [together(delivery(number)) for number in (1, 2, 3)]
    async with receiving() as receiver, adapter(receiver.url, batch=100) as webhook:
        assert webhook.batch == 100
        assert await webhook.deliver(ours) == [Delivered("204")] * 3
    (request,) = receiver.received
    assert request.body == b"[" + b",".join(each.body for each in ours) + b"]"
    assert [each["id"] for each in json.loads(request.body)] == [
        str(each.alert.id) for each in ours
    ]
    assert request.headers["content-type"] == "application/cloudevents-batch+json"


async def test_the_id_of_a_batch_is_that_of_its_members(delivery: Make) -> None:
    async with receiving() as receiver, adapter(receiver.url, batch=3) as webhook:
        for members in ((1, 2), (1, 2), (1, 3), (1,)):
            await webhook.deliver([together(delivery(number)) for number in members])
    first, again, other, alone = (each.headers["webhook-id"] for each in receiver.received)
    assert first == again
    assert len({first, other, alone, str(delivery(1).alert.id)}) == 4


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_the_form_is_that_of_the_first_send_whatever_the_option_says_by_now(
    delivery: Make, batch: int
) -> None:
    one, batched = delivery(1), [together(delivery(number)) for number in (2, 3, 4)]
    async with receiving() as receiver, adapter(receiver.url, batch=batch) as webhook:
        assert await webhook.deliver([one]) == [Delivered("204")]
        assert await webhook.deliver(batched) == [Delivered("204")] * 3
        assert await webhook.deliver(batched[:1]) == [Delivered("204")]
    single, three, last = receiver.received
    assert (single.body, single.headers["webhook-id"]) == (one.body, str(one.alert.id))
    assert [len(json.loads(each.body)) for each in (three, last)] == [3, 1]
    kinds = [each.headers["content-type"].partition(";")[0] for each in receiver.received]
    plain, array = "application/cloudevents+json", "application/cloudevents-batch+json"
    assert kinds == [plain, array, array]


async def test_a_large_batch_goes_out_whole(delivery: Make) -> None:
    ours = [
        replace(together(delivery(n)), body=b" " * 2000 + delivery(n).body) for n in range(1000)
    ]
    async with receiving() as receiver, adapter(receiver.url, batch=1000, secret=NEW) as webhook:
        assert await webhook.deliver(ours) == [Delivered("204")] * 1000
    (request,) = receiver.received
    assert len(json.loads(request.body)) == 1000
    Webhook(NEW).verify(request.body, request.headers)


@pytest.mark.parametrize("batch", [None, "b"])
async def test_the_signature_is_a_standard_one(delivery: Make, batch: str | None) -> None:
    async with receiving() as receiver, adapter(receiver.url, secret=NEW) as webhook:
        await webhook.deliver([replace(delivery(1), batch=batch)])
    (request,) = receiver.received
    Webhook(NEW).verify(request.body, request.headers)
    for body, key in ((request.body + b" ", NEW), (request.body, OLD)):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body, request.headers, json_parse=False)


async def test_while_keys_change_both_sign(delivery: Make) -> None:
    async with (
        receiving() as receiver,
        adapter(receiver.url, secret=NEW, previous_secret=OLD) as webhook,
    ):
        await webhook.deliver([delivery(1)])
    (request,) = receiver.received
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for key in (NEW, OLD):
        Webhook(key).verify(request.body, request.headers)


async def test_a_retry_has_the_same_id_and_body_and_the_time_of_its_own(delivery: Make) -> None:
    moments = iter([NOW, NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=1)])
    async with receiving() as receiver:
        config = WebhookAdapter.Config.model_validate({"url": receiver.url, "secret": NEW})
        async with WebhookAdapter(config, lambda: next(moments)) as webhook:
            await webhook.deliver([delivery(1)])
            await webhook.deliver([delivery(1)])
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (
        int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600
    )


async def test_one_connection_serves_many_alerts_and_no_cookie_is_kept(delivery: Make) -> None:
    answer = always(200, "thanks", Set_Cookie="who=you")
    async with receiving(answer) as receiver, adapter(receiver.url) as webhook:
        for number in range(5):
            await webhook.deliver([delivery(number)])
    assert receiver.connections == 1
    assert not any("cookie" in each.headers for each in receiver.received)


async def test_the_adapter_sets_no_limit_on_what_is_in_flight(delivery: Make) -> None:
    together = 150
    here = asyncio.Barrier(together)

    async def answer(request: web.Request) -> web.StreamResponse:
        await here.wait()
        return web.Response(status=204)

    async with receiving(answer) as receiver, adapter(receiver.url) as webhook:
        async with asyncio.timeout(30):
            sends = (webhook.deliver([delivery(number)]) for number in range(together))
            outcomes = await asyncio.gather(*sends)
    assert outcomes == [[Delivered("204")]] * together


async def test_proxies_of_the_environment_are_not_asked(
    delivery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        async with adapter(receiver.url) as webhook:
            await webhook.deliver([delivery(1)])
    assert (len(proxy.received), len(receiver.received)) == (0, 1)


# --- what the answer means -------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_delivered(delivery: Make, status: int) -> None:
    assert await answered(always(status), delivery(1)) == Delivered(str(status))


@pytest.mark.parametrize("status", [408, 420, 423, 425, 429])
async def test_busy_is_retried(delivery: Make, status: int) -> None:
    outcome = await answered(always(status, "later"), delivery(1))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.after) == (Reason.BUSY, None)
    assert f"{status}" in outcome.detail
    assert "later" in outcome.detail


@pytest.mark.parametrize(
    "status",
    [424, 444, 499, 500, 502, 503, 504, 506, 507, 508, 509, *range(520, 526), 527, 529, 530, 599],
)
async def test_a_failing_server_is_retried(delivery: Make, status: int) -> None:
    outcome = await answered(always(status), delivery(1))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.after) == (Reason.SERVER, None)


@pytest.mark.parametrize("status", [400, 406, 412, 413, 415, 416, 418, 422])
async def test_what_is_said_against_the_alert_is_a_refusal(delivery: Make, status: int) -> None:
    outcome = await answered(always(status, "sequence missing"), delivery(1))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REJECTED
    assert "sequence missing" in outcome.detail


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *((status, ChannelFault.CREDENTIALS) for status in (401, 402, 403, 407, 440, 511, 561)),
        *((status, ChannelFault.CREDENTIALS) for status in (495, 496, 498)),
        *((status, ChannelFault.ENDPOINT) for status in (404, 405, 410, 411, 421, 426, 431)),
        *((status, ChannelFault.ENDPOINT) for status in (414, 417, 419, 428, 451, 464, 494, 497)),
        *((status, ChannelFault.ENDPOINT) for status in (300, 304, 399, 501, 505, 510, 526, 600)),
    ],
)
async def test_what_somebody_has_to_mend_closes_the_lane(
    delivery: Make, status: int, reason: ChannelFault
) -> None:
    outcome = await answered(always(status), delivery(1))
    assert isinstance(outcome, Closed)
    assert outcome.reason is reason
    assert str(status) in outcome.detail
    assert ";" in outcome.detail  # what to do


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(delivery: Make, status: int) -> None:
    async with receiving() as elsewhere:
        location = elsewhere.url.replace("http://", "http://user:pass@") + "?token=hidden"
        outcome = await answered(always(status, Location=location), delivery(1))
        assert elsewhere.received == []
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert elsewhere.url in outcome.detail
    assert not any(word in outcome.detail for word in ("user", "pass", "hidden"))


@pytest.mark.parametrize("batch", [2, 3])
async def test_one_answer_holds_for_every_member_of_a_batch(delivery: Make, batch: int) -> None:
    async with receiving(always(422)) as receiver, adapter(receiver.url, batch=3) as webhook:
        outcomes = await webhook.deliver([together(delivery(n)) for n in range(batch)])
    assert [type(outcome) for outcome in outcomes] == [Refused] * batch


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ("120", timedelta(minutes=2)),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), timedelta(minutes=5)),
        ("Sunday, 01-Feb-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Feb 2026 12:05:00 -0000", timedelta(minutes=5)),
        (" 7 ", timedelta(seconds=7)),
        ("999999", timedelta(hours=24)),
        ("9" * 5000, timedelta(hours=24)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(hours=24)),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Fri, 99 Foo 99999 99:99:99 +9999999", None),
    ],
)
async def test_the_rest_that_a_receiver_asks_for(
    delivery: Make, status: int, asked: str, after: timedelta | None
) -> None:
    outcome = await answered(always(status, Retry_After=asked), delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.after == after


# --- what is kept of an answer ---------------------------------------------------------------


async def test_nothing_in_an_answer_can_move_a_cursor(delivery: Make) -> None:
    hostile = "no\x1b[2J\x07\r\n\u202egood\x00\x9b"
    outcome = await answered(always(400, hostile), delivery(1))
    assert isinstance(outcome, Refused)
    assert outcome.detail.isprintable()
    assert "no\\x1b[2J\\x07 \\u202egood\\x00\\x9b" in outcome.detail


async def test_of_a_page_its_words_are_kept(delivery: Make) -> None:
    page = "<!doctype html><title>Bad gateway</title><h1>\x1b[2Jtry again</h1>"
    outcome = await answered(always(502, page), delivery(1))
    assert isinstance(outcome, Retry)
    assert outcome.detail == "answered 502 Bad Gateway: Bad gateway \\x1b[2Jtry again"


async def test_a_long_answer_is_cut(delivery: Make) -> None:
    outcome = await answered(always(500, "x" * 1_000_000), delivery(1))
    assert isinstance(outcome, Retry)
    assert len(outcome.detail) < 300


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_without_end_is_left(delivery: Make, status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async with asyncio.timeout(30):
        async with receiving(answer) as receiver, adapter(receiver.url) as webhook:
            (outcome,) = await webhook.deliver([delivery(1)])
            await webhook.deliver([delivery(1)])
    assert isinstance(outcome, Delivered if status == 200 else Retry)
    assert receiver.connections == 2  # the first one was not of use any more


async def test_a_packed_answer_is_not_unpacked(delivery: Make) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        bomb = gzip.compress(b"x" * 10_000_000)
        return web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})

    outcome = await answered(answer, delivery(1))
    assert isinstance(outcome, Retry)
    assert "xxxx" not in outcome.detail


async def test_secrets_are_not_told(delivery: Make) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text=f"Cannot POST {request.path_qs}")

    async with (
        receiving(answer) as receiver,
        adapter(f"{receiver.url}?token=hidden", secret=NEW) as webhook,
    ):
        (outcome,) = await webhook.deliver([delivery(1)])
        shown = f"{outcome} {webhook} {vars(webhook)} {webhook.Config}"
    assert isinstance(outcome, Closed)
    assert "Cannot POST /receive?***" in outcome.detail
    assert "hidden" not in str(outcome)
    assert NEW not in shown


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    ["", "secret", base64.b64encode(b"n" * 32).decode(), "whsec_", "whsec_????", "whsec_c2hvcnQ="],
)
def test_a_secret_that_cannot_sign_is_a_mistake_that_shows_nothing_of_it(secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter("https://acme.example/", secret=secret)
    (error,) = caught.value.errors()
    assert error["loc"] == ("secret",)
    assert not secret or secret not in error["msg"].replace("whsec_$", "").replace("whsec_ ", "")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"url": "http://acme.example/"}, "url"),
        ({"url": "https://user:pass@acme.example/"}, "url"),
        ({"url": "ftp://acme.example/"}, "url"),
        ({"url": f"https://{'a' * 64}.example/"}, "url"),
        ({"url": "https://acme.example/", "batch": 0}, "batch"),
        ({"url": "https://acme.example/", "batch": 1001}, "batch"),
        ({"url": "https://acme.example/", "proxies": "http://127.0.0.1/"}, "proxies"),
        ({}, "url"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookAdapter.Config.model_validate(options)
    assert [error["loc"] for error in caught.value.errors()] == [(wrong,)]


def test_a_previous_secret_alone_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="previous_secret needs a secret"):
        adapter("https://acme.example/", previous_secret=OLD)
