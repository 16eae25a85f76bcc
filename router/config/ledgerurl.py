"""What names a ledger in hubherald.yaml."""

from __future__ import annotations

from pathlib import Path

USUAL = "sqlite:///hubherald.db"
"""Where nothing is said; beside hubherald.yaml."""


def ledger_url(url: str, folder: Path) -> str:
    """The URL with its path below `folder` where it is relative. ValueError says what is wrong."""
    if url.startswith(("postgresql", "postgres:")):
        raise ValueError("PostgreSQL comes in a later version; use sqlite:///FILE")
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path == ":memory:" or "?" in path:
        raise ValueError("must be sqlite:///FILE, such as sqlite:///hubherald.db")
    if not path.isprintable():
        raise ValueError("must not hold control characters")
    return f"sqlite:///{folder / path}"
