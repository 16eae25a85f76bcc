"""OAuth 2: tokens fetched, kept, renewed, refused; none of them is ever told."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pydantic import SecretStr
from support.receivers import Receiver, receiving

from adapters.tls import TlsFiles
from adapters.webhook import WebhookAdapter
from adapters.webhook.tokens import OAuth2Options, TokenError, Tokens
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Retry

Make = Callable[[int], Delivery]
OPTIONS = {"client_id": "hub herald", "client_secret": "s3cret+", "scope": "alerts write"}


@dataclass
class Authority:
    """What it says next; and what it was asked."""

    answer: dict[str, object] = field(default_factory=dict)
    status: int = 200
    server: Receiver = field(default_factory=lambda: Receiver(""))

    @property
    def given(self) -> int:
        return len(self.server.received)

    @property
    def options(self) -> dict[str, str]:
        return {**OPTIONS, "token_url": self.server.url}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.01)  # so that others ask meanwhile
        text = f"token-number-{self.given}-" + "x" * 6000
        usual = {"access_token": text, "token_type": "Bearer", "expires_in": 3600}
        return web.json_response({**usual, **self.answer}, status=self.status)


@asynccontextmanager
async def authority() -> AsyncIterator[Authority]:
    found = Authority()
    async with receiving(found) as found.server:
        yield found


@asynccontextmanager
async def tokens(found: Authority, clock: Callable[[], float]) -> AsyncIterator[Tokens]:
    options = OAuth2Options.model_validate(found.options)
    async with Tokens(options, TlsFiles(), None, clock) as made:
        yield made


class Picky:
    """A receiver that lets in who has one of the tokens that it knows."""

    def __init__(self, *numbers: int) -> None:
        self.known = set(numbers)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        said = request.headers.get("Authorization", "")
        number = int(said.removeprefix("Bearer token-number-").partition("-")[0])
        if number in self.known:
            return web.Response(status=204)
        return web.Response(status=401, text=f"not {said}")


async def test_who_we_are_is_asked_once_for_many_alerts(delivery: Make) -> None:
    async with authority() as found, receiving(Picky(1)) as receiver:
        config = WebhookAdapter.Config.model_validate(
            {"url": receiver.url, "oauth2": found.options}
        )
        async with WebhookAdapter(config) as adapter:
            sends = (adapter.deliver([delivery(number)]) for number in range(20))
            assert await asyncio.gather(*sends) == [[Delivered("204")]] * 20
            assert await adapter.deliver([delivery(1)]) == [Delivered("204")]
    (asked,) = found.server.received
    assert asked.body == b"grant_type=client_credentials&scope=alerts+write"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    pair = base64.b64decode(asked.headers["authorization"].removeprefix("Basic "))
    assert pair == b"hub+herald:s3cret%2B"  # written as in a form: RFC 6749, 2.3.1


@pytest.mark.parametrize(
    ("lasts", "good_for"), [(3600, 3539), (100, 89), ("600", 539), (None, 10**9), ("soon", 10**9)]
)
async def test_a_token_is_renewed_before_it_ends(lasts: object, good_for: int) -> None:
    now = 0.0
    async with authority() as found, tokens(found, lambda: now) as kept:
        found.answer = {"expires_in": lasts}
        first = await kept.current()
        now = good_for
        assert await kept.current() is first
        now = good_for + 2
        assert (await kept.current() is first) == (good_for == 10**9)


async def test_while_a_token_is_good_its_authority_may_be_away() -> None:
    now = 0.0
    async with authority() as found, tokens(found, lambda: now) as kept:
        first = await kept.current()
        found.status, now = 503, 3590
        assert await kept.current() is first
        now = 3601
        with pytest.raises(TokenError) as caught:
            await kept.current()
        assert isinstance(caught.value.outcome, Retry)
        assert caught.value.outcome.reason is Reason.SERVER


async def test_a_token_that_is_taken_no_more_is_a_retry_with_a_new_one(delivery: Make) -> None:
    picky = Picky(1, 2)
    async with authority() as found, receiving(picky) as receiver:
        config = WebhookAdapter.Config.model_validate(
            {"url": receiver.url, "oauth2": found.options}
        )
        async with WebhookAdapter(config) as adapter:
            assert await adapter.deliver([delivery(1)]) == [Delivered("204")]
            picky.known = {2}
            outcomes: list[Outcome] = []
            requests = [[delivery(number)] for number in (2, 3)]
            await adapter.deliver_each(requests, lambda _, told: outcomes.extend(told))
            assert await adapter.deliver([delivery(2)]) == [Delivered("204")]
            assert found.given == 2  # one for both
    for outcome in outcomes:
        assert isinstance(outcome, Retry)
        assert "takes our token no more" in outcome.detail
        assert "token-number" not in outcome.detail


async def test_a_new_token_that_is_not_taken_closes_the_lane(delivery: Make) -> None:
    async with authority() as found, receiving(Picky()) as receiver:
        config = WebhookAdapter.Config.model_validate(
            {"url": receiver.url, "oauth2": found.options}
        )
        async with WebhookAdapter(config) as adapter:
            (outcome,) = await adapter.deliver([delivery(1)])
        shown = f"{outcome} {adapter} {vars(adapter)} {vars(adapter._tokens)}"
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert "`oauth2`" in outcome.detail
    assert "token-number" not in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("status", "answer", "kind", "why"),
    [
        (401, {"error": "invalid_client"}, Closed, "gives no token: it answered 401: invalid_cl"),
        (400, {"error": "invalid_scope"}, Closed, "it answered 400: invalid_scope; correct `oau"),
        (404, {}, Closed, "it answered 404; correct `oauth2`"),
        (301, {}, Closed, "it answered 301"),
        (200, {"access_token": None}, Closed, "answered 200 without an access_token"),
        (200, {"access_token": "with space"}, Closed, "without an access_token"),
        (200, {"token_type": "mac"}, Closed, "of another kind than Bearer"),
        (429, {}, Retry, "answered 429"),
        (500, {}, Retry, "answered 500"),
    ],
)
async def test_without_a_token_nothing_is_sent(
    delivery: Make,
    status: int,
    answer: dict[str, object],
    kind: type[Closed | Retry],
    why: str,
) -> None:
    async with authority() as found, receiving() as receiver:
        found.status, found.answer = status, {**answer, "refresh_token": "r3fresh"}
        config = WebhookAdapter.Config.model_validate(
            {"url": receiver.url, "oauth2": found.options}
        )
        async with WebhookAdapter(config) as adapter:
            outcomes = await adapter.deliver([delivery(1), delivery(2)])
    assert receiver.received == []
    for outcome in outcomes:
        assert isinstance(outcome, kind)
        assert why in outcome.detail
        assert "token server 127.0.0.1" in outcome.detail
        if status == 200:
            assert "r3fresh" not in outcome.detail


def test_the_secret_of_a_client_is_a_secret() -> None:
    options = OAuth2Options.model_validate(
        {**OPTIONS, "token_url": "https://id.acme.example/token"}
    )
    assert options.client_secret == SecretStr("s3cret+")
    assert "s3cret" not in repr(options)
