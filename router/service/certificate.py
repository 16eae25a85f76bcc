"""The certificate of the operations port: a renewed one is shown from the next connection on."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import structlog

from router.errors import UsageError
from router.files.servercertificate import ServerPair, UnfitPairError, read_pair
from router.ports import Aside, silent

READ_S = 5.0
"""Seconds that the files have at the start, and once they have changed."""
LOOK_S = 1.0
"""Seconds for a look whether they have; a mount that is away must keep nobody out."""
_log = structlog.get_logger(__name__)
Stamp = tuple[tuple[int, int, int], ...]


class ServerCertificate:
    """Reads the files, and again when they have changed; what is of no use is told of."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        self._files = (certificate_file, key_file)
        self._thread = Aside("operations certificate")
        self._pair: ServerPair | None = None
        self._stamp: Stamp = ()

    @property
    def expires_at(self) -> datetime | None:
        """Until when the one that is shown holds."""
        return self._pair.expires_at if self._pair else None

    async def begin(self) -> None:
        """Read it for the first time. UsageError when that can't be done."""
        try:
            self._stamp, self._pair = await self._thread.within(READ_S, self._read)
        except UnfitPairError as error:
            raise UsageError(f"operations.{error}") from None
        except TimeoutError:
            said = silent(self._files[0], READ_S)
            raise UsageError(f"operations.certificate_file: {said}") from None

    async def context(self) -> ssl.SSLContext:
        """The newest that is of use."""
        with suppress(TimeoutError, OSError):
            stamp = await self._thread.within(LOOK_S, self._look)
            if stamp != self._stamp:
                await self._renew()
        assert self._pair is not None, "it has begun"
        return self._pair.context

    async def _renew(self) -> None:
        try:
            self._stamp, pair = await self._thread.within(READ_S, self._read)
        except UnfitPairError as error:
            self._stamp = await self._thread.within(LOOK_S, self._look)  # told once
            _log.warning(
                "operations.certificate", detail=str(error), advice="the last one serves on"
            )
        else:
            self._pair = pair
            _log.info("operations.certificate", expires_at=pair.expires_at.isoformat())

    def _read(self) -> tuple[Stamp, ServerPair]:
        stamp = self._look()
        return stamp, read_pair(*self._files)

    def _look(self) -> Stamp:
        found = (file.stat() for file in self._files if file.exists())
        return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)
