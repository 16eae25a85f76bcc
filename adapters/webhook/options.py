"""What a webhook takes in service_users.yaml: where to POST, how to sign, and who we are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from yarl import URL

from adapters.dialling import reachable
from adapters.tls import CrlFile, TlsFiles
from adapters.webhook.signing import SigningSecret
from adapters.webhook.tokens import OAuth2Options, basic
from router.ports import HttpUrl, Options, Secret, Unfit, is_loopback

OURS = {
    *("connection", "content-length", "content-type", "expect", "host", "keep-alive", "te"),
    *("proxy-authorization", "proxy-connection", "trailer", "transfer-encoding", "upgrade"),
}
"""Headers that say how a request is sent; beside them those that begin with `webhook-`."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PROXY = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?/?")


def _in_a_header(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("must be one line of ASCII, without spaces around it, to go in a header")
    return secret


def _sendable(headers: dict[str, HeaderSecret]) -> dict[str, HeaderSecret]:
    names = [name.lower() for name in headers]
    if any(not _NAME.fullmatch(name) for name in names):
        raise ValueError("a name of a header has letters, digits and `-` alone")
    if taken := sorted({name for name in names if name in OURS or name.startswith("webhook-")}):
        raise ValueError(f"{' and '.join(taken)}: we set this header ourselves; leave it out")
    if len(set(names)) < len(names):
        raise ValueError("a header stands here twice: upper and lower case are the same")
    return headers


def _a_proxy(url: str) -> str:
    if not _PROXY.fullmatch(url):
        raise ValueError("must be http://host:port or https://host:port, without a user or path")
    return reachable(url)


HeaderSecret = Annotated[Secret, AfterValidator(_in_a_header)]
"""A value that nobody may see and that can stand in a header."""


class WebhookOptions(Options):
    """What a webhook takes in service_users.yaml."""

    url: Annotated[
        HttpUrl,
        AfterValidator(reachable),
        Field(description="where to POST; https, or http to this machine"),
    ]
    secret: Annotated[
        SigningSecret | None,
        Field(description="whsec_...: signs as Standard Webhooks; whsk_...: with Ed25519"),
    ] = None
    previous_secret: Annotated[
        SigningSecret | None,
        Field(description="signs too, while the receiver changes over to a new `secret`"),
    ] = None
    bearer_token: Annotated[
        HeaderSecret | None, Field(description="who we are: `Authorization: Bearer ...`")
    ] = None
    user: Annotated[
        str | None,
        Field(min_length=1, pattern="^[^:]*$", description="who we are, with a `password`"),
    ] = None
    password: Annotated[Secret | None, Field(description="that of `user`")] = None
    oauth2: Annotated[
        OAuth2Options | None,
        Field(description="tokens: token_url, client_id, client_secret, scope, audience"),
    ] = None
    headers: Annotated[
        dict[str, HeaderSecret],
        AfterValidator(_sendable),
        Field(
            default_factory=dict,
            description="more of them, by name; `X-Key_file: path` takes one from a file",
        ),
    ]
    batch: Annotated[
        int, Field(ge=1, le=1000, description="the most Alerts in a request; 1: no batches")
    ] = 1
    certificate_file: Annotated[
        Path | None, Field(description="PEM; our certificate, where the receiver asks for one")
    ] = None
    key_file: Annotated[Path | None, Field(description="PEM; its key; nobody else may read it")] = (
        None
    )
    ca_file: Annotated[
        Path | None, Field(description="PEM certificates to trust instead of the system's")
    ] = None
    crl_file: CrlFile = None
    proxy: Annotated[
        Annotated[str, AfterValidator(_a_proxy)] | None,
        Field(description="http://host:port or https://host:port; the way to `url`"),
    ] = None
    proxy_user: Annotated[str | None, Field(min_length=1, description="who we are there")] = None
    proxy_password: Annotated[Secret | None, Field(description="that of `proxy_user`")] = None

    @property
    def files(self) -> TlsFiles:
        """Those of the connection."""
        return TlsFiles(self.ca_file, self.certificate_file, self.key_file, self.crl_file)

    def unfit(self) -> Sequence[Unfit]:
        """What is wrong with the files now."""
        found = [Unfit(each.option, each.why) for each in self.files.faults()]
        doubts = [Unfit(each.option, each.why, warning=True) for each in self.files.doubts()]
        return found or doubts

    def fixed_headers(self) -> dict[str, str]:
        """What every request has."""
        found = {name: value.get_secret_value() for name, value in self.headers.items()}
        if self.bearer_token is not None:
            found["Authorization"] = f"Bearer {self.bearer_token.get_secret_value()}"
        if self.user is not None and self.password is not None:
            found["Authorization"] = basic(self.user, self.password)
        return found

    @model_validator(mode="after")
    def _in_turn(self) -> Self:
        if self.previous_secret is not None and self.secret is None:
            raise ValueError("previous_secret needs a secret beside it")
        return self

    @model_validator(mode="after")
    def _who_we_are(self) -> Self:
        for one, other in (("user", "password"), ("certificate_file", "key_file")):
            _together(self, one, other)
        given = [name for name in ("bearer_token", "user", "oauth2") if getattr(self, name)]
        given += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(given) > 1:
            raise ValueError(f"give {' or '.join(given)}, not both: one header says who we are")
        if self.certificate_file is not None and not _encrypted(self.url):
            raise ValueError("certificate_file needs https in `url`: it is shown over TLS alone")
        return self

    @model_validator(mode="after")
    def _by_proxy(self) -> Self:
        _together(self, "proxy_user", "proxy_password")
        if self.proxy is None and self.proxy_user is not None:
            raise ValueError("proxy_user needs a proxy beside it")
        if self.proxy is not None and not _encrypted(self.url):
            raise ValueError("a proxy needs https in `url`; plain http goes to this machine alone")
        if self.proxy is not None and self.proxy_user is not None:
            host = URL(self.proxy).host or ""
            if not (_encrypted(self.proxy) or is_loopback(host)):
                raise ValueError("a password goes to a proxy by https alone; correct `proxy`")
        return self


def _together(options: WebhookOptions, one: str, other: str) -> None:
    if (getattr(options, one) is None) != (getattr(options, other) is None):
        raise ValueError(f"give both {one} and {other}, or neither")


def _encrypted(url: str) -> bool:
    return url[:6].lower() == "https:"
