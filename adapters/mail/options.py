"""What a mail channel takes in service_users.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from adapters.dialling import reachable
from adapters.extras import missing
from adapters.tls import CrlFile, TlsFiles
from router.ports import Options, Secret, Unfit, is_loopback


class Encryption(StrEnum):
    """How a connection gets its TLS."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


PORTS = {Encryption.STARTTLS: 587, Encryption.IMPLICIT: 465, Encryption.NONE: 25}


def _host(text: str) -> str:
    if not text.isprintable() or any(sign in text for sign in "/@ ") or text.count(":") == 1:
        raise ValueError("must be the name of a host alone, such as mail.example")
    reachable(f"smtp://[{text}]/" if ":" in text else f"smtp://{text}/")
    return text


def _address(text: str) -> str:
    try:
        found = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        found = Address()
    if not (found.username and found.domain and text.isascii() and text.isprintable()):
        raise ValueError("must be a bare mail address such as alerts@acme.example, in ASCII")
    return text


MailAddress = Annotated[str, AfterValidator(_address)]
"""`alerts@acme.example`, without a name beside it."""


class MailOptions(Options):
    """What a mail channel takes in service_users.yaml."""

    host: Annotated[str, AfterValidator(_host), Field(description="the mail server")]
    port: Annotated[
        int | None, Field(ge=1, le=65_535, description="none: 587, 465 or 25, as `tls` says")
    ] = None
    tls: Annotated[
        Encryption,
        Field(description="from the first byte (implicit), by STARTTLS, or to this machine none"),
    ] = Encryption.STARTTLS
    user: Annotated[str | None, Field(min_length=1, description="who we are there")] = None
    password: Annotated[Secret | None, Field(description="that of `user`")] = None
    sender: Annotated[MailAddress, Field(description="the address that it comes from")]
    recipients: Annotated[
        tuple[MailAddress, ...], Field(min_length=1, max_length=20, description="all get each")
    ]
    batch: Annotated[
        int, Field(ge=1, le=1000, description="the most Alerts in a message; 1: one in each")
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
        """What it can't work without."""
        found = [Unfit(each.option, each.why) for each in self.files.faults()]
        lacks = missing("aiosmtplib", "mail")
        return [Unfit("adapter", f"mail {lacks}"), *found] if lacks else found

    @model_validator(mode="after")
    def _in_private(self) -> Self:
        if self.tls is Encryption.NONE and not is_loopback(self.host):
            raise ValueError(f"tls: none is for this machine alone, which {self.host!r} is not")
        if (self.user is None) != (self.password is None):
            raise ValueError("give both user and password, or neither")
        return self
