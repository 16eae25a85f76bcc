"""Alerts by HTTP POST: one or a batch in a request, one answer for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from adapters.http.answer import Answer, outcome_of, outcome_of_failure
from adapters.http.handshake import failure_of
from adapters.http.proxy import Proxy
from adapters.http.session import HttpSession
from adapters.tls import TlsFiles, TlsFilesError
from adapters.webhook.options import WebhookOptions
from adapters.webhook.signing import WebhookSigner
from adapters.webhook.tokens import AccessToken, TokenError, Tokens, basic
from router.ports import (
    BATCH_CONTENT_TYPE,
    CONTENT_TYPE,
    Adapter,
    Answering,
    Certificate,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    batch_body,
    batch_id,
)

_TRUST = "have the certificate put right, or set `ca_file`"


class WebhookAdapter(Adapter[WebhookOptions]):
    """POSTs Alerts as CloudEvents, one by one or in batches, signed as Standard Webhooks."""

    Config = WebhookOptions

    def __init__(
        self, config: WebhookOptions, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.batch: int = config.batch
        self._certificate = config.certificate_file
        proxy, trusted = _proxy(config), TlsFiles(config.ca_file)
        self._session = HttpSession(
            config.url, config.files, headers=config.fixed_headers(), proxy=proxy
        )
        self._tokens = Tokens(config.oauth2, trusted, proxy) if config.oauth2 else None
        secrets = (config.secret, config.previous_secret)
        self._signer = WebhookSigner([secret for secret in secrets if secret is not None])
        self._advice = _advice(config)
        self._now = now
        self._entered = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._entered.enter_async_context(self._session)
        if self._tokens is not None:
            await self._entered.enter_async_context(self._tokens)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._entered.aclose()

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
        token: AccessToken | None = None
        lost: dict[int, Exception] = {}

        def settle(place: int, outcome: Outcome) -> None:
            answer(place, [_hidden(outcome, token)] * len(requests[place]))

        def tell(place: int, said: Answer | Exception) -> None:
            if isinstance(said, Exception) and self._certificate is not None:
                lost[place] = said
            else:
                settle(place, self._outcome(said, token))

        try:
            token = await self._tokens.current() if self._tokens is not None else None
            await self._session.post_each([self._request(each, token) for each in requests], tell)
        except (TlsFilesError, TokenError) as error:
            for place in range(len(requests)):
                settle(place, self._outcome(error, token))
        except BaseException:
            for place, silence in lost.items():
                settle(place, self._outcome(silence, token))
            raise
        if lost and self._certificate is not None:
            first = next(iter(lost.values()))
            failure = await failure_of(first, self._session, self._certificate, _TRUST)
            for place in lost:
                settle(place, failure)

    def _request(
        self, deliveries: Sequence[Delivery], token: AccessToken | None
    ) -> tuple[bytes, dict[str, str]]:
        """The body and its headers; the same members give the same id, however often."""
        first = deliveries[0]
        if len(deliveries) == 1 and first.batch is None:
            body, message_id, kind = first.body, str(first.alert.id), CONTENT_TYPE
        else:
            body = batch_body(delivery.body for delivery in deliveries)
            message_id = str(batch_id(delivery.alert for delivery in deliveries))
            kind = BATCH_CONTENT_TYPE
        headers = {"Content-Type": kind, "webhook-id": message_id}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.text}"
        return body, headers | self._signer.headers(message_id, body, self._now())

    def _outcome(self, said: Answer | Exception, token: AccessToken | None) -> Outcome:
        match said:
            case TlsFilesError():
                return Closed(ChannelFault.CREDENTIALS, f"{said}; nothing was sent")
            case TokenError():
                return said.outcome
            case Exception():
                return outcome_of_failure(said, self._session.where, _TRUST)
        found = outcome_of(said, self._now(), self._advice)
        if token is None or self._tokens is None:
            return found
        if said.status == 401 and isinstance(found, Closed):
            return self._tokens.refused(token, found)
        token.taken = True
        return found


def _proxy(config: WebhookOptions) -> Proxy | None:
    if config.proxy is None:
        return None
    login = None
    if config.proxy_user is not None and config.proxy_password is not None:
        login = basic(config.proxy_user, config.proxy_password)
    return Proxy(config.proxy, login, TlsFiles(config.ca_file))


def _advice(config: WebhookOptions) -> str:
    """What to do when the receiver does not let us in."""
    names = [name for name in ("bearer_token", "password", "oauth2") if getattr(config, name)]
    if config.certificate_file is not None:
        names.append("certificate_file")
    compare = f"compare `{'`, `'.join(['secret', *names])}` with what the receiver has"
    return f"{compare}, and ask whether it lets us in"


def _hidden(outcome: Outcome, token: AccessToken | None) -> Outcome:
    """The same, without the token that the receiver may repeat."""
    if token is None:
        return outcome
    if isinstance(outcome, Delivered):
        return replace(outcome, receipt=token.hide(outcome.receipt))
    return replace(outcome, detail=token.hide(outcome.detail))
