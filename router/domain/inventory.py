"""Who is responsible for a hub, and when. Pure: no clock, no database.

A hub has no meter point of its own; registrations of the meter points behind it say who supplies
and who operates the network, each from one local midnight to another (half-open). Companies are
*parties* here: whether a party can be told is a matter of service_users.yaml.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from router.domain.words import Point, Role

if TYPE_CHECKING:
    from router.domain.facts import Hub, Registration

LOCAL = ZoneInfo("Europe/London")
"""Registrations begin and end at midnight here."""


@dataclass(frozen=True, slots=True)
class Home:
    """What the ledger knows about one hub at one moment."""

    hub: Hub
    registrations: tuple[Registration, ...]
    """Every registration, past and future, of each meter point that this hub ever had, also
    those on other hubs: a later one elsewhere ends an earlier one here."""


RegistrationKey = tuple[str, str, date]
"""Hub, meter point, effective_from: what a registration is known by."""


@dataclass(frozen=True, slots=True)
class Running:
    """The firmware that a hub runs: its newest successful activation."""

    version: str
    activated_at: datetime


@dataclass(slots=True)
class Inventory:
    """What the ledger knows about the hubs of one batch; the batch changes it as facts apply."""

    hubs: dict[str, Hub] = field(default_factory=dict)
    hub_times: dict[str, datetime] = field(default_factory=dict)
    """The `time` of the fact (or import) that each hub is known from."""
    registration_times: dict[RegistrationKey, datetime] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    _points: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _by_point: dict[str, dict[RegistrationKey, Registration]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def put_hub(self, hub: Hub, at: datetime) -> None:
        """What is known about a hub from now on."""
        self.hubs[hub.device_id] = hub
        self.hub_times[hub.device_id] = at

    def put_registration(self, registration: Registration, at: datetime) -> None:
        """What is known about a registration from now on."""
        key = registration_key(registration)
        self._points[registration.device_id].add(registration.mpxn)
        self._by_point[registration.mpxn][key] = registration
        self.registration_times[key] = at

    def was_registered(self, device_id: str) -> bool:
        """Whether a hub has, or ever had, a registration of its own."""
        return bool(self._points.get(device_id))

    def home(self, device_id: str) -> Home:
        """The hub with every registration of its meter points, on other hubs too."""
        points = sorted(self._points.get(device_id, ()))
        found = tuple(each for point in points for each in self._by_point[point].values())
        return Home(self.hubs[device_id], found)


def registration_key(registration: Registration) -> RegistrationKey:
    """What a registration is known by."""
    return (registration.device_id, registration.mpxn, registration.effective_from)


@dataclass(frozen=True, slots=True)
class Party:
    """A company in one role for one hub."""

    id: str
    """EUI-64, as registered."""
    role: Role


def in_effect(home: Home, moment: datetime) -> list[Registration]:
    """The registrations of this hub that hold at `moment`, by meter point.

    A registration ends at its `effective_to` or when a later one for the same meter point
    begins, whichever comes first.
    """
    today = _local_day(moment)
    latest: dict[str, date] = {}
    for each in home.registrations:
        if each.effective_from <= today and each.effective_to != each.effective_from:
            latest[each.mpxn] = max(each.effective_from, latest.get(each.mpxn, date.min))
    # Two hubs may claim a meter point from the same day on (a hub exchange hands the registration
    # over unchanged), so only a later day ends a registration.
    return sorted(
        (
            each
            for each in home.registrations
            if each.device_id == home.hub.device_id
            and each.effective_from == latest.get(each.mpxn)
            and not _ended(each, today)
        ),
        key=lambda each: each.mpxn,
    )


@lru_cache(maxsize=64)  # a batch is decided at one moment
def _local_day(moment: datetime) -> date:
    try:
        return moment.astimezone(LOCAL).date()
    except OverflowError:  # the first hour of the year 1, or the last of 9999
        return moment.date()


def _ended(registration: Registration, today: date) -> bool:
    return registration.effective_to is not None and registration.effective_to <= today


def until(effective_to: date | str | None) -> str:
    """How the end of a registration is said to people, behind its beginning; often there is none.

    Many would take it for the last day on which the registration holds.
    """
    return f" until {effective_to} (first day no longer in effect)" if effective_to else ""


def responsible(registrations: Sequence[Registration]) -> list[Party]:
    """The parties behind registrations that are in effect, each (company, role) once, sorted.

    Export-only home: with no import MPAN in effect, the supplier on the export MPAN is the
    import supplier and not the export supplier.
    """
    importing = any(registration.point is Point.IMPORT_MPAN for registration in registrations)
    return sorted(
        {party for each in registrations for party in _parties(each, importing)},
        key=lambda party: (party.role, party.id),
    )


def _parties(registration: Registration, importing: bool) -> Iterable[Party]:
    if registration.point is Point.MPRN:
        supplier, operator = Role.GAS_SUPPLIER, Role.GAS_TRANSPORTER
    elif registration.point is Point.EXPORT_MPAN and importing:
        supplier, operator = Role.EXPORT_SUPPLIER, Role.ELECTRICITY_DISTRIBUTOR
    else:
        supplier, operator = Role.IMPORT_SUPPLIER, Role.ELECTRICITY_DISTRIBUTOR
    if registration.supplier_id is not None:
        yield Party(registration.supplier_id, supplier)
    if registration.network_operator_id is not None:
        yield Party(registration.network_operator_id, operator)
