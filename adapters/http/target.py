"""Where a channel POSTs to, and how its URL is asked for: byte for byte as it is written."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from yarl import URL


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

    @classmethod
    def of(cls, url: str) -> Self:
        """The parts of a URL that was found to be right."""
        parts = URL(url)  # which writes names of hosts as DNS has them
        rest = re.split(r"(?=[/?#])", url.partition("://")[2], maxsplit=1)
        path = rest[1].partition("#")[0] if len(rest) > 1 else ""
        return cls(
            host=(parts.raw_host or "").rstrip("."),
            port=parts.port or 443,
            tls=parts.scheme == "https",
            authority=parts.host_port_subcomponent or "",
            path=quote(path if path.startswith("/") else f"/{path}", safe=string.punctuation),
        )

    @property
    def where(self) -> str:
        """The server, for people: `host:port`."""
        return f"{self.host}:{self.port}"

    def request(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """All of a POST."""
        every = {
            "Host": self.authority,
            "User-Agent": "hubherald",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Content-Length": str(len(body)),
            **headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in every.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body
