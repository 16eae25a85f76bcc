"""OAuth 2: a token of the receiver's authority, for our client credentials (RFC 6749, 4.4).

One is fetched at a time, whoever wants it; it is renewed before it ends, and when the receiver
takes it no more. It is a secret that the core does not know: nothing that is told may hold it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Self
from urllib.parse import quote_plus, urlencode

from pydantic import AfterValidator, Field, SecretStr

from adapters.dialling import reachable
from adapters.http.answer import Answer, outcome_of, outcome_of_failure
from adapters.http.proxy import Proxy
from adapters.http.session import NO_ANSWER, HttpSession
from adapters.tls import TlsFiles, TlsFilesError
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    HttpUrl,
    Options,
    Reason,
    Retry,
    Secret,
    in_one_line,
    redactor,
)

MOST_ANSWER = 65_536
"""Bytes; signed tokens with many claims have some thousand."""
EARLY_S = 60.0
"""Seconds before its end in which a token is renewed; a tenth of its time where that is less."""
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_TOKEN = re.compile(r"[\x21-\x7e]+")
_ADVICE = "correct `oauth2`, or ask whoever keeps the token server"
_TRUST = "have the certificate put right, or set `ca_file`"


class OAuth2Options(Options):
    """Where tokens come from, and who we are there."""

    token_url: Annotated[
        HttpUrl, AfterValidator(reachable), Field(description="the token server; https")
    ]
    client_id: Annotated[str, Field(min_length=1, description="who we are there")]
    client_secret: Annotated[Secret, Field(description="what proves it")]
    scope: Annotated[str | None, Field(description="what the token is to be good for")] = None
    audience: Annotated[str | None, Field(description="for whom, where the server asks")] = None


@dataclass(slots=True)
class AccessToken:
    """One access token."""

    text: str = field(repr=False)
    renew_at: float
    """On the clock of the tokens; infinite where the server names no end."""
    ends_at: float
    hide: Callable[[str], str] = field(repr=False)
    """A text without it."""
    taken: bool = False
    """The receiver has let us in with it."""


class TokenError(Exception):
    """There is no token now."""

    def __init__(self, outcome: Retry | Closed) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class Tokens:
    """Those of one channel."""

    def __init__(
        self,
        options: OAuth2Options,
        files: TlsFiles,
        proxy: Proxy | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        login = _login(options.client_id, options.client_secret)
        self._session = HttpSession(
            options.token_url,
            files,
            headers={**_FORM, "Authorization": login},
            proxy=proxy,
            most_body=MOST_ANSWER,
        )
        asked = {"scope": options.scope, "audience": options.audience}
        form = {name: value for name, value in asked.items() if value is not None}
        self._body = urlencode({"grant_type": "client_credentials", **form}).encode()
        self._clock = clock
        self._token: AccessToken | None = None
        self._fetching = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__()

    async def current(self) -> AccessToken:
        """One that is good. TokenError when there is none to be had."""
        async with self._fetching:
            if self._token is None or self._clock() >= self._token.renew_at:
                try:
                    self._token = await self._fetch()
                except TokenError:
                    if self._token is None or self._clock() >= self._token.ends_at:
                        raise
            return self._token

    def refused(self, token: AccessToken, said: Closed) -> Retry | Closed:
        """What it means that the receiver does not let us in with a token."""
        if self._token is token:
            self._token = None
        if not token.taken:  # a new one: another would fare no better
            return said
        why = "the receiver takes our token no more; the next try has a new one"
        return Retry(Reason.BUSY, f"{why} ({said.detail.partition(';')[0]})")

    async def _fetch(self) -> AccessToken:
        where = f"token server {self._session.where}"
        try:
            answer = await self._session.post(self._body, {})
        except TlsFilesError as error:
            raise TokenError(Closed(ChannelFault.CREDENTIALS, str(error))) from None
        except NO_ANSWER as error:
            raise TokenError(outcome_of_failure(error, where, _TRUST)) from None
        if answer.status // 100 == 2:
            return self._token_of(answer, where)
        raise TokenError(_no_token(answer, where))

    def _token_of(self, answer: Answer, where: str) -> AccessToken:
        said = _read(answer)
        text, kind = said.get("access_token"), said.get("token_type", "bearer")
        if not isinstance(text, str) or not _TOKEN.fullmatch(text):
            raise TokenError(_closed(f"{where} answered {answer.status} without an access_token"))
        if str(kind).lower() != "bearer":
            raise TokenError(_closed(f"{where} gives tokens of another kind than Bearer"))
        lasts = said.get("expires_in")
        try:
            seconds = float(str(lasts)) if lasts is not None else float("inf")
        except ValueError:
            seconds = float("inf")
        ends = self._clock() + max(seconds, 0.0)
        hide = redactor(SecretStr(text))
        return AccessToken(text, ends - min(EARLY_S, seconds / 10), ends, hide)


def basic(user: str, password: SecretStr) -> str:
    """What `Authorization` says with a user and a password (RFC 7617)."""
    pair = f"{user}:{password.get_secret_value()}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _login(client_id: str, secret: SecretStr) -> str:
    """The same with both written as in a form, as RFC 6749 (2.3.1) wants it."""
    return basic(quote_plus(client_id), SecretStr(quote_plus(secret.get_secret_value())))


def _read(answer: Answer) -> dict[str, object]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _no_token(answer: Answer, where: str) -> Retry | Closed:
    """What it means that a token server gives none."""
    found = outcome_of(answer, datetime.now(UTC), _ADVICE)
    if isinstance(found, Retry):
        return replace(found, detail=f"{where} {found.detail}")
    error = _read(answer).get("error")
    said = f": {in_one_line(str(error), 60)}" if error else ""
    assert not isinstance(found, Delivered) or answer.status == 409
    return _closed(f"{where} gives no token: it answered {answer.status}{said}")


def _closed(what: str) -> Closed:
    return Closed(ChannelFault.CREDENTIALS, f"{what}; {_ADVICE}")
