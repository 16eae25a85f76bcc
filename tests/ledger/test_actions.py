"""What operators can do to the ledger, and the record that it leaves."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from support.estate import HUB, S1, S2, SUPPLIER, Estate
from support.listener import Listener
from support.routed import NOW, OTHER_HUB, ledger, of_kind, tried_once, two_suppliers

from router.errors import UsageError
from router.lanes.values import DeliveryState
from router.ledger.actions import Operator, release_numbers, release_reason
from router.ledger.alerts import RETRIED, look_ahead, retriable, retry
from router.ledger.database import Use
from router.ledger.pauses import pause_lanes, resume_lanes
from router.ledger.queries.lanes import list_lanes
from router.ledger.queries.lists import (
    QuarantineFilter,
    list_alerts,
    list_quarantine,
    quarantined_fact,
)
from router.ledger.queries.story import Attempted, DeliveryTold
from router.ledger.queries.wanted import Filter
from router.ledger.queries.why import why

ANN = Operator("ann", NOW + timedelta(minutes=1))


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def actions(estate: Estate) -> list[tuple[str, str, dict[str, object]]]:
    """Each action on record: who, what, and its detail without what is not said."""
    rows = estate.ask("SELECT operator, action, detail FROM actions ORDER BY id")
    found = []
    for who, what, detail in rows:
        said = {key: value for key, value in json.loads(detail).items() if value is not None}
        found.append((who, what, said))
    return found


def test_a_retry_gives_a_parked_alert_a_new_term_and_keeps_its_attempts(estate: Estate) -> None:
    with Listener(broken=True) as receiver:
        late = tried_once(estate, receiver) + timedelta(hours=3)
        estate.run(now=late)
        with ledger(estate) as database:
            (delivery,) = of_kind(why(database, HUB), DeliveryTold)
            tried = of_kind(why(database, HUB), Attempted)
            assert look_ahead(database, Filter(user=S2), RETRIED).deliveries == 0
            parked = Filter(state=DeliveryState.PARKED)
            assert look_ahead(database, parked, retriable(parked)).deliveries == 1
        assert delivery.state == "parked"
        assert delivery.next_step == f"parked: retry with `hubherald alerts retry --hub {HUB}`"
        assert [(each.number, each.outcome) for each in tried] == [(1, "retry"), (None, "parked")]
        with ledger(estate, Use.CHANGE) as database:
            hold = {(S1, "webhook"): timedelta(hours=1)}
            operator = Operator("ann", late)
            assert retry(database, Filter(user=S2), operator, hold=hold) == 0
            assert retry(database, Filter(hub=HUB), operator, hold=hold) == 1
        receiver.broken = False
        estate.run(now=late + timedelta(minutes=30))
        assert len(receiver.bodies) == 1
    with ledger(estate) as database:
        (row,) = list_alerts(database, Filter(), limit=10)
    assert (row.state, row.attempts) == ("delivered", 2)
    assert actions(estate) == [("ann", "alerts retry", {"hub": HUB, "deliveries": 1})]


def test_a_retried_alert_is_withdrawn_when_its_user_is_no_longer_responsible(
    estate: Estate,
) -> None:
    with Listener(broken=True) as receiver:
        late = tried_once(estate, receiver) + timedelta(hours=3)
        estate.registration("import_mpan", S2, since="2021-01-01")
        estate.run(now=late)
        with ledger(estate, Use.CHANGE) as database:
            assert retry(database, Filter(), Operator("ann", late), hold={}) == 1
        receiver.broken = False
        estate.run(now=late + timedelta(days=1))
        assert receiver.bodies == []
    with ledger(estate) as database:
        (row,) = list_alerts(database, Filter(state=DeliveryState.WITHDRAWN), limit=10)
        last = of_kind(why(database, HUB), Attempted)[-1]
    assert row.due_at is None
    assert (last.outcome, last.reason) == ("withdrawn", "not_responsible")


def test_what_is_settled_cannot_be_retried(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation()
    estate.run(now=NOW)
    with ledger(estate, Use.CHANGE) as database:
        assert retry(database, Filter(), ANN, hold={}) == 0
        with pytest.raises(UsageError, match="what is delivered can't be retried"):
            retry(database, Filter(state=DeliveryState.DELIVERED), ANN, hold={})
    assert actions(estate) == []


def test_a_paused_lane_holds_its_alerts_until_it_is_resumed(estate: Estate) -> None:
    two_suppliers(estate)
    estate.run(now=NOW)
    with ledger(estate, Use.CHANGE) as database:
        (changed,) = pause_lanes(database, S1, None, ANN)
        assert (changed.channel, changed.refused) == ("folder", None)
        (again,) = pause_lanes(database, S1, "folder", ANN)
        assert again.refused == "is paused already"
    estate.activation()
    estate.run(now=NOW + timedelta(hours=1))
    assert list(estate.told()) == [S2]
    with ledger(estate, Use.CHANGE) as database:
        lane = next(row for row in list_lanes(database) if row.service_user_id == S1)
        assert (lane.state, lane.reason, lane.detail) == ("closed", "operator", "paused by ann")
        (resumed,) = resume_lanes(database, S1, None, ANN)
        assert resumed.refused is None
    estate.run(now=NOW + timedelta(hours=2))
    assert sorted(estate.told()) == [S1, S2]
    assert actions(estate) == [
        ("ann", "lanes pause", {"user": S1, "channels": ["folder"]}),
        ("ann", "lanes resume", {"user": S1, "channels": ["folder"]}),
    ]


def test_a_lane_that_a_file_closed_is_not_opened_by_hand(estate: Estate) -> None:
    estate.user(S1, SUPPLIER, status="suspended")
    estate.run(now=NOW)
    with ledger(estate, Use.CHANGE) as database:
        (refused,) = resume_lanes(database, S1, None, ANN)
        assert refused.refused is not None
        assert refused.refused.startswith("opens only when its reason is gone (suspended)")
        (unpaused,) = pause_lanes(database, S1, None, ANN)
        assert unpaused.refused is not None
        assert unpaused.refused.startswith("is closed already, and opens only when")
        assert [row.reason for row in list_lanes(database)] == ["suspended"]
        with pytest.raises(UsageError, match="has no channel 'mail'; it has folder"):
            pause_lanes(database, S1, "mail", ANN)
        with pytest.raises(UsageError, match="has no lane"):
            resume_lanes(database, S2, None, ANN)
    assert actions(estate) == []


def test_quarantine_is_listed_shown_and_released(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation("far-too-long")
    estate.line(b"{not json")
    estate.activation(device_id=OTHER_HUB)
    estate.run(now=NOW)
    with ledger(estate, Use.CHANGE) as database:
        rows = list_quarantine(database, limit=10, oldest=True)
        assert [row.reason for row in rows] == ["invalid", "malformed", "unknown_hub"]
        assert rows[0].type == "hubherald.firmware.activated.v1"
        assert rows[1].origin == "drop facts.jsonl:5"
        assert rows[2].device_id == OTHER_HUB
        assert [
            row.id for row in list_quarantine(database, QuarantineFilter("malformed"), limit=9)
        ] == [2]
        found = quarantined_fact(database, 2)
        assert found is not None
        assert found[1] == b"{not json"
        assert quarantined_fact(database, 99) is None
        with pytest.raises(UsageError, match="not in quarantine: 99"):
            release_numbers(database, [2, 99], ANN)
        assert release_numbers(database, [2, 2], ANN) == 1
        assert release_reason(database, "invalid", ANN) == 1
        assert release_reason(database, "engine", ANN) == 0
        assert [row.released for row in list_quarantine(database, limit=10, oldest=True)] == [
            True,
            True,
            False,
        ]
    estate.run(now=NOW)
    with ledger(estate) as database:  # they are still what they were
        rows = list_quarantine(database, limit=10, oldest=True)
    assert [(row.id, row.released) for row in rows] == [(1, False), (2, False), (3, False)]
    assert actions(estate) == [
        ("ann", "quarantine release", {"ids": [2], "facts": 1}),
        ("ann", "quarantine release", {"reason": "invalid", "facts": 1}),
    ]
