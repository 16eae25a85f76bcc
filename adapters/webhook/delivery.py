"""Alerts by HTTP POST: one or a batch in a request, one answer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from adapters.dialling import reachable
from adapters.http.answer import Answer, outcome_of, outcome_of_failure
from adapters.http.session import HttpSession
from adapters.tls import CrlFile, TlsFiles, TlsFilesError
from adapters.webhook.signing import SigningSecret, WebhookSigner
from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    Adapter,
    Answering,
    Certificate,
    ChannelFault,
    Closed,
    Delivery,
    HttpUrl,
    Options,
    Outcome,
    Unfit,
    batch_body,
    batch_id,
)

_CREDENTIALS = "compare `secret` with the receiver's, and ask whether it lets us in"
_TRUST = "have the certificate put right, or set `ca_file`"


class WebhookOptions(Options):
    """What a webhook takes in service_users.yaml."""

    url: Annotated[
        HttpUrl,
        AfterValidator(reachable),
        Field(description="where to POST; https, or http to this machine"),
    ]
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
    crl_file: CrlFile = None

    @property
    def files(self) -> TlsFiles:
        """Those of the connection."""
        return TlsFiles(self.ca_file, crl_file=self.crl_file)

    def unfit(self) -> Sequence[Unfit]:
        """What is wrong with the files now."""
        return [Unfit(each.option, each.why) for each in self.files.faults()]

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        if self.previous_secret is not None and self.secret is None:
            raise ValueError("previous_secret needs a secret beside it")
        return self


class WebhookAdapter(Adapter[WebhookOptions]):
    """POSTs Alerts as CloudEvents, one by one or in batches, signed as Standard Webhooks."""

    Config = WebhookOptions

    def __init__(
        self, config: WebhookOptions, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.batch: int = config.batch
        self._session = HttpSession(config.url, config.files)
        secrets = (config.secret, config.previous_secret)
        self._signer = WebhookSigner([secret for secret in secrets if secret is not None])
        self._now = now

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__()

    def peer(self) -> Certificate | None:
        """The receiver's."""
        return self._session.peer

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        found: list[Outcome] = []
        try:
            await self.deliver_each([deliveries], lambda _, outcomes: found.extend(outcomes))
        except asyncio.CancelledError:  # and the answer came all the same
            if not found:
                raise
        return found

    async def deliver_each(self, requests: Sequence[Sequence[Delivery]], answer: Answering) -> None:
        """A request for each, all under way at once."""

        def tell(place: int, said: Answer | Exception) -> None:
            answer(place, [self._outcome(said)] * len(requests[place]))

        try:
            await self._session.post_each([self._request(each) for each in requests], tell)
        except TlsFilesError as error:
            for place in range(len(requests)):
                tell(place, error)

    def _request(self, deliveries: Sequence[Delivery]) -> tuple[bytes, dict[str, str]]:
        """The body and its headers; the same members give the same id, however often."""
        first = deliveries[0]
        if len(deliveries) == 1 and first.batch is None:
            body, message_id, kind = first.body, str(first.alert.id), CONTENT_TYPE
        else:
            body = batch_body(delivery.body for delivery in deliveries)
            message_id = str(batch_id(delivery.alert for delivery in deliveries))
            kind = BATCH_CONTENT_TYPE
        signature = self._signer.headers(message_id, body, self._now())
        return body, {"Content-Type": kind, "webhook-id": message_id, **signature}

    def _outcome(self, said: Answer | Exception) -> Outcome:
        match said:
            case TlsFilesError():
                return Closed(ChannelFault.CREDENTIALS, f"{said}; nothing was sent")
            case Exception():
                return outcome_of_failure(said, self._session.where, _TRUST)
        return outcome_of(said, self._now(), _CREDENTIALS)
