"""What happens to one hub in the course of a campaign, as a few lines of the inbox.

A story is a generator: it yields (how many other lines come in between, line) and returns the
home as it is in the end. Lines of one story keep their order; many stories are told at once.

Where the outcome would hang on how the intake cuts its batches, no story goes: behind the hub
fact that ends a wait comes nothing that would change what the waiting facts lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from router.simulation.estate import PLAIN
from router.simulation.events import Event, Events, in_summer_time
from router.simulation.homes import Household
from router.simulation.market import Market
from router.simulation.oracle import Oracle

Story = Generator[tuple[int, bytes], None, Household]
_FAR = 400
"""The most lines between two lines of one story, in stories told at once."""


@dataclass(slots=True)
class Teller:
    """What every story needs."""

    market: Market
    events: Events
    oracle: Oracle
    draw: Random
    today: date

    def later(self) -> int:
        return self.draw.randrange(1, _FAR)

    def day(self) -> date:
        """A day in the past, after the last change of any home that facts may change."""
        return self.today - timedelta(days=31 + self.draw.randrange(300))

    def activation(self, home: Household, *, minutes: int = 0) -> Event:
        """A successful activation that is decided while `home` is as it is."""
        event = self.events.activation(home.hub, minutes=minutes)
        self.oracle.decided(event, home)
        return event

    def changed(self, event: Event) -> bytes:
        """A hub or registration fact that is recorded."""
        self.oracle.tally.facts[event.type] += 1
        return event.line()

    def stale(self, event: Event) -> bytes:
        """The same, but it is older than what is known."""
        self.oracle.tally.stale += 1
        return self.changed(event)

    def repeated(self, line: bytes) -> bytes:
        self.oracle.tally.repeated += 1
        return line


# --- a hub of the inventory, one activation -------------------------------------------------


def plain(teller: Teller, home: Household) -> Story:
    yield 0, teller.activation(home).line()
    return home


def failed(teller: Teller, home: Household) -> Story:
    event = teller.events.activation(home.hub, success=False)
    teller.oracle.decided(event, home)
    yield 0, event.line()
    return home


def lower_case(teller: Teller, home: Household) -> Story:
    event = teller.activation(home)
    yield 0, event.with_data(device_id=event.device_id.lower()).line()
    return home


def redelivered(teller: Teller, home: Household) -> Story:
    event = teller.activation(home)
    yield 0, event.line()
    for _ in range(teller.draw.randrange(1, 4)):
        yield teller.later(), teller.repeated(event.line())
    yield teller.later(), teller.repeated(event.reworded())
    return home


def renamed(teller: Teller, home: Household) -> Story:
    """The same activation under other event ids, also written differently."""
    event = teller.activation(home)
    yield 0, event.line()
    for again in (
        replace(event, id=teller.events.new_id()),
        in_summer_time(replace(event, source="urn:dcc:replay")),
        replace(event, id=teller.events.new_id()).with_data(device_id=event.device_id.lower()),
    ):
        teller.oracle.same_activation(again, home)
        yield teller.later(), again.line()
    return home


def conflicting(teller: Teller, home: Household) -> Story:
    """The id comes back with another version: somebody's mistake, nobody is told."""
    event = teller.activation(home)
    yield 0, event.line()
    teller.oracle.tally.quarantine["conflicting_id"] += 1
    yield teller.later(), event.with_data(firmware_version="99999999").line()
    return home


def stale_hub(teller: Teller, home: Household) -> Story:
    old = replace(home.hub, status="Decommissioned")
    yield 0, teller.stale(teller.events.hub(old, teller.events.long_ago))
    yield teller.later(), teller.activation(home).line()
    return home


def decommissioned(teller: Teller, home: Household) -> Story:
    home = replace(home, hub=replace(home.hub, status="Decommissioned"))
    yield 0, teller.changed(teller.events.hub(home.hub, teller.events.soon))
    yield teller.later(), teller.activation(home).line()
    return home


def commissioned(teller: Teller, home: Household) -> Story:
    home = replace(home, hub=replace(home.hub, status="Commissioned"))
    yield 0, teller.changed(teller.events.hub(home.hub, teller.events.soon))
    yield teller.later(), teller.activation(home).line()
    return home


def stale_registration(teller: Teller, home: Household) -> Story:
    row = replace(home.registrations[0], supplier_id=teller.market.outside_supplier.importing)
    yield 0, teller.stale(teller.events.registration(row, teller.events.long_ago))
    yield teller.later(), teller.activation(home).line()
    return home


def moved_out(teller: Teller, home: Household) -> Story:
    """The import registration turns out to have ended; only gas is left, or nobody."""
    row = replace(home.registrations[0], effective_to=teller.day())
    left = {party for party in home.parties if party[1].startswith("gas_")}
    home = replace(home, parties=frozenset(left))
    yield 0, teller.changed(teller.events.registration(row, teller.events.soon))
    yield teller.later(), teller.activation(home).line()
    return home


