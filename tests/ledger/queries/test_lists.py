"""What the ledger tells operators, after real runs of the router."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.estate import D1, GAS, HUB, IMPORT, S1, S2, SUPPLIER, Estate
from support.listener import Listener
from support.routed import NOW, OTHER_HUB, ledger, of_kind, tried_once, two_suppliers

from router.lanes.values import DeliveryState
from router.ledger.queries.lanes import list_lanes
from router.ledger.queries.lists import list_alerts
from router.ledger.queries.story import (
    AlertTold,
    Attempted,
    Decided,
    DeliveryTold,
    FactTold,
    Grounds,
    Registered,
    WaitingFact,
)
from router.ledger.queries.totals import ledger_totals
from router.ledger.queries.wanted import Filter
from router.ledger.queries.why import alert_story, why


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def test_why_tells_fact_grounds_candidates_alert_and_delivery_in_order(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation("9002", previous_firmware_version="9001")
    estate.run(now=NOW)
    with ledger(estate) as database:
        told = why(database, HUB)
    facts = of_kind(told, FactTold)
    assert [fact.effect for fact in facts] == ["applied", "applied", "applied", "decided"]
    activation = facts[-1]
    assert (activation.firmware_version, activation.outcome) == ("9002", "success")
    assert activation.origin == "drop facts.jsonl:4"
    story = told[told.index(activation) :]
    assert [row.kind for row in story] == [
        *["fact", "grounds", "registration", "registration"],
        *["decision", "decision", "decision"],
        *["alert", "delivery", "attempt"] * 2,
    ]
    (grounds,) = of_kind(story, Grounds)
    assert (grounds.status, grounds.smets_version) == ("Commissioned", "SMETS2")
    assert grounds.decided_at == NOW
    assert {(row.point, row.mpxn, row.supplier_id) for row in of_kind(story, Registered)} == {
        ("import_mpan", IMPORT, S1),
        ("mprn", GAS, S2),
    }
    assert {(row.service_user_id, row.role, row.verdict) for row in of_kind(story, Decided)} == {
        (S1, "import_supplier", "alerted"),
        (S2, "gas_supplier", "alerted"),
        (D1, "electricity_distributor", "no_rule"),
    }
    assert {row.fact for row in of_kind(story, Decided)} == {activation.fact}
    for alert in of_kind(story, AlertTold):
        assert (alert.alert_code, alert.sequence) == ("N64", 1)
    for delivery in of_kind(story, DeliveryTold):
        assert (delivery.channel, delivery.state) == ("folder", "delivered")
        assert delivery.next_step == "nothing is left to do"
    for attempt in of_kind(story, Attempted):
        assert (attempt.number, attempt.outcome) == (1, "delivered")
        assert attempt.answered_at is not None


def test_why_of_one_user_leaves_the_others_out(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation()
    estate.run(now=NOW)
    with ledger(estate) as database:
        told = why(database, HUB, S2)
    assert [row.service_user_id for row in of_kind(told, Decided)] == [S2]
    assert [row.service_user_id for row in of_kind(told, AlertTold)] == [S2]
    assert len(of_kind(told, FactTold)) == 4


def test_why_tells_what_was_not_sent_and_what_waits(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation(outcome="failure")
    estate.activation(device_id=OTHER_HUB)
    estate.run(now=NOW)
    with ledger(estate) as database:
        told = why(database, HUB)
        waiting = why(database, OTHER_HUB)
    suppressed = [row for row in of_kind(told, Decided) if row.verdict == "suppressed"]
    assert {row.service_user_id for row in suppressed} == {S1, S2, D1}
    assert all(row.rule and row.reason for row in suppressed)
    assert of_kind(told, AlertTold) == []
    (row,) = of_kind(waiting, WaitingFact)
    assert row.reason == "unknown_hub"
    assert row.next_step == "is decided by itself as soon as the hub is in the inventory"


def test_alerts_are_listed_newest_first_under_every_filter(estate: Estate) -> None:
    two_suppliers(estate)
    estate.activation("9002")
    estate.run(now=NOW)
    later = NOW + timedelta(days=1)
    estate.activation("9003")
    estate.run(now=later)
    with ledger(estate) as database:

        def versions(wanted: Filter, limit: int = 10) -> list[tuple[str, str]]:
            rows = list_alerts(database, wanted, limit=limit)
            return [(row.service_user_id, row.firmware_version) for row in rows]

        assert versions(Filter()) == [(S2, "9003"), (S1, "9003"), (S2, "9002"), (S1, "9002")]
        assert versions(Filter(), limit=1) == [(S2, "9003")]
        assert versions(Filter(user=S1)) == [(S1, "9003"), (S1, "9002")]
        assert versions(Filter(since=later)) == [(S2, "9003"), (S1, "9003")]
        assert versions(Filter(hub=OTHER_HUB)) == []
        assert versions(Filter(state=DeliveryState.DELIVERED, user=S2, hub=HUB)) == [
            (S2, "9003"),
            (S2, "9002"),
        ]
        assert versions(Filter(state=DeliveryState.WAITING)) == []


def test_what_waits_on_a_closed_lane_is_held_with_its_reason(estate: Estate) -> None:
    estate.user(S1, SUPPLIER, status="suspended")
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    estate.run(now=NOW)
    with ledger(estate) as database:
        (held,) = list_alerts(database, Filter(state=DeliveryState.HELD), limit=10)
        assert list_alerts(database, Filter(state=DeliveryState.WAITING), limit=10) == []
        (lane,) = list_lanes(database)
        found = alert_story(database, held.id)
    assert (lane.state, lane.reason, lane.waiting, lane.oldest) == ("closed", "suspended", 1, NOW)
    assert (lane.oldest_alert, lane.failures, lane.next_try) == (held.id, 0, None)
    assert found is not None
    (delivery,) = of_kind(found[1], DeliveryTold)
    assert delivery.state == "held"
    assert delivery.next_step.startswith("held: lane closed: suspended since 2026-06-02T12:00:00Z")


def test_a_failed_attempt_says_when_the_next_one_is(estate: Estate) -> None:
    with Listener(broken=True) as receiver:
        tried_once(estate, receiver)
    with ledger(estate) as database:
        (delivery,) = of_kind(why(database, HUB), DeliveryTold)
        (attempt,) = of_kind(why(database, HUB), Attempted)
        (row,) = list_alerts(database, Filter(), limit=10)
        (lane,) = list_lanes(database)
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert row.due_at is not None
    due = row.due_at.isoformat().replace("+00:00", "Z")
    assert delivery.next_step == f"next attempt at {due}"
    assert (attempt.outcome, attempt.reason) == ("retry", "server")
    assert (lane.state, lane.waiting, lane.oldest) == ("open", 1, row.decided_at)
    assert (lane.oldest_alert, lane.failures) == (row.id, 1)
    assert lane.next_try is not None
    assert lane.next_try >= row.due_at
    assert lane.last_answer is not None
    assert lane.last_answer.startswith("retry: server")


def test_the_summary_counts_the_whole_ledger(estate: Estate) -> None:
    two_suppliers(estate)
    estate.user("90-B3-D5-1F-30-01-00-09", SUPPLIER, status="suspended")
    estate.hub(OTHER_HUB)
    estate.registration("import_mpan", "90-B3-D5-1F-30-01-00-09", device_id=OTHER_HUB)
    estate.activation()
    estate.activation(device_id=OTHER_HUB)
    estate.activation(outcome="failure")
    estate.line(b"[]")
    estate.run(now=NOW)
    with ledger(estate) as database:
        totals = ledger_totals(database)
    activated = "hubherald.firmware.activated.v1"
    assert totals.facts[(activated, "decided")] == 3
    assert totals.facts[("hubherald.hub.updated.v1", "applied")] == 2
    assert sum(totals.decisions.values()) == len(estate.verdicts())
    assert totals.in_state(DeliveryState.HELD) == 1
    assert totals.in_state(DeliveryState.PARKED) == 0
    assert sum(totals.deliveries.values()) == sum(totals.alerts.values())
    assert totals.told[(S2, "gas_supplier")] == 1
    assert {rule for rule, _ in totals.suppressed} == {"failed-activation"}
    assert totals.quarantined == {"malformed": 1}
