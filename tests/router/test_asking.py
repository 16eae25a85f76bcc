"""What the ledger tells operators, and what they can do to it, after real runs of the router."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from commandline import start
from estate import D1, GAS, HUB, IMPORT, S1, S2, SUPPLIER, Estate
from listener import Listener

from router.errors import UsageError
from router.ledger.actions import (
    Operator,
    count_retried,
    pause_lanes,
    release_numbers,
    release_reason,
    resume_lanes,
    retry,
)
from router.ledger.asking import (
    Filter,
    list_alerts,
    list_lanes,
    list_quarantine,
    quarantined_fact,
)
from router.ledger.counting import summary
from router.ledger.lanes import State
from router.ledger.opening import Database, Use, open_database
from router.ledger.story import (
    AlertTold,
    Attempted,
    Decided,
    DeliveryTold,
    FactTold,
    Grounds,
    Registered,
    Told,
    Waiting,
)
from router.ledger.why import alert_story, why

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
ANN = Operator("ann", NOW + timedelta(minutes=1))
OTHER_HUB = "90-B3-D5-1F-30-00-10-02"
T = TypeVar("T")


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


@contextmanager
def ledger(estate: Estate, use: Use = Use.READ) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{estate.folder}/hubherald.db", use)) as database:
        yield database


def of_kind(told: list[Told], kind: type[T]) -> list[T]:
    return [row for row in told if isinstance(row, kind)]


def two_suppliers(estate: Estate) -> None:
    """Electricity by S1, gas by S2, a distributor who has not subscribed."""
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.user(D1, ["electricity_distributor"])
    estate.hub()
    estate.registration("import_mpan", S1, network_operator_id=D1)
    estate.registration("mprn", S2)


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
    (row,) = of_kind(waiting, Waiting)
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
        assert versions(Filter(state=State.DELIVERED, user=S2, hub=HUB)) == [
            (S2, "9003"),
            (S2, "9002"),
        ]
        assert versions(Filter(state=State.WAITING)) == []


def test_what_waits_on_a_closed_lane_is_held_with_its_reason(estate: Estate) -> None:
    estate.user(S1, SUPPLIER, status="suspended")
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    estate.run(now=NOW)
    with ledger(estate) as database:
        (held,) = list_alerts(database, Filter(state=State.HELD), limit=10)
        assert list_alerts(database, Filter(state=State.WAITING), limit=10) == []
        (lane,) = list_lanes(database)
        found = alert_story(database, held.id)
    assert (lane.state, lane.reason, lane.waiting, lane.oldest) == ("closed", "suspended", 1, NOW)
    assert found is not None
    (delivery,) = of_kind(found[1], DeliveryTold)
    assert delivery.state == "held"
    assert delivery.next_step.startswith("held: lane closed: suspended since 2026-06-02T12:00:00Z")


def tried_once(estate: Estate, receiver: Listener) -> datetime:
    """One Alert to S1 whose receiver answered 503 to the first attempt; gives the moment."""
    channel = {"adapter": "webhook", "url": receiver.url, "hold_hours": 1}
    estate.user(S1, SUPPLIER, channels=[channel])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    with start("run", folder=estate.folder) as router:
        while not receiver.refused:
            assert router.poll() is None
        router.send_signal(signal.SIGTERM)
        assert router.wait() == 0
    return datetime.now(UTC)


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
    assert lane.last_answer is not None
    assert lane.last_answer.startswith("retry: server")


def test_a_retry_gives_a_parked_alert_a_new_term_and_keeps_its_attempts(estate: Estate) -> None:
    with Listener(broken=True) as receiver:
        late = tried_once(estate, receiver) + timedelta(hours=3)
        estate.run(now=late)
        with ledger(estate) as database:
            (delivery,) = of_kind(why(database, HUB), DeliveryTold)
            tried = of_kind(why(database, HUB), Attempted)
            assert count_retried(database, Filter(user=S2)) == 0
            assert count_retried(database, Filter(state=State.PARKED)) == 1
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
        (row,) = list_alerts(database, Filter(state=State.WITHDRAWN), limit=10)
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
            retry(database, Filter(state=State.DELIVERED), ANN, hold={})
    assert actions(estate) == []


def actions(estate: Estate) -> list[tuple[str, str, dict[str, object]]]:
    """Each action on record: who, what, and its detail without what is not said."""
    rows = estate.ask("SELECT operator, action, detail FROM actions ORDER BY id")
    found = []
    for who, what, detail in rows:
        said = {key: value for key, value in json.loads(detail).items() if value is not None}
        found.append((who, what, said))
    return found


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
        rows = list_quarantine(database, limit=10)
        assert [row.reason for row in rows] == ["invalid", "malformed", "unknown_hub"]
        assert rows[0].type == "hubherald.firmware.activated.v1"
        assert rows[1].origin == "drop facts.jsonl:5"
        assert rows[2].device_id == OTHER_HUB
        assert [row.id for row in list_quarantine(database, reason="malformed", limit=9)] == [2]
        found = quarantined_fact(database, 2)
        assert found is not None
        assert found[1] == b"{not json"
        assert quarantined_fact(database, 99) is None
        with pytest.raises(UsageError, match="not in quarantine: 99"):
            release_numbers(database, [2, 99], ANN)
        assert release_numbers(database, [2, 2], ANN) == 1
        assert release_reason(database, "invalid", ANN) == 1
        assert release_reason(database, "engine", ANN) == 0
        assert [row.released for row in list_quarantine(database, limit=10)] == [True, True, False]
    estate.run(now=NOW)
    with ledger(estate) as database:  # they are still what they were
        rows = list_quarantine(database, limit=10)
    assert [(row.id, row.released) for row in rows] == [(1, False), (2, False), (3, False)]
    assert actions(estate) == [
        ("ann", "quarantine release", {"ids": [2], "facts": 1}),
        ("ann", "quarantine release", {"reason": "invalid", "facts": 1}),
    ]


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
        totals = summary(database)
    activated = "hubherald.firmware.activated.v1"
    assert totals.facts[(activated, "decided")] == 3
    assert totals.facts[("hubherald.hub.updated.v1", "applied")] == 2
    assert sum(totals.decisions.values()) == len(estate.verdicts())
    assert totals.in_state(State.HELD) == 1
    assert totals.in_state(State.PARKED) == 0
    assert sum(totals.deliveries.values()) == sum(totals.alerts.values())
    assert totals.told[(S2, "gas_supplier")] == 1
    assert {rule for rule, _ in totals.suppressed} == {"failed-activation"}
    assert totals.quarantined == {"malformed": 1}