# --- a hub of the inventory, two activations ------------------------------------------------


def out_of_order(teller: Teller, home: Household) -> Story:
    newer = teller.activation(home, minutes=60)
    older = teller.activation(home)
    yield 0, newer.line()
    yield teller.later(), older.line()
    return home


def activated_again(teller: Teller, home: Household) -> Story:
    """The same version at another time is another activation."""
    first = teller.activation(home)
    yield 0, first.line()
    second = teller.events.activation(home.hub, minutes=90)
    second = second.with_data(firmware_version=first.firmware_version)
    teller.oracle.decided(second, home)
    yield teller.later(), second.line()
    return home


def same_id(teller: Teller, home: Household) -> Story:
    """Two senders may use one id: only source and id together are the key."""
    first = teller.events.activation(home.hub)
    second = replace(teller.events.activation(home.hub, minutes=30), source="urn:dcc:replay")
    for event in (first, replace(second, id=first.id)):
        teller.oracle.decided(event, home)
        yield teller.later(), event.line()
    return home


def new_supplier(teller: Teller, home: Household) -> Story:
    """A fact changes the supplier between two activations."""
    yield 0, teller.activation(home).line()
    old = home.registrations[0]
    company = teller.market.supplier(teller.draw)
    while company.importing == old.supplier_id:
        company = teller.market.supplier(teller.draw)
    row = replace(old, supplier_id=company.importing, effective_from=teller.day())
    parties = home.parties - {(str(old.supplier_id), "import_supplier")}
    home = replace(home, parties=parties | {(company.importing, "import_supplier")})
    yield teller.later(), teller.changed(teller.events.registration(row, teller.events.soon))
    yield teller.later(), teller.activation(home, minutes=45).line()
    return home


# --- a hub that is not in the inventory -----------------------------------------------------


def installed(teller: Teller, home: Household) -> Story:
    """A new hub: facts say what it is before it activates anything."""
    events = teller.events
    yield 0, teller.changed(events.hub(home.hub, events.yesterday))
    for event in events.registrations(home.registrations, events.yesterday):
        yield teller.later(), teller.changed(event)
    yield (
        teller.later(),
        teller.stale(events.hub(replace(home.hub, status="Pending"), events.long_ago)),
    )
    yield teller.later(), teller.activation(home).line()
    return home


def overtaken(teller: Teller, home: Household) -> Story:
    """The activation and the registrations arrive before their hub, and wait for it."""
    events = teller.events
    activation = teller.activation(home)
    teller.oracle.tally.waited += 1 + len(home.registrations)
    yield 0, activation.line()
    for event in events.registrations(home.registrations, events.yesterday):
        yield teller.later(), teller.changed(event)
    yield teller.later(), teller.repeated(activation.line())
    yield teller.later(), teller.changed(events.hub(home.hub, events.yesterday))
    yield teller.later(), teller.repeated(activation.line())
    return home


def never_known(teller: Teller, home: Household) -> Story:
    teller.oracle.tally.quarantine["unknown_hub"] += 1
    yield 0, teller.events.activation(home.hub).line()
    return home


# --- the choice -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoryKind:
    """A story that can be told, and of which homes."""

    name: str
    tell: Callable[[Teller, Household], Story]
    share: float
    """Of all stories, in per cent; the rest is plain."""
    activations: int = 1
    of: frozenset[str] | None = None
    """The kinds of homes that it can be told of; None for all."""
    newcomer: bool = False
    """It is told of a hub that is not in the inventory."""

    def fits(self, home: Household) -> bool:
        return self.of is None or home.kind in self.of


PLAINLY = StoryKind("plain", plain, 0)
KINDS = (
    StoryKind("failed", failed, 4),
    StoryKind("redelivered", redelivered, 3),
    StoryKind("renamed", renamed, 1.5),
    StoryKind("lower_case", lower_case, 1),
    StoryKind("conflicting", conflicting, 0.3),
    StoryKind("out_of_order", out_of_order, 1, 2),
    StoryKind("activated_again", activated_again, 0.5, 2),
    StoryKind("same_id", same_id, 0.3, 2),
    StoryKind("new_supplier", new_supplier, 1, 2, PLAIN),
    StoryKind("moved_out", moved_out, 0.4, 1, PLAIN),
    StoryKind("stale_registration", stale_registration, 0.5, 1, PLAIN),
    StoryKind("stale_hub", stale_hub, 0.5, 1, PLAIN),
    StoryKind("decommissioned", decommissioned, 0.3, 1, PLAIN),
    StoryKind("commissioned", commissioned, 20, 1, frozenset({"pending"})),
    StoryKind("installed", installed, 0.5, newcomer=True),
    StoryKind("overtaken", overtaken, 0.5, newcomer=True),
    StoryKind("never_known", never_known, 0.2, newcomer=True),
)
