"""The ends of the chains, written at intervals beside the ledger and to where it can't be reached.

Against what lies elsewhere a ledger is verified (`hubherald ledger verify --head`); by what lies
beside it a router that starts knows an older state of it, put back by whatever means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client import Gauge

from router.clock import Clock
from router.domain.timestamps import moment
from router.errors import UsageError
from router.files.newfiles import Access, make_folder, put_in_place
from router.ledger.database import LedgerUnavailable
from router.ledger.proof.heads import ChainEnd, Ends, as_text, ends_aside, read_head
from router.ledger.sqlitefile import SqliteFile
from router.ledger.store import LedgerGone
from router.ledger.thread import LedgerThread
from router.ports import Aside
from router.ports.aside import silent

INTERVAL = 60.0
"""Seconds from one head to the next."""
PATIENCE = 10.0
"""Seconds in which a folder has to take it."""
AT_THE_END = 2.0
"""The same, when the router ends."""
LOOKED_AT = 31
"""The last heads of a folder by name, among which is the newest."""
_log = structlog.get_logger(__name__)


@dataclass
class HeadPlace:
    """Where heads are kept."""

    name: str
    """`ledger`: beside it; `folder`: in `operations.heads`."""
    folder: Path
    file: str | None
    """Its name; None: one a day, named after it."""
    thread: Aside = field(default_factory=lambda: Aside("heads"))
    trouble: str | None = None

    def of(self, now: datetime) -> Path:
        """The file for a head of now."""
        return self.folder / (self.file or f"head-{now:%Y-%m-%d}.json")

    def newest(self) -> Ends | None:
        """What was written last; None where nothing was. UsageError for what is no head."""
        if self.file is not None:
            own = self.folder / self.file
            return read_head(own) if own.exists() else None
        files = sorted(self.folder.glob("head-????-??-??.json"))[-LOOKED_AT:]
        # the last by name may be of a clock that ran ahead: what lies behind it counts, too
        heads = [read_head(file) for file in files[-1:]]
        for file in files[:-1]:
            with suppress(UsageError):
                heads.append(read_head(file))
        return max(heads, key=_written, default=None)


def _written(head: Ends) -> datetime:
    """When the last of its links was."""
    return max((each.at for each in head), default=moment(0))


def beside(ledger: Path) -> Path:
    """The head beside a ledger; what a shell takes for `hubherald.db*` is not its name."""
    return ledger.with_name(f"head-of-{ledger.name}.json")


class HeadKeeper:
    """Writes heads; that one can't be written is told, and stops nothing."""

    def __init__(
        self,
        ledger: LedgerThread,
        clock: Clock,
        written: Gauge,
        *,
        access: Access,
        folder: Path | None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._written = written
        self._access = access
        self._places = []
        if isinstance(ledger.database.store, SqliteFile):  # beside a server there is no place
            own = beside(Path(ledger.database.name))
            self._places.append(HeadPlace("ledger", own.parent, own.name))
        if folder is not None:
            self._places.append(HeadPlace("folder", folder, None))

    async def known(self) -> list[Ends]:
        """The newest head of each place. What can't be read is told, and proves nothing."""
        found = []
        for place in self._places:
            try:
                newest = await place.thread.within(PATIENCE, place.newest)
            except (UsageError, TimeoutError, OSError) as error:
                advice = "whether this ledger is an older state of it can't be told by this one"
                _log.warning("ledger.head_not_read", detail=str(error), advice=advice)
            else:
                found += [newest] if newest else []
        return found

    async def run(self) -> None:
        """Write a head now and at each interval, until cancelled."""
        for place in self._places:
            self._written.labels(place.name).set(self._clock().timestamp())
        while True:
            await self.keep()
            await asyncio.sleep(INTERVAL)

    async def keep(self, patience: float = PATIENCE) -> None:
        """Write a head once; no place has more than so many seconds."""
        with suppress(LedgerUnavailable, LedgerGone):  # which others tell
            ends = await self._ledger.call(ends_aside)
            await asyncio.gather(*(self._keep(place, ends, patience) for place in self._places))

    async def _keep(self, place: HeadPlace, ends: Sequence[ChainEnd], patience: float) -> None:
        now = self._clock()
        file, content = place.of(now), as_text(ends).encode()
        put = _put if place.file is None else put_in_place  # a ledger's own folder is never made
        try:
            await place.thread.within(patience, put, file, content, self._access)
        except (OSError, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            why = silent(file, patience) if late else f"{file}: {error.strerror}"
            if why != place.trouble:
                advice = (
                    "proof and the recognition of an older ledger rest on it; the router goes on"
                )
                _log.warning("ledger.head_not_written", detail=why, advice=advice)
            place.trouble = why
        else:
            if place.trouble is not None:
                _log.info("ledger.head_written", file=str(file))
            place.trouble = None
            self._written.labels(place.name).set(now.timestamp())


def _put(file: Path, content: bytes, access: Access) -> None:
    make_folder(file.parent, access)
    put_in_place(file, content, access)
