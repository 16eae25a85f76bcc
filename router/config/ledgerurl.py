"""What names a ledger in hubherald.yaml."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

FILE = "sqlite:///"
SERVER = "postgresql://"
USUAL = "sqlite:///hubherald.db"
"""Where nothing is said; beside hubherald.yaml."""
TAKEN = ("host", "sslcert", "sslkey", "sslrootcert", "target_session_attrs")
"""What may stand behind the question mark of a server's URL."""
_FORMS = "sqlite:///FILE, such as sqlite:///hubherald.db, or postgresql://USER@HOST/DATABASE"


def ledger_url(url: str, folder: Path) -> str:
    """The URL with its path below `folder` where it is relative. ValueError says what is wrong."""
    if not url.isprintable():
        raise ValueError("must not hold control characters")
    if url.startswith(("postgres:", "postgresql+", "postgresql:")):
        return _server(url)
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path == ":memory:" or "?" in path:
        raise ValueError(f"must be {_FORMS}")
    return f"sqlite:///{folder / path}"


def ledger_file(url: str) -> Path | None:
    """The file of SQLite; None where the ledger is on a server."""
    return Path(url.removeprefix(FILE)) if url.startswith(FILE) else None


def _server(url: str) -> str:
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    if ":" in user:
        raise ValueError(
            "must not hold a password: URLs are logged; set `password_file` (or `password`) beside"
            " it"
        )
    if not url.startswith(SERVER) or " " in url or parts.fragment:
        raise ValueError(f"must be {_FORMS}")
    if not parts.path.strip("/") or parts.path.count("/") > 1:
        raise ValueError("must name one database: postgresql://USER@HOST/DATABASE")
    wrong = [
        name for name, _ in parse_qsl(parts.query, keep_blank_values=True) if name not in TAKEN
    ]
    if wrong:
        raise ValueError(f"must not hold `{wrong[0]}`; behind the ? may stand {', '.join(TAKEN)}")
    for host in hosts.split(","):
        port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host else ""
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError("must have a port of 1 to 65535, or none for 5432")
    return url
