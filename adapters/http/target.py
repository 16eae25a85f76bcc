"""Where a channel POSTs to, and how its URL is asked for: byte for byte as it is written."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self
from urllib.parse import quote

from yarl import URL

_USUAL = {"User-Agent": "hubherald", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Target:
    """One URL, taken apart."""

    host: str
    """As it is looked up and as the certificate must have it."""
    port: int
    tls: bool
    authority: str
    """For the header `Host`: the port only where it is not the usual one."""
    path: str
    """With the query. Signed URLs are worth nothing once something in them is written otherwise."""
    head: str = field(repr=False)
    """How each request begins, with the headers that all of them have; some may be secret."""

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str] = MappingProxyType({})) -> Self:
        """The parts of a URL that was found to be right; `headers` go with every request."""
        parts = URL(url)  # which writes names of hosts as DNS has them
        rest = re.split(r"(?=[/?#])", url.partition("://")[2], maxsplit=1)
        path = rest[1].partition("#")[0] if len(rest) > 1 else ""
        path = quote(path if path.startswith("/") else f"/{path}", safe=string.punctuation)
        authority = parts.host_port_subcomponent or ""
        every = {"Host": authority, **_USUAL}
        given = {name.lower() for name in headers}
        every = {name: value for name, value in every.items() if name.lower() not in given}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**every, **headers}.items())
        return cls(
            host=(parts.raw_host or "").rstrip("."),
            port=parts.port or 443,
            tls=parts.scheme == "https",
            authority=authority,
            path=path,
            head=f"POST {path} HTTP/1.1\r\n{lines}",
        )

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return f"{self.host}:{self.port}"

    def request(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """All of a POST."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        length = f"Content-Length: {len(body)}\r\n"
        return f"{self.head}{length}{lines}\r\n".encode("ascii") + body
