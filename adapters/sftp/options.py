"""What an SFTP channel takes in service_users.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.dialling import reachable
from adapters.extras import missing
from adapters.sftp.keys import faults
from router.ports import Options, Unfit


def _host(text: str) -> str:
    if not text.isprintable() or any(sign in text for sign in "/@ ") or text.count(":") == 1:
        raise ValueError("must be the name of a host alone, such as files.example")
    reachable(f"sftp://[{text}]/" if ":" in text else f"sftp://{text}/")
    return text


def _folder(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be a path without control characters")
    return text.rstrip("/") or "/"


class SftpOptions(Options):
    """What an SFTP channel takes in service_users.yaml."""

    host: Annotated[str, AfterValidator(_host), Field(description="the SSH server")]
    port: Annotated[int, Field(ge=1, le=65_535, description="that of SSH")] = 22
    user: Annotated[str, Field(min_length=1, description="who we are there")]
    key_file: Annotated[Path, Field(description="our private key; nobody else may read it")]
    known_hosts_file: Annotated[
        Path,
        Field(description="the server's keys, as ssh-keyscan prints them; nothing else counts"),
    ]
    path: Annotated[
        str, AfterValidator(_folder), Field(description="the folder there; it must be there")
    ] = "."
    batch: Annotated[
        int, Field(ge=1, le=1000, description="the most Alerts in a file; 1: one in each")
    ] = 1

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return f"{self.host}:{self.port}"

    def unfit(self) -> Sequence[Unfit]:
        """What it can't work without."""
        if lacks := missing("asyncssh", "sftp"):
            return [Unfit("adapter", f"sftp {lacks}")]
        found = faults(self.key_file, self.known_hosts_file, self.host, self.port)
        return [Unfit(each.option, each.why) for each in found]
