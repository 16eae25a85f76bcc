"""The webhook keeps the contract: the conformance suite, with real HTTP and real TLS."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import orjson
import pytest
from support.httppeer import HttpPeer

from adapters.webhook import WebhookAdapter
from router.conformance import (
    AdapterConformance,
    Arrived,
    CertificateAuthority,
    Harness,
    Peer,
    Situation,
    because,
)

PASSWORD, KEY = "hunter2-of-the-webhook", "a-key-of-the-webhook"


class WebhookPeer(HttpPeer):
    """Takes CloudEvents, one or a batch in a request."""

    @property
    def options(self) -> Mapping[str, object]:
        given = {"url": self.url, "batch": 100, "secret": f"whsec_{_key(b'1')}"}
        given["previous_secret"] = f"whsec_{_key(b'2')}"
        given |= {"user": "acme", "password": PASSWORD, "headers": {"X-Key": KEY}}
        return {**given, "ca_file": self.ca_file} if self.secure else given

    @property
    def secrets(self) -> Sequence[str]:
        return [_key(b"1"), _key(b"2"), PASSWORD, KEY]

    def read(self, head: bytes, body: bytes) -> Sequence[Arrived]:
        if b"cloudevents-batch+json" not in head:
            return [Arrived(orjson.loads(body)["id"], body)]
        return [Arrived(each["id"], orjson.dumps(each)) for each in orjson.loads(body)]


def _key(byte: bytes) -> str:
    return base64.b64encode(byte * 32).decode()


class WebhookHarness(Harness):
    """A webhook's."""

    adapter = WebhookAdapter
    wrong: Mapping[str, object] = {
        "url": "http://elsewhere.example/",
        "secret": "whsec_c2hvcnQ",
        "batch": 0,
    }
    cannot = because("an answer is for the whole of a request", Situation.REFUSES_MARKED)

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)

    def peer(self) -> AbstractAsyncContextManager[Peer]:
        return WebhookPeer(self.authority)


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return WebhookHarness(tmp_path)
