"""Alerts in DUIS by HTTP POST over mutual TLS, one signed document in each request.

The relay repeats, spaces and limits; here is one try. Nothing is sent to a server that can't prove
who it is, nor without a certificate of ours that we would accept ourselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from adapters.dialling import reachable
from adapters.duis import rendering
from adapters.duis.rendering import RENEWAL, Renderer
from adapters.http.answer import Answer, outcome_of
from adapters.http.handshake import HUNG_UP, failure_of, meaning_of, unwanted
from adapters.http.session import NO_ANSWER, HttpSession, HungUpError
from adapters.tls import CrlFile, TlsFiles, TlsFilesError, expiry
from router.ports import (
    Adapter,
    Alert,
    Certificate,
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    HttpUrl,
    Options,
    Originator,
    Outcome,
    Recipient,
    Unfit,
)

CONTENT_TYPE = "application/xml"


def _mutual(url: str) -> str:
    if url[:6].lower() != "https:":
        raise ValueError("must be https://...: DUIS goes over mutual TLS, also on this machine")
    return url


class DuisOptions(Options):
    """What a DUIS channel takes in service_users.yaml."""

    url: Annotated[
        HttpUrl,
        AfterValidator(reachable),
        AfterValidator(_mutual),
        Field(description="https; the user's Receive Response Service"),
    ]
    certificate_file: Annotated[
        Path, Field(description="PEM; our client certificate, with its issuers if they are asked")
    ]
    key_file: Annotated[Path, Field(description="PEM; its key; nobody else may read it")]
    ca_file: Annotated[Path, Field(description="PEM; the CAs that vouch for the receiver")]
    crl_file: CrlFile = None

    @property
    def files(self) -> TlsFiles:
        """Those of the connection."""
        return TlsFiles(self.ca_file, self.certificate_file, self.key_file, self.crl_file)

    def unfit(self) -> Sequence[Unfit]:
        """What is wrong with the files now, or will be soon."""
        if found := self.files.faults():
            return [Unfit(each.option, each.why) for each in found]
        warnings = [(each.option, each.why) for each in self.files.doubts()]
        ends = expiry(self.certificate_file)
        if ends <= datetime.now(UTC) + RENEWAL:
            file = self.certificate_file
            why = f"{file} expires on {ends:%Y-%m-%d}; renew it, and its key, before"
            warnings.append(("certificate_file", why))
        return [Unfit(option, why, warning=True) for option, why in warnings]


class DuisAdapter(Adapter[DuisOptions]):
    """POSTs each Alert as a signed DUIS document, over mutual TLS."""

    Config = DuisOptions
    batch: int = 1

    def __init__(
        self, config: DuisOptions, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._options = config
        self._session = HttpSession(config.url, config.files)
        self._now = now
        self._renderer: Renderer | None = None

    @classmethod
    def unfit_originator(cls, originator: Originator) -> Sequence[Unfit]:
        """What is wrong with the DCC's key and certificate."""
        return rendering.unfit_originator(originator)

    @classmethod
    def unfit_recipient(cls, recipient: Recipient) -> Sequence[Unfit]:
        """What is missing of the user."""
        return rendering.unfit_recipient(recipient)

    def introduce(self, originator: Originator, recipient: Recipient) -> None:
        """Who signs, and what the user's software can read."""
        self._renderer = Renderer(originator, recipient, self._now)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__()

    def render(self, alert: Alert) -> bytes:
        """The signed document; made once, as signatures are random."""
        assert self._renderer is not None, "introduced before use"
        return self._renderer.render(alert)

    def certificates(self) -> Sequence[Certificate]:
        """That of the signature and that of the connection, as far as they can be read."""
        found = list(self._renderer.certificates()) if self._renderer is not None else []
        try:
            return [*found, Certificate("client", expiry(self._options.certificate_file))]
        except TlsFilesError:
            return found

    def peer(self) -> Certificate | None:
        """The receiver's."""
        return self._session.peer

    async def probe(self) -> Outcome:
        """A handshake, and nothing after it: no DUIS document says that it is a test."""
        try:
            await self._session.shake_hands()
        except TlsFilesError as error:
            return Closed(ChannelFault.CREDENTIALS, f"{error}; nothing was sent")
        except HungUpError:
            return unwanted(self._session.where, self._options.certificate_file, HUNG_UP)
        except NO_ANSWER as error:
            file = self._options.certificate_file
            return meaning_of(error, self._session, file, self._trust)
        where = self._session.where
        return Delivered(f"by TLS handshake alone: {where} took our certificate; nothing was sent")

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        (delivery,) = deliveries
        return [await self._post(delivery.body)]

    async def _post(self, body: bytes) -> Outcome:
        try:
            answer = await self._session.post(body, {"Content-Type": CONTENT_TYPE})
        except TlsFilesError as error:
            return Closed(ChannelFault.CREDENTIALS, f"{error}; nothing was sent")
        except NO_ANSWER as error:
            file = self._options.certificate_file
            return await failure_of(error, self._session, file, self._trust)
        return self._meaning(answer)

    @property
    def _trust(self) -> str:
        return f"have the certificate put right, or correct `ca_file` ({self._options.ca_file})"

    def _meaning(self, answer: Answer) -> Outcome:
        advice = f"ask the receiver whether it lets in {self._options.certificate_file}"
        return outcome_of(answer, self._now(), advice)
