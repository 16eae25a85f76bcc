"""Homes of every shape, made one at a time from a seed and an index.

A home is a function of (seed, index): an estate of any size takes no memory, and the facts about
a home can be made long after its row was written. Whoever draws a home also says who is
responsible for it, which is how `expected.json` comes about without the code that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from router.simulation.market import AREAS, Company, Market
from router.simulation.numbers import device_id, mpan, mprn

IS, ES, GS = "import_supplier", "export_supplier", "gas_supplier"
ED, GT = "electricity_distributor", "gas_transporter"
_REGIONS = ("north", "central", "south")
_MODELS = ("CH-A1", "CH-B2", "CH-C3")


@dataclass(frozen=True, slots=True)
class HubRow:
    """One row of hubs.csv, and the data of a hub fact."""

    device_id: str
    status: str = "Commissioned"
    smets_version: str = "SMETS2"
    csp_region: str = "north"
    model: str = "CH-A1"
    hardware_version: str = "2.1"
    replaced_by: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Nobody is told about what this hub activates."""
        return (
            self.status in {"Pending", "Decommissioned"}
            or self.smets_version == "SMETS1"
            or self.replaced_by is not None
        )


@dataclass(frozen=True, slots=True)
class RegistrationRow:
    """One row of registrations.csv, and the data of a registration fact."""

    device_id: str
    mpxn: str
    point: str
    supplier_id: str | None
    network_operator_id: str | None
    effective_from: date
    effective_to: date | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """One hub, its registrations, and who is responsible for it today."""

    kind: str
    """Its shape, or its hub's state where that is out of the ordinary."""
    hub: HubRow
    registrations: tuple[RegistrationRow, ...]
    parties: frozenset[tuple[str, str]]
    """(company, role) of everybody who is responsible today."""


@dataclass(slots=True)
class _Plot:
    """A home while it is being built."""

    market: Market
    draw: Random
    number: int
    device_id: str
    today: date
    distributor: str
    transporter: str
    area: int
    began: date
    rows: list[RegistrationRow] = field(default_factory=list)
    parties: set[tuple[str, str]] = field(default_factory=set)

    def row(
        self,
        point: str,
        supplier: str | None,
        *,
        first: date | None = None,
        last: date | None = None,
        which: int = 0,
    ) -> None:
        """A registration that says nothing about who is responsible today."""
        if point == "mprn":
            mpxn, operator = mprn(self.number), self.transporter
        else:
            # two import and one export meter point a home at the most
            place = 2 if point == "export_mpan" else which
            mpxn, operator = mpan(10 + self.area, self.number * 3 + place), self.distributor
        first = first or self.began
        self.rows.append(
            RegistrationRow(self.device_id, mpxn, point, supplier, operator, first, last)
        )

    def now(self, supplier: str, role: str) -> None:
        """`supplier` is responsible in `role` today, and so is the network of that fuel."""
        self.parties.add((supplier, role))
        self.network(role)

    def network(self, role: str) -> None:
        gas = role == GS
        self.parties.add((self.transporter, GT) if gas else (self.distributor, ED))

    def imports(self, company: Company) -> None:
        self.row("import_mpan", company.importing)
        self.now(company.importing, IS)

    def burns(self, company: Company) -> None:
        self.row("mprn", company.gas)
        self.now(company.gas, GS)

    def exports(self, company: Company) -> None:
        self.row("export_mpan", company.exporting)
        self.now(company.exporting, ES)

    def past(self) -> date:
        """A day in which something changed, long enough ago to be over in any time zone."""
        return self.today - timedelta(days=31 + self.draw.randrange(300))

    def future(self) -> date:
        return self.today + timedelta(days=31 + self.draw.randrange(90))


# --- the shapes -----------------------------------------------------------------------------


