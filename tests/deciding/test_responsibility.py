"""Asked again before held Alerts go out: is this user still responsible for this hub?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from support.samples import EXPORT, GAS, HUB, NOW, device, hub, registration, user

from router.deciding.responsibility import Responsibility
from router.domain.facts import Registration
from router.domain.inventory import Inventory
from router.domain.users import ServiceUser
from router.domain.words import Point, Role

S1, S2, S3 = user(1), user(2), user(3)
ROLES = {S1: Role.IMPORT_SUPPLIER, S2: Role.GAS_SUPPLIER, S3: Role.IMPORT_SUPPLIER}
USERS = {name: ServiceUser(name, name, frozenset({role})) for name, role in ROLES.items()}


def gone(known: Inventory, *pairs: tuple[str, str], at: datetime = NOW) -> set[tuple[str, str]]:
    """The pairs whose Alert must be withdrawn at a moment."""
    return Responsibility(USERS, lambda: at)(known, list(pairs))


def home(*registrations: Registration) -> Inventory:
    """What is known of a hub with these registrations."""
    known = Inventory()
    known.put_hub(hub(), NOW)
    for each in registrations:
        known.put_registration(each, NOW)
    return known


CHANGED = home(
    registration(),
    registration(supplier=S3, since=date(2026, 6, 1)),
    registration(GAS, S2, point=Point.MPRN),
)
"""Electricity from S1 until June, when S3 takes over; gas from S2."""


def test_who_supplies_now_is_still_told_and_who_did_is_not() -> None:
    pairs = [(HUB, S1), (HUB, S2), (HUB, S3)]
    assert gone(CHANGED, *pairs) == {(HUB, S1)}
    before = datetime(2026, 5, 31, 23, tzinfo=UTC) - timedelta(microseconds=1)
    assert gone(CHANGED, *pairs, at=before) == {(HUB, S3)}


def test_a_user_who_lost_the_role_is_not_told() -> None:
    known = home(registration(GAS, S1, point=Point.MPRN))
    assert gone(known, (HUB, S1)) == {(HUB, S1)}


def test_an_export_only_home_has_an_import_supplier() -> None:
    known = home(registration(EXPORT, S1, point=Point.EXPORT_MPAN))
    assert gone(known, (HUB, S1)) == set()


def test_of_an_unknown_hub_or_company_nobody_is_told() -> None:
    pairs = [(device(9), S1), (HUB, user(77))]
    assert gone(CHANGED, *pairs) == set(pairs)
    assert gone(CHANGED) == set()
