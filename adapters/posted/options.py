"""What the source takes in hubherald.yaml: where it listens, and whom it lets in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from adapters.tls import TlsFiles
from router.ports import Options, Secret, Unfit, is_loopback

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})")


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[1]) > 65_535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9465")
    return text


class HttpSourceOptions(Options):
    """What facts by HTTP take in hubherald.yaml."""

    listen: Annotated[
        str,
        AfterValidator(_address),
        WithJsonSchema({"type": "string", "pattern": ".:[0-9]{1,5}$"}),
        Field(description="HOST:PORT; port 0 takes a free one"),
    ] = "127.0.0.1:9465"
    token: Annotated[
        Secret | None, Field(min_length=16, description="who sends must know it: as Bearer")
    ] = None
    certificate_file: Annotated[
        Path | None, Field(description="PEM; our certificate, with its issuers: then TLS is spoken")
    ] = None
    key_file: Annotated[Path | None, Field(description="PEM; its key; nobody else may read it")] = (
        None
    )
    client_ca_file: Annotated[
        Path | None, Field(description="PEM; who sends must show a certificate of these CAs")
    ] = None

    @property
    def host(self) -> str:
        """The address, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """0 takes a free one."""
        return int(self.listen.rpartition(":")[2])

    @property
    def files(self) -> TlsFiles:
        """Those of the connections; `ca_file` is whom senders have to be vouched for by."""
        return TlsFiles(self.client_ca_file, self.certificate_file, self.key_file)

    def unfit(self) -> Sequence[Unfit]:
        """What is wrong with the files now."""
        found = [Unfit(_named(each.option), each.why) for each in self.files.faults()]
        doubts = [Unfit(each.option, each.why, warning=True) for each in self.files.doubts()]
        return found or doubts

    @model_validator(mode="after")
    def _whom_it_lets_in(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("give both certificate_file and key_file, or neither")
        if self.client_ca_file is not None and self.certificate_file is None:
            raise ValueError("client_ca_file needs certificate_file and key_file beside it")
        if is_loopback(self.host):
            return self
        if self.certificate_file is None:
            raise ValueError(
                f"listen: {self.host} is not this machine alone: give certificate_file and"
                " key_file, as facts and tokens go over TLS, or listen on 127.0.0.1"
            )
        if self.token is None and self.client_ca_file is None:
            raise ValueError(
                f"listen: {self.host} is not this machine alone, and facts say who is told what:"
                " give token_file or client_ca_file, or listen on 127.0.0.1"
            )
        return self


def _named(option: str) -> str:
    return "client_ca_file" if option == "ca_file" else option
