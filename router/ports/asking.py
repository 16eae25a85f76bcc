"""Questions to somebody else's adapter or source about itself: it may answer anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, get_type_hints

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

    def ask(
        self, what: str, function: Callable[[], object], right: type[T] | tuple[type[T], type[None]]
    ) -> T | None:
        """What it says; None, and a line in the log the first time, where that is no `right`."""
        try:
            found = caught(function)()
        except TheirError as raised:
            self.tell(what, f"failed at `{what}`", raised.error)
            return None
        if not isinstance(found, right):
            self.tell(what, f"gave {described_kind(found)} for `{what}`")
            return None
        whole = is_dataclass(found)
        return self.taken(what, found) if whole else found

    def taken(self, what: str, found: T) -> T | None:
        """The same without secrets in its texts; None, and a line, where a value is of no use."""
        given: Any = found
        hints = _hints(given.__class__)
        values = {name: getattr(given, name) for name in hints}
        for name, kind in hints.items():
            if not isinstance(values[name], kind):
                self.tell(what, f"gave {described_kind(values[name])} as `{name}` of its `{what}`")
                return None
        texts = {name: self.redact(each) for name, each in values.items() if isinstance(each, str)}
        made: T = replace(given, **texts)
        return made

    def tell(self, key: str, what: str, error: BaseException | None = None) -> str:
        """A line in the log, once for each key; gives it."""
        said = self.redact(self.origin.blamed(what, error))
        if key not in self._told:
            self._told.add(key)
            _log.error(f"{self.origin.role}.bug", name=self.origin.kind, detail=said)
        return said


@cache
def _hints(kind: type) -> dict[str, type]:
    """By field of a dataclass: what it must be."""
    known = get_type_hints(kind)
    return {each.name: known[each.name] for each in fields(kind)}
