"""All homes of an estate, made one at a time from a seed and an index.

A home is a function of (seed, index): an estate of any size takes no memory, and the facts about
a home can be made long after its row was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from router.simulation.homes import CsvHub, Household
from router.simulation.market import AREAS, Market
from router.simulation.numbers import device_id
from router.simulation.shapes import SHAPES, Plot, dual_fuel

_REGIONS = ("north", "central", "south")
_MODELS = ("CH-A1", "CH-B2", "CH-C3")
_STATES: Mapping[str, tuple[float, str, str]] = {
    "smets1": (4, "Commissioned", "SMETS1"),
    "pending": (1, "Pending", "SMETS2"),
    "decommissioned": (2, "Decommissioned", "SMETS2"),
    "suspended": (1, "Suspended", "SMETS2"),
    "installed": (1, "InstalledNotCommissioned", "SMETS2"),
}
"""Hubs that are not commissioned SMETS2 ones: share in per cent, status, generation."""
_PAIRS = ("handed_over", "moved_later")
_PAIR_SHARE = 0.02
_PILOT_SHARE = 0.02
_GOLDEN, _SCATTER = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
"""Multiples of the first are spread evenly: a cheap lot, drawn once for each pair of homes."""
SHOWCASE = 2 * len(_PAIRS) + len(SHAPES) + len(_STATES)
"""The first homes of every estate: one of each kind, so that small estates have them all."""
SPARE = 1
"""Homes after these of which a story is told: a pending hub, rare enough to be missed by lot."""
PLAIN = frozenset({"dual_fuel", "split", "electricity_only"})
"""Kinds whose import meter point has one open registration: facts may change their supplier."""


class Estate:
    """All homes of one market: `count` in the inventory, and as many beyond as are asked for."""

    def __init__(self, market: Market, count: int, *, seed: int, today: date) -> None:
        self.market = market
        self.count = count
        self.today = today
        self._seed = seed
        self._shapes = list(SHAPES)
        self._shape_reach = list(accumulate(SHAPES.values()))
        self._state_names = ["", *_STATES]
        shares = [share for share, _, _ in _STATES.values()]
        self._state_reach = list(accumulate([100 - sum(shares), *shares]))

    def homes(self) -> Iterator[Household]:
        """The homes of the inventory."""
        return (self.home(index) for index in range(self.count))

    def home(self, index: int) -> Household:
        """Home number `index`, always the same."""
        # A hub that replaces another is the neighbour of the old one, at the odd index.
        pair = self._pair(index & ~1)
        return self._alone(index) if pair is None else self._paired(index, pair)

    def _pair(self, even: int) -> str | None:
        if even + 1 >= self.count:
            return None
        if even < SHOWCASE + SPARE:
            return _PAIRS[even // 2] if even < 2 * len(_PAIRS) else None
        draw = (even * _GOLDEN + self._seed * _SCATTER) % 2**64 / 2**64
        return _PAIRS[int(draw / _PAIR_SHARE * 2)] if draw < _PAIR_SHARE else None

    def _paired(self, index: int, pair: str) -> Household:
        """The old hub (even) or the one that replaces it (odd), with the same meter points."""
        even = index & ~1
        plot = self._plot(even)
        dual_fuel(plot)
        first = min(row.effective_from for row in plot.rows)
        if index == even:
            hub = replace(self._hub(plot), replaced_by=device_id(even + 1))
            parties = frozenset() if pair == "moved_later" else frozenset(plot.parties)
            return Household(f"{pair}_old", hub, tuple(plot.rows), parties)
        hub = replace(self._hub(plot), device_id=device_id(index), hardware_version="3.0")
        first = plot.past() if pair == "moved_later" else first
        rows = (replace(row, device_id=hub.device_id, effective_from=first) for row in plot.rows)
        return Household(f"{pair}_new", hub, tuple(rows), frozenset(plot.parties))

    def _alone(self, index: int) -> Household:
        plot = self._plot(index)
        place = max(index - 2 * len(_PAIRS), 0)
        if place < len(SHAPES):
            shape, state = self._shapes[place], ""
        elif index < SHOWCASE:
            shape, state = dual_fuel, list(_STATES)[place - len(SHAPES)]
        elif index < SHOWCASE + SPARE:
            shape, state = dual_fuel, "pending"
        else:
            shape = plot.draw.choices(self._shapes, cum_weights=self._shape_reach)[0]
            state = plot.draw.choices(self._state_names, cum_weights=self._state_reach)[0]
        shape(plot)
        hub = self._hub(plot)
        if state:
            _, status, generation = _STATES[state]
            hub = replace(hub, status=status, smets_version=generation)
        kind = state or shape.__name__
        return Household(kind, hub, tuple(plot.rows), frozenset(plot.parties))

    def _plot(self, index: int) -> Plot:
        draw = Random((self._seed << 40) | index)  # noqa: S311 - a simulation
        market = self.market
        area = int(draw.random() * AREAS)
        return Plot(
            market=market,
            draw=draw,
            number=index,
            device_id=device_id(index),
            today=self.today,
            distributor=market.distributors[area % len(market.distributors)],
            transporter=market.transporters[area % len(market.transporters)],
            area=area,
            began=self.today - timedelta(days=400 + int(draw.random() * 2000)),
        )

    def _hub(self, plot: Plot) -> CsvHub:
        return CsvHub(
            plot.device_id,
            csp_region=_REGIONS[plot.area % 3],
            model=_MODELS[plot.number % 3],
            groups=("pilot",) if plot.draw.random() < _PILOT_SHARE else (),
        )
