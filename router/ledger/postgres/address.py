"""Where a PostgreSQL server is, and how it is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

CONNECT_SECONDS = 5
LOST_MILLISECONDS = 10_000
"""After which what was sent, and nobody says was received, is lost."""
_KEPT_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True)
class Address:
    """Of the database at an URL of libpq: postgresql://USER@HOST:PORT/DATABASE."""

    url: str
    password: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """As people call it: without what is not its place."""
        found = urlsplit(self.url)
        return f"postgresql://{found.netloc.rpartition('@')[2]}{found.path}"

    @property
    def database(self) -> str:
        """Its name on the server."""
        return unquote(urlsplit(self.url).path.removeprefix("/"))

    @property
    def options(self) -> dict[str, str]:
        """What stands behind the question mark."""
        return dict(parse_qsl(urlsplit(self.url).query))

    def parameters(self) -> dict[str, Any]:
        """What psycopg is told beside the URL."""
        found: dict[str, Any] = {
            "application_name": "hubherald",
            "client_encoding": "utf8",
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": LOST_MILLISECONDS,
            **_KEPT_ALIVE,
        }
        if self.password is not None:
            found["password"] = self.password
        if not self.is_local():
            found["sslmode"] = "verify-full"
            if "sslrootcert" not in self.options:
                found["sslrootcert"] = _trusted()
        return found

    def is_local(self) -> bool:
        """Whether nobody but this machine can listen in."""
        hosts = self.options.get("host", "") or urlsplit(self.url).netloc.rpartition("@")[2]
        return all(_is_local(host) for host in hosts.split(","))


def _is_local(host: str) -> bool:
    name = unquote(host)
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if not name or name.startswith("/") or name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _trusted() -> str:
    """The certificates that this machine trusts."""
    known = ssl.get_default_verify_paths().cafile
    return next((each for each in (known, *_BUNDLES) if each and Path(each).exists()), "system")
