"""The inbox of a campaign: many stories told at once, and rubbish in between."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import date
from itertools import accumulate
from random import Random

from router.simulation.estate import SHOWCASE, SPARE, Estate
from router.simulation.events import Events
from router.simulation.homes import Household
from router.simulation.oracle import Oracle
from router.simulation.rubbish import RUBBISH
from router.simulation.stories import KINDS, PLAINLY, Story, StoryKind, Teller, plain

_RUBBISH_SHARE = 0.002


class Campaign:
    """`activations` activations of the hubs of an estate, and what else comes with them."""

    def __init__(
        self, estate: Estate, oracle: Oracle, *, activations: int, seed: int, today: date
    ) -> None:
        self.estate = estate
        self.oracle = oracle
        self.activations = activations
        self._draw = Random((seed << 44) | 3)  # noqa: S311 - a simulation
        events = Events(seed=seed, today=today, activations=activations)
        self._teller = Teller(estate.market, events, oracle, self._draw, today)
        self._told = 0
        self._newcomers = estate.count
        self._missing = list(KINDS)
        """Stories that have not been told yet: small campaigns shall have them all too."""
        self._reach = list(accumulate(kind.share for kind in KINDS))

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line, and how many of the activations have been begun."""
        under_way: list[tuple[int, int, Story, bytes]] = []
        for position, story in enumerate(self._stories()):
            while under_way and under_way[0][0] <= position:
                yield self._told, self._next(under_way)
            _push(under_way, story, position, position)
        while under_way:
            yield self._told, self._next(under_way)

    def _next(self, under_way: list[tuple[int, int, Story, bytes]]) -> bytes:
        position, number, story, line = heapq.heappop(under_way)
        _push(under_way, story, position, number)
        self.oracle.tally.lines += 1
        return line

    def _stories(self) -> Iterator[Story]:
        indexes = self._indexes()
        rubbish = self._rubbish_places(len(indexes))
        place = 0
        while self._told < self.activations:
            for name in rubbish.pop(place, ()):
                yield self._waste(name)
            place += 1
            left, hubs = self.activations - self._told, len(indexes)
            home = self.estate.home(indexes[-1])
            # homes of the showcase show themselves and nothing else
            kind = PLAINLY if indexes[-1] < SHOWCASE else self._kind(home, left)
            if kind.newcomer:
                yield self._begin(kind, self._newcomer(), 0)
                continue
            indexes.pop()
            # where there are more activations than hubs, each has its part of them
            yield self._begin(kind, home, max(left // hubs - kind.activations, 0))
        for names in rubbish.values():
            yield from map(self._waste, names)

    def _indexes(self) -> list[int]:
        """Whose turn it is, from the last: one of each kind of home, then by lot."""
        count, wanted = self.estate.count, min(self.activations, self.estate.count)
        shown = list(range(min(SHOWCASE + SPARE, wanted)))
        others = self._draw.sample(range(len(shown), count), wanted - len(shown))
        # Some stories take up the activations of several hubs: who comes last may be left out.
        last = others[: len(others) // 4]
        first = shown + others[len(last) :]
        self._draw.shuffle(first)
        return last + first

    def _rubbish_places(self, stories: int) -> dict[int, list[str]]:
        """At which places of the stream which rubbish comes: each sort at least once."""
        names = list(RUBBISH)
        count = max(len(names), int(self.activations * _RUBBISH_SHARE))
        places: dict[int, list[str]] = {}
        for number in range(count if stories else 0):
            place = self._draw.randrange(max(1, stories * 9 // 10))
            places.setdefault(place, []).append(names[number % len(names)])
        return places

    def _kind(self, home: Household, left: int) -> StoryKind:
        for kind in self._missing:
            if kind.fits(home) and kind.activations <= left:
                self._missing.remove(kind)
                return kind
        draw = self._draw.random() * 100
        for kind, reach in zip(KINDS, self._reach, strict=True):
            if draw < reach:
                fits = kind.fits(home) and kind.activations <= left
                return kind if fits else PLAINLY
        return PLAINLY

    def _begin(self, kind: StoryKind, home: Household, more: int) -> Story:
        self._told += kind.activations + more
        self.oracle.tally.stories[kind.name] += 1
        return self._tell(kind, home, more)

    def _tell(self, kind: StoryKind, home: Household, more: int) -> Story:
        home = yield from kind.tell(self._teller, home)
        for _ in range(more):
            for _, line in plain(self._teller, home):
                yield self._teller.later(), line
        return home

    def _newcomer(self) -> Household:
        self._newcomers += 1
        return self.estate.home(self._newcomers - 1)

    def _waste(self, name: str) -> Story:
        home = self.estate.home(self._draw.randrange(self.estate.count))
        reason, make = RUBBISH[name]
        self.oracle.tally.quarantine[reason] += 1
        line = make(self._teller.events.activation(home.hub))
        yield 0, line
        if reason == "malformed":
            yield self._teller.later(), self._teller.repeated(line)
        return home


def _push(
    under_way: list[tuple[int, int, Story, bytes]], story: Story, position: int, number: int
) -> None:
    for delay, line in story:
        heapq.heappush(under_way, (position + delay, number, story, line))
        return
