"""Who is responsible for a hub at a moment: local midnights, changes of supplier, export only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import (
    ELECTRICITY,
    EXPORT,
    GAS,
    HUB,
    NOW,
    device,
    hub,
    mpan,
    registration,
    user,
)

from router.domain.facts import Registration
from router.domain.inventory import Home, Party, in_effect, responsible
from router.domain.words import Point, Role

S1, S2, S3, D1 = user(1), user(2), user(3), user(9)


def suppliers(moment: datetime, *registrations: Registration, device_id: str = HUB) -> list[str]:
    """Who supplies the meter points of a hub, by meter point."""
    home = Home(hub(device_id), registrations)
    return [str(each.supplier_id) for each in in_effect(home, moment)]


# --- intervals ------------------------------------------------------------------------------

MIDNIGHTS = {
    "winter": (date(2026, 1, 15), datetime(2026, 1, 15, 0, 0, tzinfo=UTC)),
    "summer": (date(2026, 7, 15), datetime(2026, 7, 14, 23, 0, tzinfo=UTC)),
    "the day the clocks go forward": (date(2026, 3, 29), datetime(2026, 3, 29, 0, 0, tzinfo=UTC)),
    "the day after": (date(2026, 3, 30), datetime(2026, 3, 29, 23, 0, tzinfo=UTC)),
    "the day the clocks go back": (date(2026, 10, 25), datetime(2026, 10, 24, 23, 0, tzinfo=UTC)),
    "the day after that": (date(2026, 10, 26), datetime(2026, 10, 26, 0, 0, tzinfo=UTC)),
}
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(("day", "midnight"), MIDNIGHTS.values(), ids=MIDNIGHTS.keys())
def test_a_registration_begins_at_local_midnight(day: date, midnight: datetime) -> None:
    begun = registration(since=day)
    assert suppliers(midnight - MOMENT, begun) == []
    assert suppliers(midnight, begun) == [S1]


@pytest.mark.parametrize(("day", "midnight"), MIDNIGHTS.values(), ids=MIDNIGHTS.keys())
def test_a_registration_ends_before_local_midnight(day: date, midnight: datetime) -> None:
    ended = registration(until=day)
    assert suppliers(midnight - MOMENT, ended) == [S1]
    assert suppliers(midnight, ended) == []


@pytest.mark.parametrize(("day", "midnight"), MIDNIGHTS.values(), ids=MIDNIGHTS.keys())
def test_at_every_moment_of_a_change_there_is_one_supplier(day: date, midnight: datetime) -> None:
    old, new = registration(until=day), registration(supplier=S2, since=day)
    assert suppliers(midnight - MOMENT, old, new) == [S1]
    assert suppliers(midnight, old, new) == [S2]


def test_a_registration_that_ends_as_it_begins_never_holds() -> None:
    day = NOW.date()
    assert suppliers(NOW, registration(since=day, until=day)) == []


# --- a later registration -------------------------------------------------------------------


def test_a_later_registration_ends_an_earlier_open_one() -> None:
    old, new = registration(), registration(supplier=S2, since=date(2026, 6, 1))
    for order in ((old, new), (new, old)):
        assert suppliers(NOW, *order) == [S2]
        assert suppliers(NOW - timedelta(days=1), *order) == [S1]


def test_a_registration_to_come_ends_none_yet() -> None:
    assert suppliers(NOW, registration(), registration(supplier=S2, since=date(2026, 6, 2))) == [S1]


def test_when_the_later_one_has_ended_the_earlier_does_not_come_back() -> None:
    later = registration(supplier=S2, since=date(2026, 1, 1), until=date(2026, 5, 1))
    assert suppliers(NOW, registration(), later) == []


def test_a_later_registration_on_another_hub_ends_it_here() -> None:
    moved = registration(device_id=device(2), since=date(2026, 6, 1))
    assert suppliers(NOW, registration(), moved) == []
    assert suppliers(NOW, registration(), moved, device_id=device(2)) == [S1]
    assert suppliers(NOW - timedelta(days=1), registration(), moved) == [S1]


def test_the_same_day_on_two_hubs_ends_neither() -> None:
    # a hub is exchanged and the registration handed over as it was
    both = registration(), registration(device_id=device(2))
    assert suppliers(NOW, *both) == [S1]
    assert suppliers(NOW, *both, device_id=device(2)) == [S1]


def test_meter_points_end_each_by_itself() -> None:
    gas = registration(GAS, S3, point=Point.MPRN)
    changed = registration(supplier=S2, since=date(2026, 1, 1))
    assert suppliers(NOW, registration(), changed, gas) == [S2, S3]


DAYS = st.dates(date(2026, 5, 25), date(2026, 6, 8))


@given(st.lists(st.tuples(DAYS, st.none() | st.integers(0, 6), st.integers(1, 3)), max_size=6))
def test_a_meter_point_never_has_two_suppliers(
    spans: list[tuple[date, int | None, int]],
) -> None:
    by_day = {
        since: registration(
            supplier=user(number),
            since=since,
            until=None if days is None else since + timedelta(days=days),
        )
        for since, days, number in spans
    }
    for hours in range(0, 15 * 24, 7):
        moment = datetime(2026, 5, 25, tzinfo=UTC) + timedelta(hours=hours)
        assert len(suppliers(moment, *by_day.values())) <= 1


# --- roles ----------------------------------------------------------------------------------


def test_each_kind_of_point_has_its_roles() -> None:
    parties = responsible(
        [
            registration(ELECTRICITY, S1, operator=D1),
            registration(EXPORT, S2, point=Point.EXPORT_MPAN, operator=D1),
            registration(GAS, S3, point=Point.MPRN, operator=user(8)),
        ]
    )
    assert parties == [
        Party(D1, Role.ELECTRICITY_DISTRIBUTOR),
        Party(S2, Role.EXPORT_SUPPLIER),
        Party(S3, Role.GAS_SUPPLIER),
        Party(user(8), Role.GAS_TRANSPORTER),
        Party(S1, Role.IMPORT_SUPPLIER),
    ]


def test_in_an_export_only_home_the_export_supplier_is_the_import_supplier() -> None:
    export = registration(EXPORT, S3, point=Point.EXPORT_MPAN, operator=D1)
    assert responsible([export]) == [
        Party(D1, Role.ELECTRICITY_DISTRIBUTOR),
        Party(S3, Role.IMPORT_SUPPLIER),
    ]


def test_gas_does_not_make_it_an_importing_home() -> None:
    export = registration(EXPORT, S3, point=Point.EXPORT_MPAN)
    gas = registration(GAS, S2, point=Point.MPRN)
    assert Party(S3, Role.IMPORT_SUPPLIER) in responsible([export, gas])


def test_an_import_point_without_supplier_makes_it_an_importing_home() -> None:
    export = registration(EXPORT, S3, point=Point.EXPORT_MPAN)
    assert responsible([export, registration(supplier=None)]) == [Party(S3, Role.EXPORT_SUPPLIER)]


def test_export_only_is_asked_of_the_moment() -> None:
    ended = registration(until=date(2026, 6, 1))
    home = Home(hub(), (ended, registration(EXPORT, S3, point=Point.EXPORT_MPAN)))
    before = responsible(in_effect(home, NOW - timedelta(days=1)))
    assert Party(S3, Role.EXPORT_SUPPLIER) in before
    assert responsible(in_effect(home, NOW)) == [Party(S3, Role.IMPORT_SUPPLIER)]


def test_nobody_is_a_party_where_nobody_is_named() -> None:
    assert responsible([]) == []
    assert responsible([registration(supplier=None, operator=None)]) == []


def test_a_company_is_a_party_once_for_each_role() -> None:
    both = [
        registration(ELECTRICITY, S1, operator=D1),
        registration(mpan(7), S1, operator=D1),
        registration(GAS, S1, point=Point.MPRN),
    ]
    assert responsible(both) == [
        Party(D1, Role.ELECTRICITY_DISTRIBUTOR),
        Party(S1, Role.GAS_SUPPLIER),
        Party(S1, Role.IMPORT_SUPPLIER),
    ]


def test_an_empty_interval_holds_never_and_ends_nothing() -> None:
    earlier = registration(supplier=S1)
    empty = registration(supplier=S3, since=date(2026, 1, 1), until=date(2026, 1, 1))
    assert in_effect(Home(hub(), (earlier, empty)), NOW) == [earlier]
