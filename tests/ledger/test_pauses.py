"""Pauses of lanes: with a reason, and an end that the router keeps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.estate import HUB, S1, S2, Estate
from support.routed import NOW, ledger, of_kind, two_suppliers

from router.lanes.values import BY_ITSELF, ClosedReason, LaneChange
from router.ledger.actions import Operator
from router.ledger.database import Use
from router.ledger.lanes import change_lane
from router.ledger.pauses import PauseTerms, pause_lanes, resume_lanes
from router.ledger.queries.actions import ActionFilter, list_actions
from router.ledger.queries.lanes import LaneState, list_lanes
from router.ledger.queries.story import DeliveryTold
from router.ledger.queries.why import why

ANN = Operator("ann", NOW + timedelta(minutes=1))
END = NOW + timedelta(hours=2)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two suppliers of one home; the lane of the first is paused for two hours."""
    estate = Estate(tmp_path)
    two_suppliers(estate)
    estate.run(now=NOW)
    with ledger(estate, Use.CHANGE) as database:
        pause_lanes(database, S1, None, ANN, PauseTerms("maintenance", END))
    estate.activation()
    return estate


def lane(estate: Estate) -> LaneState:
    with ledger(estate) as database:
        return next(row for row in list_lanes(database) if row.service_user_id == S1)


def test_a_pause_says_why_and_until_when(estate: Estate) -> None:
    paused = lane(estate)
    assert paused.detail == "paused by ann until 2026-06-02T14:00:00Z: maintenance"
    assert paused.until == END
    estate.run(now=END - timedelta(minutes=1))
    assert list(estate.told()) == [S2]
    with ledger(estate) as database:
        told = of_kind(why(database, HUB, S1), DeliveryTold)[-1]
    assert told.next_step.endswith("opens by itself at 2026-06-02T14:00:00Z")


def test_a_router_that_starts_after_its_end_opens_it_and_says_so(estate: Estate) -> None:
    estate.run(now=END)
    assert sorted(estate.told()) == [S1, S2]
    opened = lane(estate)
    assert (opened.state, opened.until, opened.detail) == ("open", None, None)
    with ledger(estate) as database:
        last, first = list_actions(database, ActionFilter(on=S1), limit=9)
    assert (first.operator, first.action, first.reason) == ("ann", "lanes pause", "maintenance")
    assert (first.about, first.detail) == (f"{S1} folder", "until 2026-06-02T14:00:00Z")
    assert (last.operator, last.action) == ("router", "lanes resume")
    assert last.reason == "the end of: paused by ann until 2026-06-02T14:00:00Z: maintenance"


def test_a_paused_lane_takes_another_end_but_not_the_same_again(estate: Estate) -> None:
    later = END + timedelta(hours=1)
    with ledger(estate, Use.CHANGE) as database:
        (again,) = pause_lanes(database, S1, None, ANN)
        assert again.refused == "is paused already"
        (longer,) = pause_lanes(database, S1, None, ANN, PauseTerms(until=later))
        assert longer.refused is None
    assert lane(estate).until == later
    estate.run(now=END)
    assert list(estate.told()) == [S2]
    with ledger(estate, Use.CHANGE) as database:
        resume_lanes(database, S1, None, ANN, reason="they are back")
        pause_lanes(database, S1, None, ANN)
    assert lane(estate).until is None


def test_what_is_not_said_of_a_pause_stays_as_it_stands(estate: Estate) -> None:
    bob, later = Operator("bob", NOW + timedelta(minutes=2)), END + timedelta(hours=1)
    with ledger(estate, Use.CHANGE) as database:
        (changed,) = pause_lanes(database, S1, None, bob, PauseTerms("INC-1: the valve"))
        assert changed.until == lane(estate).until == END
        (changed,) = pause_lanes(database, S1, None, bob, PauseTerms(until=later))
        assert changed.until == lane(estate).until == later
        newest = list_actions(database, ActionFilter(on=S1), limit=9)[0]
    assert lane(estate).detail == "paused by bob until 2026-06-02T15:00:00Z: INC-1: the valve"
    assert (newest.reason, newest.detail) == ("INC-1: the valve", "until 2026-06-02T15:00:00Z")
    with ledger(estate, Use.CHANGE) as database:  # the end is over, though no router was there
        pause_lanes(database, S1, None, Operator("bob", later), PauseTerms("INC-2"))
    assert lane(estate).until is None


@pytest.mark.parametrize("reason", sorted(BY_ITSELF))
def test_what_closed_by_itself_takes_no_pause_with_an_end(
    estate: Estate, reason: ClosedReason
) -> None:
    with ledger(estate, Use.CHANGE) as database:
        (number,) = estate.ask(f"SELECT id FROM lanes WHERE service_user_id = '{S2}'")[0]
        with database.transaction() as connection:
            change_lane(connection, LaneChange(number, reason, "401", NOW))
        (timed,) = pause_lanes(database, S2, None, ANN, PauseTerms("INC-1", END))
        assert timed.refused is not None
        assert timed.refused.startswith(f"closed by itself ({reason}), and its Alerts are held")
        found = next(row for row in list_lanes(database) if row.service_user_id == S2)
        assert (found.reason, found.detail, found.until) == (reason, "401", None)
        (plain,) = pause_lanes(database, S2, None, ANN)
        assert plain.refused is None


def test_a_pause_goes_along_to_the_channel_that_takes_over(estate: Estate) -> None:
    estate.users[0]["channels"] = [
        {"name": "other", "adapter": "folder", "path": f"sent/{S1}"},
    ]
    estate.write_users()
    estate.run(now=NOW + timedelta(minutes=5))
    assert S1 not in estate.told()
    estate.run(now=END)
    assert S1 in estate.told()


def test_actions_are_found_by_time_person_thing_and_kind(estate: Estate) -> None:
    with ledger(estate, Use.CHANGE) as database:
        pause_lanes(database, S2, None, Operator("bob", NOW + timedelta(hours=1)))
        resume_lanes(database, S2, None, Operator("ann", NOW + timedelta(hours=2)))

        def found(**wanted: object) -> list[str]:
            rows = list_actions(database, ActionFilter(**wanted), limit=9)  # type: ignore[arg-type]
            return [f"{row.operator} {row.action}" for row in rows]

        assert found() == ["ann lanes resume", "bob lanes pause", "ann lanes pause"]
        assert found(since=NOW + timedelta(hours=1)) == ["ann lanes resume", "bob lanes pause"]
        assert found(by="bob") == ["bob lanes pause"]
        assert found(on=S1) == ["ann lanes pause"]
        assert found(on="maintenance") == ["ann lanes pause"]
        assert found(action="lanes resume") == ["ann lanes resume"]
        assert found(action="alerts") == []
