"""Where the running router is asked, and how it knows who may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.config.configfile import OperationsOptions

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask it, not to listen


def address(operations: OperationsOptions) -> str | None:
    """The URL without a path; None where the port is whatever was free."""
    if operations.port == 0:
        return None
    host = _EVERYWHERE.get(operations.host, operations.host)
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{operations.port}"


def headers(operations: OperationsOptions) -> Mapping[str, str]:
    """What the router asks for where it has a token."""
    known = operations.token
    return {"Authorization": f"Bearer {known.get_secret_value()}"} if known else {}