def _dual_fuel(plot: _Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.burns(company)


def _split(plot: _Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.burns(plot.market.others(plot.draw, company))


def _id_for_each_role(plot: _Plot) -> None:
    company = next(each for each in plot.market.suppliers if each.importing != each.gas)
    plot.imports(company)
    plot.burns(company)


def _electricity_only(plot: _Plot) -> None:
    plot.imports(plot.market.supplier(plot.draw))


def _export_same(plot: _Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.exports(company)
    plot.burns(company)


def _export_other(plot: _Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.exports(plot.market.others(plot.draw, company))
    plot.burns(company)


def _export_only(plot: _Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.row("export_mpan", company.exporting)
    plot.now(company.exporting, IS)


def _import_ended(plot: _Plot) -> None:
    """Export-only since the import registration ended."""
    company = plot.market.supplier(plot.draw)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, last=plot.past())
    plot.row("export_mpan", company.exporting)
    plot.now(company.exporting, IS)


def _former_supplier(plot: _Plot) -> None:
    company, day = plot.market.supplier(plot.draw), plot.past()
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, last=day)
    plot.row("import_mpan", company.importing, first=day)
    plot.now(company.importing, IS)
    plot.burns(company)


def _never_closed(plot: _Plot) -> None:
    """The former registration was left open; the later one closes it."""
    company = plot.market.supplier(plot.draw)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing)
    plot.row("import_mpan", company.importing, first=plot.past())
    plot.now(company.importing, IS)
    plot.burns(company)


def _next_supplier(plot: _Plot) -> None:
    company, day = plot.market.supplier(plot.draw), plot.future()
    last = day if plot.draw.random() < 0.5 else None
    plot.row("import_mpan", company.importing, last=last)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, first=day)
    plot.now(company.importing, IS)
    plot.burns(company)


def _two_imports(plot: _Plot) -> None:
    """Storage heating on a meter point of its own, with another supplier."""
    company = plot.market.supplier(plot.draw)
    other = plot.market.others(plot.draw, company)
    plot.imports(company)
    plot.row("import_mpan", other.importing, which=1)
    plot.now(other.importing, IS)


def _no_supplier(plot: _Plot) -> None:
    plot.row("import_mpan", None)
    plot.network(IS)


def _outside_gas(plot: _Plot) -> None:
    plot.imports(plot.market.supplier(plot.draw))
    plot.burns(plot.market.outside_supplier)


def _outside_network(plot: _Plot) -> None:
    plot.distributor = plot.market.outside_distributor
    plot.imports(plot.market.supplier(plot.draw))


def _all_ended(plot: _Plot) -> None:
    plot.row("import_mpan", plot.market.supplier(plot.draw).importing, last=plot.past())


def _unregistered(plot: _Plot) -> None:
    """A hub that nobody is registered for."""


_SHAPES: Mapping[Callable[[_Plot], None], float] = {
    _dual_fuel: 60,
    _split: 12,
    _id_for_each_role: 2,
    _electricity_only: 8,
    _export_same: 3,
    _export_other: 2,
    _export_only: 0.5,
    _import_ended: 0.3,
    _former_supplier: 4,
    _never_closed: 2,
    _next_supplier: 2,
    _two_imports: 0.5,
    _no_supplier: 0.5,
    _outside_gas: 1,
    _outside_network: 1,
    _all_ended: 0.4,
    _unregistered: 0.8,
}
_STATES: Mapping[str, tuple[float, dict[str, str]]] = {
    "smets1": (4, {"smets_version": "SMETS1"}),
    "pending": (1, {"status": "Pending"}),
    "decommissioned": (2, {"status": "Decommissioned"}),
    "suspended": (1, {"status": "Suspended"}),
    "installed": (1, {"status": "InstalledNotCommissioned"}),
}
_PAIRS = ("handed_over", "moved_later")
_PAIR_SHARE = 0.02
_PILOT_SHARE = 0.02
SHOWCASE = 2 * len(_PAIRS) + len(_SHAPES) + len(_STATES)
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
        self._shapes = list(_SHAPES)
        self._shape_reach = list(accumulate(_SHAPES.values()))
        self._state_names = ["", *_STATES]
        shares = [share for share, _ in _STATES.values()]
        self._state_reach = list(accumulate([100 - sum(shares), *shares]))

    def homes(self) -> Iterator[Home]:
        """The homes of the inventory."""
        return (self.home(index) for index in range(self.count))

    def home(self, index: int) -> Home:
        """Home number `index`, always the same."""
        # A hub that replaces another is the neighbour of the old one, at the odd index.
        pair = self._pair(index & ~1)
        return self._alone(index) if pair is None else self._paired(index, pair)

    def _draw(self, index: int, salt: int) -> Random:
        return Random((self._seed << 44) | (index << 2) | salt)  # noqa: S311 - a simulation

    def _pair(self, even: int) -> str | None:
        if even + 1 >= self.count:
            return None
        if even < SHOWCASE + SPARE:
            return _PAIRS[even // 2] if even < 2 * len(_PAIRS) else None
        draw = self._draw(even, 1).random()
        return _PAIRS[int(draw / _PAIR_SHARE * 2)] if draw < _PAIR_SHARE else None

    def _paired(self, index: int, pair: str) -> Home:
        """The old hub (even) or the one that replaces it (odd), with the same meter points."""
        even = index & ~1
        plot = self._plot(even)
        _dual_fuel(plot)
        first = min(row.effective_from for row in plot.rows)
        if index == even:
            hub = replace(self._hub(plot), replaced_by=device_id(even + 1))
            parties = frozenset() if pair == "moved_later" else frozenset(plot.parties)
            return Home(f"{pair}_old", hub, tuple(plot.rows), parties)
        hub = replace(self._hub(plot), device_id=device_id(index), hardware_version="3.0")
        first = plot.past() if pair == "moved_later" else first
        rows = (replace(row, device_id=hub.device_id, effective_from=first) for row in plot.rows)
        return Home(f"{pair}_new", hub, tuple(rows), frozenset(plot.parties))

    def _alone(self, index: int) -> Home:
        plot = self._plot(index)
        place = index - 2 * len(_PAIRS)
        if place < len(_SHAPES):
            shape, state = self._shapes[place], ""
        elif index < SHOWCASE:
            shape, state = _dual_fuel, list(_STATES)[place - len(_SHAPES)]
        elif index < SHOWCASE + SPARE:
            shape, state = _dual_fuel, "pending"
        else:
            shape = plot.draw.choices(self._shapes, cum_weights=self._shape_reach)[0]
            state = plot.draw.choices(self._state_names, cum_weights=self._state_reach)[0]
        shape(plot)
        hub = self._hub(plot)
        if state:
            hub = replace(hub, **_STATES[state][1])  # type: ignore[arg-type]
        kind = state or shape.__name__.removeprefix("_")
        return Home(kind, hub, tuple(plot.rows), frozenset(plot.parties))

    def _plot(self, index: int) -> _Plot:
        draw, market = self._draw(index, 0), self.market
        area = int(draw.random() * AREAS)
        return _Plot(
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

    def _hub(self, plot: _Plot) -> HubRow:
        return HubRow(
            plot.device_id,
            csp_region=_REGIONS[plot.area % 3],
            model=_MODELS[plot.number % 3],
            groups=("pilot",) if plot.draw.random() < _PILOT_SHARE else (),
        )
