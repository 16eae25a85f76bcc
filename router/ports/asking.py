"""Questions to somebody else's adapter or source about itself: it may answer anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from router.ports.loading import TheirError, caught
from router.ports.origins import Origin, described_kind

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Questions:
    """Asks one of them; what is wrong with an answer is told once."""

    def __init__(self, origin: Origin, redact: Callable[[str], str]) -> None:
        self.origin = origin
        self.redact = redact
        self._told: set[str] = set()

    def ask(self, what: str, function: Callable[[], object], right: type[T]) -> T | None:
        """What it says; None, and a line in the log the first time, where that is no `right`."""
        try:
            found = caught(function)()
        except TheirError as raised:
            self.tell(what, f"failed at `{what}`", raised.error)
            return None
        if isinstance(found, right):
            return found
        self.tell(what, f"gave {described_kind(found)} for `{what}`")
        return None

    def tell(self, key: str, what: str, error: BaseException | None = None) -> str:
        """A line in the log, once for each key; gives it."""
        said = self.redact(self.origin.blamed(what, error))
        if key not in self._told:
            self._told.add(key)
            _log.error(f"{self.origin.role}.bug", name=self.origin.kind, detail=said)
        return said
