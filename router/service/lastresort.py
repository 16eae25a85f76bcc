"""The end of a router that can't end: a thread hangs, of the ledger or of somebody's adapter.

Whoever stops it waits for so long and kills it then, and would know nothing of why.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence

import structlog

from router.delivery import adapters, flights, relay
from router.intake import border
from router.logstream import LogStream
from router.ports import stay
from router.service import endpoint, headkeeping, leftovers

PARTS = (
    border.ACKNOWLEDGE + stay.CANCELLED_S,  # a source is told of the last batch
    stay.CANCELLED_S,  # and gives no more
    relay.DRAIN + flights.CANCELLED_S,
    relay.FINISH,
    headkeeping.AT_THE_END,
    endpoint.SCRAPE,
    border.LEAVE + stay.CANCELLED_S,
    adapters.LEAVE + stay.CANCELLED_S,  # all of them together
    leftovers.CANCELLED_S,
)
"""Seconds that each step of a stop takes at the most, one after the other: of adapters and one
source that go on when they are cancelled."""
PATIENCE = sum(PARTS) + 2.0
"""Seconds from when a router begins to stop: all that it waits for by itself is over by then."""
_log = structlog.get_logger(__name__)


class LastResort:
    """Ends the process when it has not ended by itself."""

    def __init__(self, log: LogStream, patience: float = PATIENCE) -> None:
        self._log = log
        self._patience = patience
        self._finished = False
        self._begun = False
        self._left: list[object] = []

    def keep(self, left: Sequence[object]) -> None:
        """These can't be ended: the interpreter would try as it ends, and might for ever."""
        if left and not self._left:
            atexit.register(self._exit, 1)  # it holds them until then
        self._left += left

    def leave(self, code: int) -> None:
        """All is done; end the process here where something is kept."""
        if self._left:
            self._exit(code)

    def begin(self) -> None:
        """The router begins to stop; once is enough."""
        if self._begun:
            return
        self._begun = True
        timer = threading.Timer(self._patience, self._end)
        timer.daemon = True
        timer.start()

    def finished(self) -> None:
        """The router has done all that it had to: what still hangs is of no account."""
        self._finished = True

    def _end(self) -> None:
        if not self._finished:
            _log.critical(
                "router.stuck",
                seconds=self._patience,
                threads=_threads(),
                advice="it ends all the same; the next start sends again what was under way",
            )
        self._exit(0 if self._finished else 1)

    def _exit(self, code: int) -> None:
        sys.stdout.flush()
        self._log.drain()
        os._exit(code)


def _threads() -> list[str]:
    """Where each thread is; one of these hangs."""
    found, frames = [], sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is not None and thread is not threading.current_thread():
            where = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
            found.append(f"{thread.name}: {where}")
    return found
