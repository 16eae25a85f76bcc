"""hubherald.yaml as operators write it: its keys, and what may stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from router.config.ledgerurl import USUAL, ledger_url
from router.domain.acceptance import Acceptance, CheckDigits
from router.domain.identifiers import UserId, Word, text_only
from router.domain.timestamps import duration
from router.files.newfiles import Access
from router.ports import Options, Originator, Secret
from router.ports.options import is_loopback


def _ledger_url(url: str, info: ValidationInfo) -> str:
    folder = info.context.get("folder") if isinstance(info.context, Mapping) else None
    return ledger_url(url, Path(folder or "."))


_NAMED: JsonDict = {"minLength": 1}


def _named(path: object) -> object:
    if path == "":
        raise ValueError("must not be empty")
    return path


def _address(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    if not host.strip("[]") or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9464")
    return listen


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    return duration(text_only(value))


_USUAL = Acceptance()


class LedgerOptions(Options):
    """Where facts, decisions and Alerts are kept."""

    # also the one that stands for a missing `ledger:` learns in which folder it is
    model_config = ConfigDict(revalidate_instances="always")

    url: Annotated[
        str,
        AfterValidator(_ledger_url),
        WithJsonSchema(
            {"type": "string", "pattern": "^(sqlite:///.|postgresql://([^:@/]*@)?[^@/]*/[^/]+$)"}
        ),
        Field(
            description="sqlite:///FILE, where a relative FILE lies beside this file; or"
            " postgresql://USER@HOST/DATABASE"
        ),
    ] = USUAL
    password: Annotated[Secret | None, Field(description="of the user on a PostgreSQL server")] = (
        None
    )
    access: Annotated[
        Access, Field(description="who may open its files: owner, or its group too")
    ] = Access.OWNER

    @property
    def secret(self) -> str | None:
        """The password as a server is told it."""
        return self.password.get_secret_value() if self.password is not None else None


class DccOptions(Options):
    """Who the Alerts come from."""

    id: Annotated[UserId, Field(description="EUI-64 of the DCC (its test identity ends in 02)")]
    signing_key_file: Annotated[
        Path | None, Field(description="private key of the DCC, closed to others")
    ] = None
    signing_certificate_file: Annotated[
        Path | None, Field(description="the certificate of that key")
    ] = None

    @property
    def originator(self) -> Originator:
        """What adapters may know of it."""
        return Originator(self.id, self.signing_key_file, self.signing_certificate_file)


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?", name):
        raise ValueError("must be the name of a host without port, such as alerts.example.com")
    return name


HostName = Annotated[
    str,
    AfterValidator(_host_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,254}$"}),
]


class OperationsOptions(Options):
    """The endpoint for metrics and health, and what proves the ledger from outside."""

    listen: Annotated[
        str,
        AfterValidator(_address),
        WithJsonSchema({"type": "string", "pattern": ".:[0-9]{1,5}$"}),
        Field(description="HOST:PORT; port 0 takes a free one"),
    ] = "127.0.0.1:9464"
    token: Annotated[
        Secret | None,
        Field(
            min_length=16,
            description="who asks must know it: as Bearer, or as the password of any user",
        ),
    ] = None
    certificate_file: Annotated[
        Path | None,
        BeforeValidator(_named),
        Field(description="served over TLS with this certificate, PEM; needed beyond this machine"),
    ] = None
    key_file: Annotated[
        Path | None, BeforeValidator(_named), Field(description="its key, closed to others")
    ] = None
    hosts: Annotated[
        tuple[HostName, ...],
        Field(max_length=20, description="names that it is asked by, such as that of a proxy"),
    ] = ()
    heads: Annotated[
        Path | None,
        BeforeValidator(_named),
        Field(description="folder, best elsewhere, for what `ledger verify --head` takes"),
    ] = None

    @property
    def missing(self) -> Sequence[str]:
        """What it takes to serve others than this machine, and is not given."""
        if is_loopback(self.host):
            return [] if bool(self.certificate_file) is bool(self.key_file) else [self._half()]
        given = {
            "token_file": self.token,
            "certificate_file": self.certificate_file,
            "key_file": self.key_file,
        }
        return [name for name, value in given.items() if value is None]

    def _half(self) -> str:
        return "certificate_file" if self.certificate_file is None else "key_file"

    @property
    def host(self) -> str:
        """The address, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[smhd]$"}),
]
"""A span of time, such as `10m` or `24h`."""


class FactsOptions(Options):
    """How strictly facts are taken."""

    clock_tolerance: Annotated[
        Duration,
        Field(description="how far ahead of our clock a fact's time may lie, such as 10m"),
    ] = _USUAL.clock_tolerance
    await_registration: Annotated[
        Duration,
        Field(description="how long an activation waits for its hub's first registration"),
    ] = _USUAL.await_registration
    check_digits: Annotated[
        CheckDigits,
        Field(description="of meter point numbers that do not check: take and tell, or refuse"),
    ] = _USUAL.check_digits

    @property
    def acceptance(self) -> Acceptance:
        """The same as a value of the domain."""
        return Acceptance(self.clock_tolerance, self.await_registration, self.check_digits)


class ConfigFile(Options):
    """The whole of hubherald.yaml."""

    sources: Annotated[
        dict[Word, dict[str, Any]],
        Field(min_length=1, description="where facts come from: a name, and its adapter's options"),
    ]
    rules: Annotated[
        Path,
        BeforeValidator(_named),
        Field(description="folder of the rules", json_schema_extra=_NAMED),
    ] = Path("rules")
    service_users: Annotated[
        Path,
        BeforeValidator(_named),
        Field(description="file of the Service Users", json_schema_extra=_NAMED),
    ] = Path("service_users.yaml")
    ledger: LedgerOptions = LedgerOptions()
    dcc: DccOptions
    operations: OperationsOptions = OperationsOptions()
    facts: FactsOptions = FactsOptions()
    watch: Annotated[bool, Field(description="reload when rules or users change")] = False
