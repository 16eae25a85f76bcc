"""Alerts by HTTP POST: one or a batch in a request, one answer for all of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Annotated, ClassVar, Self

import aiohttp
from pydantic import Field, field_validator, model_validator
from yarl import URL

from adapters.webhook.answer import Answer, outcome_of, outcome_of_failure
from adapters.webhook.signing import Signer, SigningSecret
from router.alerts import BATCH_CONTENT_TYPE, CONTENT_TYPE, batch_body, batch_id
from router.ports import Closed, ClosedReason, Delivery, HttpUrl, Options, Outcome

MAX_ANSWER = 4096
"""Bytes of an answer's body that are read; a longer one costs its connection."""
BODY_S = 2.0
"""Seconds that an answer's body has after its status line, which alone decides."""
KEEP_ALIVE_S = 4.0
"""Less than the 5 s after which common servers close: else sends would run into the closing."""
LARGE = 1_000_000
"""Bytes above which a body is sent in pieces."""


class WebhookOptions(Options):
    """What a webhook takes in service_users.yaml."""

    url: Annotated[HttpUrl, Field(description="where to POST; https, or http to this machine")]
    secret: Annotated[
        SigningSecret | None, Field(description="whsec_...: signs as Standard Webhooks")
    ] = None
    previous_secret: Annotated[
        SigningSecret | None,
        Field(description="signs too, while the receiver changes over to a new `secret`"),
    ] = None
    batch: Annotated[
        int, Field(ge=1, le=1000, description="the most Alerts in a request; 1: no batches")
    ] = 1
    ca_file: Annotated[
        Path | None, Field(description="PEM certificates to trust instead of the system's")
    ] = None

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        host = URL(url).host or ""
        try:
            host.encode("idna")
        except UnicodeError:
            raise ValueError(f"{host!r} cannot be the name of a host") from None
        return url

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        if self.previous_secret is not None and self.secret is None:
            raise ValueError("previous_secret needs a secret beside it")
        return self


class WebhookAdapter:
    """One session for one channel; how much is in flight is the relay's business."""

    Config: ClassVar[type[Options]] = WebhookOptions

    def __init__(
        self, config: Options, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        assert isinstance(config, WebhookOptions)
        self.batch: int = config.batch
        self._url = URL(config.url)
        self._ca_file = config.ca_file
        secrets = (config.secret, config.previous_secret)
        self._signer = Signer([secret for secret in secrets if secret is not None])
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._broken: Closed | None = None

    async def __aenter__(self) -> Self:
        try:
            trust = await asyncio.to_thread(_trust, self._ca_file)
        except (OSError, ssl.SSLError) as error:
            # This lane's trouble, not a reason for the router not to start.
            why = f"ca_file {self._ca_file}: {error.strerror or error}; mend it and reload"
            self._broken = Closed(ClosedReason.CREDENTIALS, why)
            return self
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trust, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers={"User-Agent": "hubherald", "Accept-Encoding": "identity"},
            trust_env=False,
            auto_decompress=False,
            read_bufsize=MAX_ANSWER,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcome = self._broken or await self._post(*self._request(deliveries))
        return [outcome] * len(deliveries)

    def _request(self, deliveries: Sequence[Delivery]) -> tuple[bytes, dict[str, str]]:
        """The body and its headers; the same members give the same id, however often."""
        if self.batch == 1:
            (delivery,) = deliveries
            body, message_id, kind = delivery.body, str(delivery.alert.id), CONTENT_TYPE
        else:
            body = batch_body(delivery.body for delivery in deliveries)
            message_id = str(batch_id(delivery.alert for delivery in deliveries))
            kind = BATCH_CONTENT_TYPE
        signature = self._signer.headers(message_id, body, self._now())
        return body, {"Content-Type": kind, "webhook-id": message_id, **signature}

    async def _post(self, body: bytes, headers: dict[str, str]) -> Outcome:
        assert self._session is not None, "entered before use"
        data = BytesIO(body) if len(body) > LARGE else body
        try:
            async with self._session.post(
                self._url, data=data, headers=headers, allow_redirects=False
            ) as response:
                answer = Answer(
                    response.status,
                    self._without_query(await _beginning(response)),
                    response.headers.get("Retry-After"),
                    response.headers.get("Location"),
                )
        except (aiohttp.ClientError, OSError) as error:
            return outcome_of_failure(error, f"{self._url.host}:{self._url.port}")
        return outcome_of(answer, self._now())

    def _without_query(self, body: bytes) -> bytes:
        """Some servers show the whole address in their error pages; its query may be a secret."""
        query = self._url.raw_query_string.encode()
        return body.replace(query, b"***") if query else body


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """What comes of the body in good time; nothing that goes wrong here undoes the status."""
    found = b""
    try:
        async with asyncio.timeout(BODY_S):
            while len(found) < MAX_ANSWER and not response.content.at_eof():
                found += await response.content.read(MAX_ANSWER - len(found))
    except (TimeoutError, aiohttp.ClientError, OSError):
        response.close()
    return found


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    return _system_trust() if ca_file is None else _context(ca_file)


@cache
def _system_trust() -> ssl.SSLContext:
    """Shared: reading the system's certificates takes 20 ms and 1 MB, times 200 users."""
    return _context(None)


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
