"""The shapes that homes have: which meter points, which companies, what changed and when.

Whoever draws a home also says who is responsible for it today, which is how `expected.json` comes
about without the code that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from router.simulation.homes import CsvRegistration
from router.simulation.market import Company, Market
from router.simulation.numbers import mpan, mprn

IS, ES, GS = "import_supplier", "export_supplier", "gas_supplier"
ED, GT = "electricity_distributor", "gas_transporter"


@dataclass(slots=True)
class Plot:
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
    rows: list[CsvRegistration] = field(default_factory=list)
    parties: set[tuple[str, str]] = field(default_factory=set)

    def row(
        self,
        point: str,
        supplier: str | None,
        *,
        first: date | None = None,
        last: date | None = None,
        which: int = 0,
        padded: bool = False,
    ) -> None:
        """A registration that says nothing about who is responsible today.

        `padded`: an MPRN as systems write it that have a column of eleven digits.
        """
        if point == "mprn":
            mpxn, operator = mprn(self.number).zfill(11 if padded else 0), self.transporter
        else:
            # two import and one export meter point a home at the most
            place = 2 if point == "export_mpan" else which
            mpxn, operator = mpan(10 + self.area, self.number * 3 + place), self.distributor
        first = first or self.began
        self.rows.append(
            CsvRegistration(self.device_id, mpxn, point, supplier, operator, first, last)
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


def dual_fuel(plot: Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.burns(company)


def split(plot: Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.burns(plot.market.others(plot.draw, company))


def id_for_each_role(plot: Plot) -> None:
    company = next(each for each in plot.market.suppliers if each.importing != each.gas)
    plot.imports(company)
    plot.burns(company)


def electricity_only(plot: Plot) -> None:
    plot.imports(plot.market.supplier(plot.draw))


def export_same(plot: Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.exports(company)
    plot.burns(company)


def export_other(plot: Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.imports(company)
    plot.exports(plot.market.others(plot.draw, company))
    plot.burns(company)


def export_only(plot: Plot) -> None:
    company = plot.market.supplier(plot.draw)
    plot.row("export_mpan", company.exporting)
    plot.now(company.exporting, IS)


def import_ended(plot: Plot) -> None:
    """Export-only since the import registration ended."""
    company = plot.market.supplier(plot.draw)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, last=plot.past())
    plot.row("export_mpan", company.exporting)
    plot.now(company.exporting, IS)


def former_supplier(plot: Plot) -> None:
    company, day = plot.market.supplier(plot.draw), plot.past()
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, last=day)
    plot.row("import_mpan", company.importing, first=day)
    plot.now(company.importing, IS)
    plot.burns(company)


def never_closed(plot: Plot) -> None:
    """The former registration was left open; the later one closes it."""
    company = plot.market.supplier(plot.draw)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing)
    plot.row("import_mpan", company.importing, first=plot.past())
    plot.now(company.importing, IS)
    plot.burns(company)


def respelt(plot: Plot) -> None:
    """The former gas registration was left open, and one of the two systems pads the number."""
    company = plot.market.supplier(plot.draw)
    first_pads = plot.draw.random() < 0.5
    plot.imports(company)
    plot.row("mprn", plot.market.others(plot.draw, company).gas, padded=first_pads)
    plot.row("mprn", company.gas, first=plot.past(), padded=not first_pads)
    plot.now(company.gas, GS)


def next_supplier(plot: Plot) -> None:
    company, day = plot.market.supplier(plot.draw), plot.future()
    last = day if plot.draw.random() < 0.5 else None
    plot.row("import_mpan", company.importing, last=last)
    plot.row("import_mpan", plot.market.others(plot.draw, company).importing, first=day)
    plot.now(company.importing, IS)
    plot.burns(company)


def two_imports(plot: Plot) -> None:
    """Storage heating on a meter point of its own, with another supplier."""
    company = plot.market.supplier(plot.draw)
    other = plot.market.others(plot.draw, company)
    plot.imports(company)
    plot.row("import_mpan", other.importing, which=1)
    plot.now(other.importing, IS)


def no_supplier(plot: Plot) -> None:
    plot.row("import_mpan", None)
    plot.network(IS)


def outside_gas(plot: Plot) -> None:
    plot.imports(plot.market.supplier(plot.draw))
    plot.burns(plot.market.outside_supplier)


def outside_network(plot: Plot) -> None:
    plot.distributor = plot.market.outside_distributor
    plot.imports(plot.market.supplier(plot.draw))


def all_ended(plot: Plot) -> None:
    plot.row("import_mpan", plot.market.supplier(plot.draw).importing, last=plot.past())


def unregistered(plot: Plot) -> None:
    """A hub that nobody is registered for."""


SHAPES: Mapping[Callable[[Plot], None], float] = {
    dual_fuel: 59.5,
    split: 12,
    id_for_each_role: 2,
    electricity_only: 8,
    export_same: 3,
    export_other: 2,
    export_only: 0.5,
    import_ended: 0.3,
    former_supplier: 4,
    never_closed: 2,
    respelt: 0.5,
    next_supplier: 2,
    two_imports: 0.5,
    no_supplier: 0.5,
    outside_gas: 1,
    outside_network: 1,
    all_ended: 0.4,
    unregistered: 0.8,
}
