"""Where the running router is asked, and how it knows who may ask."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from router.errors import UsageError

if TYPE_CHECKING:
    import aiohttp

    from router.config.configfile import OperationsOptions

LINGER = 0.1
"""Seconds for the end of TLS, which comes after that of a session of aiohttp."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to ask it, not to listen


def address(operations: OperationsOptions) -> str | None:
    """The URL without a path; None where the port is whatever was free."""
    if operations.port == 0:
        return None
    host = _EVERYWHERE.get(operations.host, operations.host)
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if operations.certificate_file else "http"
    return f"{scheme}://{host}:{operations.port}"


def trust(operations: OperationsOptions) -> ssl.SSLContext | bool:
    """Of TLS: the router's own certificate and no other, whatever name it is asked by.

    UsageError when that can't be read.
    """
    if operations.certificate_file is None:
        return True
    try:
        context = ssl.create_default_context(cafile=str(operations.certificate_file))
    except OSError as error:
        why = error.strerror or "it holds no certificate"
        raise UsageError(
            f"operations.certificate_file {operations.certificate_file} can't be used: {why}"
        ) from None
    context.check_hostname = False  # the file says who it is
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


@asynccontextmanager
async def asking(
    operations: OperationsOptions, seconds: float, more: Mapping[str, str] | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    """Who asks it, with `more` headers, and gives up after so many seconds."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust(operations)),
        timeout=aiohttp.ClientTimeout(total=seconds),
        headers={**headers(operations), **(more or {})},
    ) as session:
        yield session
    if operations.certificate_file is not None:
        await asyncio.sleep(LINGER)


def headers(operations: OperationsOptions) -> Mapping[str, str]:
    """What the router asks for where it has a token."""
    known = operations.token
    return {"Authorization": f"Bearer {known.get_secret_value()}"} if known else {}
