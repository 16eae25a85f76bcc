"""Several requests at once: each has its own answer, whatever befalls its neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from aiohttp import web
from support.rawreceiver import HANG_UP, answering
from support.receivers import receiving

from adapters.webhook import WebhookAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Refused, Retry

Make = Callable[[int], Delivery]
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


def adapter(url: str, **options: object) -> WebhookAdapter:
    return WebhookAdapter(WebhookAdapter.Config.model_validate({"url": url, **options}))


class Sent:
    """What came of several requests: outcomes by place, in the order in which they were told."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome] = {}

    async def by(self, webhook: WebhookAdapter, deliveries: Sequence[Delivery]) -> list[Outcome]:
        await webhook.deliver_each([[each] for each in deliveries], self.answer)
        return [self.outcomes[place] for place in range(len(deliveries))]

    def answer(self, place: int, outcomes: Sequence[Outcome]) -> None:
        assert place not in self.outcomes
        (self.outcomes[place],) = outcomes


@pytest.mark.parametrize("secret", [None, "whsec_" + "c2VjcmV0" * 6])
async def test_each_has_its_own_and_connections_serve_again(
    delivery: Make, secret: str | None
) -> None:
    ours = [delivery(number) for number in range(16)]
    async with receiving() as receiver, adapter(receiver.url, secret=secret) as webhook:
        for _ in range(3):
            assert await Sent().by(webhook, ours) == [Delivered("204")] * 16
        assert receiver.connections == 16
        ids = [each.headers["webhook-id"] for each in receiver.received]
        assert sorted(ids) == sorted([str(each.alert.id) for each in ours] * 3)


async def test_a_batch_and_one_alone_in_one_block(delivery: Make) -> None:
    found: dict[int, Sequence[Outcome]] = {}
    async with receiving() as receiver, adapter(receiver.url, batch=10) as webhook:
        requests = [[delivery(1), delivery(2)], [delivery(3)]]
        await webhook.deliver_each(requests, found.__setitem__)
    assert found == {0: [Delivered("204")] * 2, 1: [Delivered("204")]}


async def test_who_is_slow_holds_nobody_up(delivery: Make) -> None:
    may_answer = asyncio.Event()
    slow = str(delivery(0).alert.id)

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["webhook-id"] == slow and ready.is_set():
            await may_answer.wait()
        return web.Response(status=204)

    ready, sent = asyncio.Event(), Sent()
    ours = [delivery(number) for number in range(5)]
    async with receiving(answer) as receiver, adapter(receiver.url) as webhook:
        await Sent().by(webhook, ours)  # connections that wait
        ready.set()
        sending = asyncio.create_task(sent.by(webhook, ours))
        while len(sent.outcomes) < 4:  # noqa: ASYNC110 - it is somebody else's
            await asyncio.sleep(0.001)
        assert 0 not in sent.outcomes
        may_answer.set()
        assert await sending == [Delivered("204")] * 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Delivered),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", Delivered),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok", Delivered),
        (b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", Refused),
        (b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", Retry),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", Closed),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n", Delivered),
    ],
)
async def test_whatever_is_answered_on_a_connection_that_waited(
    delivery: Make, answer: bytes, kind: type[Outcome]
) -> None:
    async with answering([TAKEN, answer, TAKEN]) as receiver, adapter(receiver.url) as webhook:
        assert await Sent().by(webhook, [delivery(1)]) == [Delivered("204")]
        (outcome,) = await Sent().by(webhook, [delivery(2)])
        assert isinstance(outcome, kind)
        assert await Sent().by(webhook, [delivery(3)]) == [Delivered("204")]


async def test_what_ran_into_the_closing_goes_again_at_once_and_once(delivery: Make) -> None:
    async with (
        answering([TAKEN, TAKEN, HANG_UP, TAKEN]) as receiver,
        adapter(receiver.url) as webhook,
    ):
        ours = [delivery(1), delivery(2)]
        assert await Sent().by(webhook, ours) == [Delivered("204")] * 2
        assert await Sent().by(webhook, ours) == [Delivered("204")] * 2
        assert len(receiver.requests) == 5
    async with (
        answering([TAKEN, TAKEN, HANG_UP]) as receiver,
        adapter(receiver.url) as webhook,
    ):
        assert await Sent().by(webhook, ours) == [Delivered("204")] * 2
        for outcome in await Sent().by(webhook, ours):
            assert isinstance(outcome, Retry)
            assert outcome.reason is Reason.NETWORK
        assert len(receiver.requests) == 6


async def test_a_status_stands_though_the_deadline_comes_before_the_rest(delivery: Make) -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nbegin"
    async with (
        answering([TAKEN, TAKEN, begun, b"HTTP/1.1 2"]) as receiver,
        adapter(receiver.url) as webhook,
    ):
        ours = [delivery(1), delivery(2)]
        await Sent().by(webhook, ours)
        sent = Sent()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await sent.by(webhook, ours)
        (outcome,) = sent.outcomes.values()
        assert isinstance(outcome, Delivered)


async def test_what_came_while_the_loop_was_busy_stands_at_the_deadline(delivery: Make) -> None:
    async with receiving() as receiver, adapter(receiver.url) as webhook:
        ours = [delivery(number) for number in range(3)]
        await Sent().by(webhook, ours)
        sent = Sent()
        sending = asyncio.create_task(sent.by(webhook, ours))
        while len(receiver.received) < 6:  # noqa: ASYNC110 - it is somebody else's
            await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert all(outcome == Delivered("204") for outcome in sent.outcomes.values())


async def test_a_certificate_that_can_not_be_read_is_told_of_each(delivery: Make) -> None:
    url = "https://127.0.0.1:1/"
    async with adapter(url, ca_file="/nowhere/ca.pem") as webhook:
        outcomes = await Sent().by(webhook, [delivery(1), delivery(2)])
    for outcome in outcomes:
        assert isinstance(outcome, Closed)
        assert outcome.reason is ChannelFault.CREDENTIALS
