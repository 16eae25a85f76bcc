"""The companies of a made-up market: who supplies, who runs the networks, who can be told.

Shares are like those of the real market: the largest supplier has about a fifth of the homes
(once there are some twenty User IDs), the rest falls off. A third of the suppliers hold a User ID
for each role, and a few companies are registered for homes without being Service Users at all.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random

from router.errors import UsageError
from router.simulation.numbers import outsider_id, user_id

FEWEST_USERS = 8
"""Below this there are not enough companies for a home with two suppliers and two networks."""
AREAS = 14
"""Distribution areas of Great Britain; the first two digits of an MPAN, from 10."""

_WORDS = (
    "Amber",
    "Bramble",
    "Cinder",
    "Dapple",
    "Ember",
    "Fathom",
    "Gannet",
    "Harbour",
    "Iris",
    "Juniper",
    "Kestrel",
    "Lantern",
    "Meadow",
    "Nettle",
    "Orchard",
    "Pebble",
)
_DUIS = ("5.4", "5.4", "5.3", "5.1", "5.0", "4.1")
_LARGEST = 0.20
_OUTSIDE = 0.03


@dataclass(frozen=True, slots=True)
class Company:
    """A supplier, with the User ID under which it is registered in each role."""

    importing: str
    exporting: str
    gas: str


@dataclass(frozen=True, slots=True)
class User:
    """One entry of service_users.yaml."""

    id: str
    name: str
    roles: tuple[str, ...]
    subscribed: bool = False
    duis_version: str = "5.4"
    suspended: bool = False


@dataclass(frozen=True)
class Market:
    """Everybody who can be registered for a home."""

    users: Mapping[str, User]
    suppliers: Sequence[Company]
    """The largest first; the last ones are not Service Users."""
    distributors: Sequence[str]
    transporters: Sequence[str]
    outside_supplier: Company
    outside_distributor: str
    _reach: Sequence[float] = field(repr=False)

    def supplier(self, draw: Random) -> Company:
        """One supplier, by market share."""
        return self.suppliers[bisect(self._reach, draw.random())]

    def others(self, draw: Random, company: Company) -> Company:
        """A supplier other than `company`, and not one that is outside."""
        while True:
            other = self.suppliers[bisect(self._reach, draw.random())]
            if other not in {company, self.outside_supplier}:
                return other


def make_market(count: int, *, suspended: int = 0) -> Market:
    """A market with `count` Service Users; UsageError when that is too few or too many."""
    if not FEWEST_USERS <= count <= 5_000:
        raise UsageError(f"an estate needs {FEWEST_USERS} to 5,000 Service Users, not {count}")
    names = _names()
    ids = (user_id(index) for index in range(count))
    operators = _operators(count, ids, names)
    suppliers, companies = _suppliers(count - len(operators), ids, names)
    if not 0 <= suspended < len(suppliers):
        raise UsageError(f"{suspended} suspended users of {count} is not possible")
    # The largest supplier stays: an estate in which most Alerts are held shows little.
    for place in range(1, suspended + 1):
        suppliers[place] = replace(suppliers[place], suspended=True)
    outside = outsider_id(0)
    companies.append(Company(outside, outside, outside))
    return Market(
        users={user.id: user for user in (*suppliers, *operators)},
        suppliers=companies,
        distributors=[user.id for user in operators if "electricity_distributor" in user.roles],
        transporters=[user.id for user in operators if "gas_transporter" in user.roles],
        outside_supplier=companies[-1],
        outside_distributor=outsider_id(1),
        _reach=list(accumulate(_shares(len(companies))))[:-1],
    )


def _names() -> Iterator[str]:
    round_ = 0
    while True:
        for word in _WORDS:
            yield f"{word} {round_ + 1}" if round_ else word
        round_ += 1


def _operators(count: int, ids: Iterator[str], names: Iterator[str]) -> list[User]:
    """The networks: about half of the distributors and of the transporters subscribe."""
    found = [
        User(next(ids), f"{next(names)} Networks", ("electricity_distributor",), number % 2 == 0)
        for number in range(max(2, min(AREAS, count // 8)))
    ]
    found += [
        User(next(ids), f"{next(names)} Gas Networks", ("gas_transporter",), number % 2 == 0)
        for number in range(max(1, min(8, count // 15)))
    ]
    return found


def _suppliers(
    count: int, ids: Iterator[str], names: Iterator[str]
) -> tuple[list[User], list[Company]]:
    """Suppliers with `count` User IDs in all; the last one of them does not do gas."""
    users: list[User] = []
    companies: list[Company] = []
    while len(users) < count - 1:
        name, duis = next(names), _DUIS[len(companies) % len(_DUIS)]
        if len(companies) % 3 == 1 and len(users) + 3 < count:
            roles = ("import_supplier", "export_supplier", "gas_supplier")
            three = [
                User(next(ids), f"{name} Energy ({role.split('_')[0]})", (role,), duis_version=duis)
                for role in roles
            ]
            users += three
            companies.append(Company(three[0].id, three[1].id, three[2].id))
        else:
            all_roles = ("import_supplier", "export_supplier", "gas_supplier")
            user = User(next(ids), f"{name} Energy", all_roles, duis_version=duis)
            users.append(user)
            companies.append(Company(user.id, user.id, user.id))
    electricity = User(next(ids), f"{next(names)} Power", ("import_supplier", "export_supplier"))
    users.append(electricity)
    # It is registered for gas all the same, as happens: such homes have no eligible user for gas.
    companies.append(Company(electricity.id, electricity.id, electricity.id))
    return users, companies


def _shares(companies: int) -> list[float]:
    """Market shares that add up to 1: the largest, the falling rest, those outside."""
    weights = [1 / (place + 2) for place in range(1, companies - 1)]
    rest = (1 - _LARGEST - _OUTSIDE) / sum(weights)
    return [_LARGEST, *(weight * rest for weight in weights), _OUTSIDE]


def users_file(market: Market, channels: Mapping[str, Sequence[str]]) -> str:
    """service_users.yaml; `channels` has, by user, each channel as YAML in flow style."""
    lines = ["# A made-up market, written by `hubherald simulate`.", "service_users:"]
    for user in market.users.values():
        lines += [
            f"  - id: {user.id}",
            f"    name: {user.name}",
            f"    roles: [{', '.join(user.roles)}]",
        ]
        if user.suspended:
            lines.append("    status: suspended")
        if user.subscribed:
            lines.append("    subscriptions: [firmware]")
        lines.append(f'    duis_version: "{user.duis_version}"')
        lines.append("    channels:")
        lines += [f"      - {channel}" for channel in channels[user.id]]
    return "\n".join(lines) + "\n"
