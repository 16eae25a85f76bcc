"""Asked again before held Alerts go out: is this user still responsible for this hub?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from ledgers import lane_of
from samples import EXPORT, GAS, HUB, NOW, device, hub, registration, user

from router.facts import Point
from router.ledger.inventory import write_hubs, write_registrations
from router.ledger.opening import Database
from router.responsibility import Responsibility
from router.users import Role, ServiceUser

S1, S2, S3 = user(1), user(2), user(3)
ROLES = {S1: Role.IMPORT_SUPPLIER, S2: Role.GAS_SUPPLIER, S3: Role.IMPORT_SUPPLIER}
USERS = {name: ServiceUser(name, name, frozenset({role})) for name, role in ROLES.items()}


def gone(database: Database, *pairs: tuple[str, str], at: datetime = NOW) -> set[tuple[str, str]]:
    """The pairs whose Alert must be withdrawn at a moment."""
    with database.transaction() as connection:
        return Responsibility(USERS, lambda: at)(connection, list(pairs))


def home(database: Database) -> None:
    """Electricity from S1 until June, when S3 takes over; gas from S2."""
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW)])
        changed = registration(supplier=S3, since=date(2026, 6, 1))
        gas = registration(GAS, S2, point=Point.MPRN)
        write_registrations(connection, [(each, NOW) for each in (registration(), changed, gas)])


def test_who_supplies_now_is_still_told_and_who_did_is_not(database: Database) -> None:
    home(database)
    pairs = [(HUB, S1), (HUB, S2), (HUB, S3)]
    assert gone(database, *pairs) == {(HUB, S1)}
    before = datetime(2026, 5, 31, 23, tzinfo=UTC) - timedelta(microseconds=1)
    assert gone(database, *pairs, at=before) == {(HUB, S3)}


def test_a_user_who_lost_the_role_is_not_told(database: Database) -> None:
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW)])
        write_registrations(connection, [(registration(GAS, S1, point=Point.MPRN), NOW)])
    assert gone(database, (HUB, S1)) == {(HUB, S1)}


def test_an_export_only_home_has_an_import_supplier(database: Database) -> None:
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW)])
        export = registration(EXPORT, S1, point=Point.EXPORT_MPAN)
        write_registrations(connection, [(export, NOW)])
    assert gone(database, (HUB, S1)) == set()


def test_of_an_unknown_hub_or_company_nobody_is_told(database: Database) -> None:
    home(database)
    lane_of(database)
    pairs = [(device(9), S1), (HUB, user(77))]
    assert gone(database, *pairs) == set(pairs)
    assert gone(database) == set()
