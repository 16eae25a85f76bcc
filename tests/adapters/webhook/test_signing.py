"""Signatures that receivers verify: with the libraries of Standard Webhooks, and by its rules."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable

import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError
from standardwebhooks import Webhook
from support.receivers import Received, receiving
from support.servers import HOOKS, npm_package, program

from adapters.webhook import WebhookAdapter
from router.ports import Delivered, Delivery, redactor

Make = Callable[[int], Delivery]
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SEED, PUBLIC = KEY.private_bytes_raw(), KEY.public_key().public_bytes_raw()
SHORT = "whsk_" + base64.b64encode(SEED).decode()
LONG = "whsk_" + base64.b64encode(SEED + PUBLIC).decode()
RECEIVERS = "whpk_" + base64.b64encode(PUBLIC).decode()
SHARED = "whsec_" + base64.b64encode(b"s" * 32).decode()


async def sent(delivery: Delivery, **options: object) -> Received:
    async with receiving() as receiver:
        config = WebhookAdapter.Config.model_validate({"url": receiver.url, **options})
        async with WebhookAdapter(config) as adapter:
            assert await adapter.deliver([delivery]) == [Delivered("204")]
    return receiver.received[0]


def verify(request: Received, public: str) -> None:
    """As the specification has it, for an asymmetric key."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    named = (each.split(",") for each in request.headers["webhook-signature"].split(" "))
    (signature,) = (text for version, text in named if version == "v1a")
    key.verify(base64.b64decode(signature), signed + request.body)


@pytest.mark.parametrize("secret", [SHORT, LONG])
async def test_a_private_key_signs_for_who_has_its_public_half(delivery: Make, secret: str) -> None:
    request = await sent(delivery(1), secret=secret)
    verify(request, RECEIVERS)
    request.body += b" "
    with pytest.raises(InvalidSignature):
        verify(request, RECEIVERS)


async def test_while_a_receiver_changes_its_kind_of_key_both_sign(delivery: Make) -> None:
    request = await sent(delivery(1), secret=LONG, previous_secret=SHARED)
    verify(request, RECEIVERS)
    Webhook(SHARED).verify(request.body, request.headers)


async def test_the_library_of_npm_takes_it(delivery: Make) -> None:
    """As Node.js receivers verify; so does the one of PyPI in all other tests."""
    request = await sent(delivery(1), secret=SHARED, previous_secret=SHORT)
    script = """
        const {Webhook} = require(process.argv[1]);
        const [key, body, headers] = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(new Webhook(key).verify(body, headers).id);
        try { new Webhook(key).verify(body + " ", headers); console.log("taken"); }
        catch (error) { console.log(error.message); }
    """
    given = json.dumps([SHARED, request.body.decode(), request.headers])
    library = npm_package("standardwebhooks", HOOKS)
    node = await asyncio.create_subprocess_exec(
        program("node"), "-e", script, library, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told, _ = await node.communicate(given.encode())
    said = [str(delivery(1).alert.id), "No matching signature found"]
    assert told.decode().splitlines() == said


async def test_the_sdk_of_cloudevents_takes_it(delivery: Make) -> None:
    ours = delivery(1)
    request = await sent(ours)
    event = sdk.from_http_event(sdk.HTTPMessage(request.headers, request.body), JSONFormat())
    assert event.get_id() == str(ours.alert.id)
    assert event.get_type() == "hubherald.alert.v1"
    assert event.get_data() == json.loads(ours.body)["data"]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (RECEIVERS, "is the receiver's half of the key; give the private one, whsk_"),
        ("whsk_" + base64.b64encode(b"short").decode(), "base64 of an Ed25519 key of 32 bytes"),
        ("whsk_" + base64.b64encode(SEED + b"x" * 32).decode(), "not the public key of the first"),
    ],
)
def test_a_key_that_cannot_sign_is_a_mistake_that_shows_nothing_of_it(
    secret: str, why: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookAdapter.Config.model_validate({"url": "https://acme.example/", "secret": secret})
    (error,) = caught.value.errors()
    assert error["loc"] == ("secret",)
    assert why in error["msg"]
    assert secret[5:] not in error["msg"]


@pytest.mark.parametrize("secret", [SHORT, SHARED])
def test_a_key_without_its_prefix_is_as_secret(secret: str) -> None:
    config = WebhookAdapter.Config.model_validate(
        {"url": "https://acme.example/", "secret": secret}
    )
    bare = secret.partition("_")[2]
    assert bare not in redactor(config)(f"they said {bare} and {secret}")
