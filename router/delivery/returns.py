"""What came back from the other sides, until it is in the ledger.

Nobody waits for it to be written, so answers that come within a moment of each other are written
together, or with the facts that come meanwhile. That a lane closes or opens is written at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from router.lanes.values import LaneAnswer, LaneChange, News, Settlement

TOGETHER = 0.01
"""Seconds from the first answer, or from facts recorded since, until it is written."""


class Returns:
    """Gathers news; whoever writes takes all of it, or gives it back."""

    def __init__(self) -> None:
        self._settled: list[Settlement] = []
        self._answers: dict[int, LaneAnswer] = {}
        self._changes: list[LaneChange] = []
        self._since: float | None = None
        self._out: list[News] = []
        """What was taken, and nobody said yet what became of it."""

    def __bool__(self) -> bool:
        return bool(self._out or self._settled or self._answers or self._changes)

    @property
    def lanes_changing(self) -> set[int]:
        """Lanes that close or open, as the ledger does not know yet."""
        return {each.lane_id for news in self._unwritten() for each in news.changes}

    @property
    def lanes_answering(self) -> set[int]:
        """Lanes whose other side has said something that the ledger does not know yet."""
        return {lane for news in self._unwritten() for lane in news.answers}

    def settled(self, found: Sequence[Settlement], answers: Mapping[int, LaneAnswer]) -> None:
        """These are answered."""
        self._settled += found
        self._answers |= answers
        if found:
            self._begin()

    def changed(self, change: LaneChange) -> None:
        """A lane closes or opens."""
        self._changes.append(change)
        self._begin()

    def wait(self) -> float | None:
        """Seconds until it is to be written, 0 when that is now; None where there is nothing."""
        if self._since is None:
            return None
        return 0.0 if self._changes else max(0.0, self._since + TOGETHER - time.monotonic())

    def take(self) -> News:
        """All of it; `written` or `give_back` follows."""
        news = News(self._settled, self._answers, self._changes)
        self._settled, self._answers, self._changes, self._since = [], {}, [], None
        if news:
            self._out.append(news)
        return news

    def written(self, news: News) -> None:
        """What was taken is in the ledger; with what is written next goes what came meanwhile."""
        self._out = [each for each in self._out if each is not news]
        if self._since is not None:
            self._since = time.monotonic()

    def give_back(self, news: News) -> None:
        """It is not: it was before whatever came meanwhile."""
        self.written(news)
        self._settled = [*news.settled, *self._settled]
        self._answers = {**news.answers, **self._answers}
        self._changes = [*news.changes, *self._changes]
        if news:
            self._begin()

    def move_along(self, step: timedelta) -> None:
        """The clock was set by `step`, as the ledger has it already."""
        self._settled = [each.moved_along(step) for each in self._settled]

    def _unwritten(self) -> Iterator[News]:
        yield from self._out
        yield News(self._settled, self._answers, self._changes)

    def _begin(self) -> None:
        if self._since is None:
            self._since = time.monotonic()
