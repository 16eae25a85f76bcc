"""Who we are to a receiver: headers, a token, a password, a certificate."""

import base64
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from pydantic import ValidationError
from support.mutual import Mutual
from support.receivers import receiving

from adapters.webhook import WebhookAdapter
from router.config import usersfile
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome, Reason, Retry, redactor

Make = Callable[[int], Delivery]


async def posted(url: str, delivery: Delivery, **options: object) -> Outcome:
    config = WebhookAdapter.Config.model_validate({"url": url, **options})
    async with WebhookAdapter(config) as adapter:
        (outcome,) = await adapter.deliver([delivery])
    return outcome


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"bearer_token": "t0ken"}, {"authorization": "Bearer t0ken"}),
        (
            {"user": "hérald", "password": "pass:word é"},
            {"authorization": f"Basic {in_base64('hérald:pass:word é')}"},
        ),
        (
            {"headers": {"X-Api-Key": "k3y", "user-agent": "ours"}},
            {"x-api-key": "k3y", "user-agent": "ours"},
        ),
        ({"headers": {"Authorization": "ApiKey k3y"}}, {"authorization": "ApiKey k3y"}),
    ],
)
async def test_each_request_says_who_we_are(
    delivery: Make, options: dict[str, object], sent: dict[str, str]
) -> None:
    async with receiving() as receiver:
        assert await posted(receiver.url, delivery(1), **options) == Delivered("204")
    (request,) = receiver.received
    assert request.headers.items() >= sent.items()
    assert request.headers["content-type"].startswith("application/cloudevents+json")


async def test_who_is_not_let_in_reads_which_option_to_look_at(delivery: Make) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text=request.headers["Authorization"])

    secrets: dict[str, object] = {"user": "herald", "password": "hunter22x"}
    async with receiving(answer) as receiver:
        outcome = await posted(receiver.url, delivery(1), **secrets)
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert "compare `secret`, `password` with what the receiver has" in outcome.detail
    config = WebhookAdapter.Config.model_validate({"url": receiver.url, **secrets})
    shown = redactor(config)(outcome.detail)  # as the core does with all that an adapter says
    assert "hunter22x" not in shown
    assert in_base64("herald:hunter22x") not in shown


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"headers": {"Host": "x"}}, "host: we set this header ourselves"),
        ({"headers": {"webhook-id": "x"}}, "webhook-id: we set this header ourselves"),
        ({"headers": {"X Key": "x"}}, "letters, digits and `-` alone"),
        ({"headers": {"X-Key": "x\r\nEvil: y"}}, "one line of ASCII"),
        ({"headers": {"X-Key": "ä"}}, "one line of ASCII"),
        ({"headers": {"X-Key": "x", "x-key": "y"}}, "stands here twice"),
        ({"headers": {"X-Key": 7}}, "valid string"),
        ({"bearer_token": "two\nlines"}, "one line of ASCII"),
        ({"user": "herald"}, "give both user and password, or neither"),
        ({"user": "a:b", "password": "x"}, "should match pattern"),
        ({"bearer_token": "x", "user": "u", "password": "p"}, "bearer_token or user, not both"),
        ({"bearer_token": "x", "headers": {"authorization": "y"}}, "headers.authorization, not"),
        ({"certificate_file": "c.pem"}, "give both certificate_file and key_file"),
        ({"certificate_file": "c", "key_file": "k", "url": "http://127.0.0.1/"}, "needs https"),
    ],
)
def test_what_cannot_be_sent_is_a_mistake(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookAdapter.Config.model_validate({"url": "https://acme.example/", **options})
    (error,) = caught.value.errors()
    assert why in error["msg"]


def test_secrets_of_headers_and_tokens_may_stand_in_files(tmp_path: Path) -> None:
    for name in ("api.key", "client.secret"):
        (tmp_path / name).write_text(f"from {name}\n")
        (tmp_path / name).chmod(0o600)
    file = tmp_path / "service_users.yaml"
    file.write_text(
        "service_users:\n"
        "  - id: 90-b3-d5-1f-30-01-00-0a\n"
        "    name: Acme Energy\n"
        "    roles: [gas_supplier]\n"
        "    channels:\n"
        "      - adapter: webhook\n"
        "        url: https://acme.example/\n"
        "        headers: {X-Api-Key_file: api.key, X-Site: '${SITE}'}\n"
        "        oauth2:\n"
        "          token_url: https://id.acme.example/token\n"
        "          client_id: hubherald\n"
        "          client_secret_file: client.secret\n"
    )
    file.chmod(0o600)
    users, problems = usersfile.load(file, {"SITE": "one"})
    assert problems == []
    assert users is not None
    (channel,) = next(iter(users.by_id.values())).channels
    options = channel.options
    assert isinstance(options, WebhookAdapter.Config)
    assert options.fixed_headers() == {"X-Api-Key": "from api.key", "X-Site": "one"}
    assert options.oauth2 is not None
    assert options.oauth2.client_secret.get_secret_value() == "from client.secret"
    assert "from" not in repr(options)


@pytest.mark.parametrize("window", [1, 4])
async def test_a_receiver_that_asks_for_our_certificate_gets_it(
    delivery: Make, tmp_path: Path, window: int
) -> None:
    mutual = Mutual(tmp_path / "tls")
    async with receiving(tls=mutual.server()) as receiver:
        options = WebhookAdapter.Config.model_validate(mutual.options(receiver.url))
        assert options.unfit() == []
        async with WebhookAdapter(options) as adapter:
            found: list[Outcome] = []
            requests = [[delivery(number)] for number in range(window)]
            await adapter.deliver_each(requests, lambda _, outcomes: found.extend(outcomes))
    assert found == [Delivered("204")] * window


async def test_a_receiver_that_does_not_want_our_certificate_closes_the_lane(
    delivery: Make, tmp_path: Path
) -> None:
    mutual = Mutual(tmp_path / "tls")
    mutual.show(trustme.CA().issue_cert("stranger.example"))
    async with receiving(tls=mutual.server()) as receiver:
        outcome = await posted(delivery=delivery(1), **mutual.options(receiver.url))
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert "does not accept our certificate" in outcome.detail
    assert receiver.received == []


async def test_with_a_certificate_a_network_that_fails_is_still_a_retry(
    delivery: Make, tmp_path: Path
) -> None:
    mutual = Mutual(tmp_path / "tls")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://127.0.0.1:{closed.getsockname()[1]}/"
    outcome = await posted(delivery=delivery(1), **mutual.options(url))
    assert isinstance(outcome, Retry)
    assert outcome.reason is Reason.NETWORK


def test_a_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    mutual.key_file.chmod(0o644)
    options = WebhookAdapter.Config.model_validate(mutual.options("https://acme.example/"))
    (unfit,) = options.unfit()
    assert unfit.key == "key_file"
    assert "chmod" in unfit.message
