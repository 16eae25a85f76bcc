"""From a source into the ledger: once, in order, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ledgers
from support.beside import Beside
from support.intaking import USERS, Running, Watched, fact
from support.ledgers import made
from support.samples import NOW, activation, device, hub, registration, user

from router.deciding.engine import Engine
from router.intake import intake
from router.language.rules import Rules
from router.ledger.actions import Operator, release_reason
from router.ledger.database import LedgerUnavailable, Use, open_database
from router.ledger.driver import change
from router.ledger.intake import read_cursors
from router.ledger.inventory import write_registrations
from router.ledger.thread import LedgerThread
from router.ports import Cursor


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


HOME = [fact(hub(), "hub"), fact(registration(), "registration")]
V1 = fact(activation(), "v1")


async def test_facts_become_alerts_and_are_acknowledged(running: Running) -> None:
    source = await running.take([*HOME, V1])
    assert source.acknowledged == [*HOME, V1]
    assert running.verdicts() == [("v1", user(1), "alerted")]
    assert running.notified == set(running.lanes[user(1)])
    assert running.ask("SELECT event_id, effect FROM facts ORDER BY id") == [
        ("hub", "applied"),
        ("registration", "applied"),
        ("v1", "decided"),
    ]
    assert running.ask("SELECT origin FROM facts ORDER BY id LIMIT 1") == [("drop feed:1",)]


async def test_it_reads_on_where_the_ledger_says(running: Running) -> None:
    await running.take([*HOME, V1])
    assert read_cursors(running.database, "drop") == {"feed": Cursor("feed", 3, 3)}
    again = await running.take([*HOME, V1], [fact(activation(version="9003"), "v2")])
    assert len(again.acknowledged) == 1
    assert running.ask("SELECT count(*) FROM alerts") == [(2,)]


async def test_a_cursor_that_moved_alone_is_stored_behind_the_facts_before_it(
    running: Running,
) -> None:
    moved = Cursor("moved", 7, 2, "a digest", "1:2")
    await running.take([*HOME, moved, V1])
    kept = {"feed": Cursor("feed", 3, 3), "moved": moved}
    assert read_cursors(running.database, "drop") == kept
    await running.take([Cursor("moved", 1), Cursor("feed", 1), fact(hub(), "other")])
    assert read_cursors(running.database, "drop")["moved"] == Cursor("moved", 1)


async def test_a_cursor_that_moved_alone_puts_nothing_back(running: Running) -> None:
    """The facts behind it came in the same batch, and have moved it on."""
    await running.take([HOME[0], Cursor("feed", 1, 1), HOME[1], V1])
    assert read_cursors(running.database, "drop") == {"feed": Cursor("feed", 3, 3)}


async def test_within_a_batch_facts_apply_in_order_of_arrival(running: Running) -> None:
    pending = fact(hub(status="Pending"), "pending", time="2026-01-02T00:00:00Z")
    await running.take([*HOME, V1, pending, fact(activation(version="9003"), "v2")])
    assert running.verdicts() == [("v1", user(1), "alerted"), ("v2", user(1), "suppressed")]


async def test_the_way_to_a_decision_is_measured_from_activation_and_from_the_sender(
    running: Running,
) -> None:
    timed = fact(activation(version="9003"), "v2", time="2026-01-01T00:00:00Z")
    await running.take(HOME, [V1, timed])
    assert running.metric("activation_lag_seconds_count", source="drop") == 2
    with_time = sum(b'"time"' in each for each in (*HOME, V1, timed))
    assert running.metric("publish_lag_seconds_count", source="drop") == with_time > 0


async def test_a_hundred_of_the_same_are_one(running: Running) -> None:
    await running.take(HOME, [V1] * 50, *[[V1]] * 50)
    assert running.ask("SELECT count(*) FROM facts WHERE event_id = 'v1'") == [(1,)]
    assert running.ask("SELECT count(*) FROM alerts") == [(1,)]
    assert running.waiting() == []
    assert running.metric("facts_duplicate_total", source="drop") == 99


@pytest.mark.parametrize("together", [True, False])
async def test_the_same_id_with_other_data_is_quarantined(running: Running, together: bool) -> None:
    facts = [*HOME, V1, fact(activation(version="9003"), "v1")]
    await running.take(*([facts] if together else [[each] for each in facts]))
    assert running.waiting() == ["conflicting_id"]
    assert running.ask("SELECT firmware_version FROM facts WHERE event_id = 'v1'") == [("9002",)]


async def test_an_unknown_hub_is_waited_for_with_its_registrations(running: Running) -> None:
    await running.take([V1, HOME[1]], [V1], [HOME[1]])
    assert running.waiting() == ["unknown_hub"] * 2
    await running.take([], [V1, HOME[1]], [V1], [HOME[1]], [HOME[0]])
    assert running.waiting() == []
    assert running.verdicts() == [("v1", user(1), "alerted")]
    assert running.ask("SELECT count(*) FROM quarantined") == [(2,)]


async def test_a_hub_that_an_import_brought_releases_too(running: Running) -> None:
    await running.take([V1])
    with running.database.transaction() as connection:
        change(
            connection,
            'INSERT INTO hubs (device_id, status, smets_version, "groups", updated_at)'
            " VALUES (?, 'Commissioned', 'SMETS2', '[]', 0)",
            (device(1),),
        )
        write_registrations(connection, [(registration(), NOW)])
    await running.take([], wait=False)
    assert await running.intake.release() == 1
    await running.stop()
    assert running.waiting() == []
    assert running.verdicts() == [("v1", user(1), "alerted")]


async def test_what_an_operator_releases_in_vain_waits_again(running: Running) -> None:
    await running.take([b"{no", V1])
    for reason in ("malformed", "unknown_hub"):
        operator = Operator("someone", NOW)
        assert release_reason(running.database, reason, operator) == 1
    await running.take([], wait=False)
    assert await running.intake.release() == 2  # and does not go round for ever
    await running.stop()
    assert running.waiting() == ["malformed", "unknown_hub"]
    assert running.ask("SELECT count(*) FROM quarantined") == [(2,)]


async def test_an_older_fact_is_recorded_and_changes_nothing(running: Running) -> None:
    older = fact(hub(status="Pending"), "older", time="2025-01-01T00:00:00Z")
    await running.take(HOME, [older], [V1])
    assert running.ask("SELECT effect FROM facts WHERE event_id = 'older'") == [("stale",)]
    assert running.verdicts() == [("v1", user(1), "alerted")]


async def test_the_same_activation_under_another_id_is_one_alert(running: Running) -> None:
    await running.take(HOME, [V1, fact(activation(), "again")], [fact(activation(), "and again")])
    assert [each[2] for each in running.verdicts()] == [
        "alerted",
        "same_activation",
        "same_activation",
    ]
    assert running.ask("SELECT count(*) FROM alerts") == [(1,)]


async def test_a_stop_finishes_and_acknowledges_what_is_in_hand_then_leaves_the_source(
    running: Running, shipped_rules: Rules, shipped_engine: Engine
) -> None:
    running.judgement = judgement = Watched(shipped_rules, USERS, shipped_engine)
    judgement.look = lambda _found, _waiting: running.intake.stop()
    gate = asyncio.Event()
    source = await running.take([*HOME, V1], wait=False, gate=gate, deliveries={HOME[1]: 1})
    gate.set()
    await running.until(lambda: source.given == 3)
    await running.task
    in_hand = source.acknowledged
    assert in_hand == [*HOME, V1][: len(in_hand)] != []
    assert source.left_with == in_hand
    assert running.ask("SELECT count(*) FROM facts") == [(len(in_hand),)]
    assert running.ask("SELECT * FROM suspects") == []


@pytest.fixture
def impatient(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    made(tmp_path).close()
    url = ledgers.url(tmp_path)
    with LedgerThread(open_database(url, Use.ROUTE, busy_seconds=0.01)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


async def test_while_the_ledger_is_locked_nothing_is_acknowledged_or_lost(
    impatient: Running, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    source = await impatient.take([*HOME, V1], wait=False, gate=gate)
    with Beside(ledgers.url(tmp_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        gate.set()
        await impatient.until(lambda: impatient.metric("ledger_up") == 0.0)
        assert source.acknowledged == []
        assert not impatient.intake.idle([source])
        other.execute("ROLLBACK")
    await impatient.until(lambda: impatient.intake.idle([source]))
    await impatient.stop()
    assert source.acknowledged == [*HOME, V1]
    assert impatient.metric("ledger_up") == 1.0
    assert impatient.verdicts() == [("v1", user(1), "alerted")]


async def test_a_stop_while_the_ledger_is_locked_leaves_all_with_the_source(
    impatient: Running, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    moved = Cursor("moved", 7)
    source = await impatient.take([*HOME, V1, moved], wait=False, gate=gate)
    with Beside(ledgers.url(tmp_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        gate.set()
        await impatient.until(lambda: impatient.metric("ledger_up") == 0.0)
        await impatient.stop()
        other.execute("ROLLBACK")
    assert source.acknowledged == []
    assert impatient.ask("SELECT count(*) FROM facts") == [(0,)]
    assert read_cursors(impatient.database, "drop") == {}


async def test_between_two_facts_nothing_is_decided(running: Running) -> None:
    gate = asyncio.Event()
    source = await running.take([*HOME, V1], wait=False, gate=gate)
    async with running.intake.between():
        gate.set()
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert source.acknowledged == []
    await running.until(lambda: running.intake.idle([source]))
    await running.stop()
    assert source.acknowledged == [*HOME, V1]


async def test_nobody_comes_between_while_facts_wait_for_the_ledger(
    impatient: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BETWEEN", 0.05)
    gate = asyncio.Event()
    source = await impatient.take([*HOME, V1], wait=False, gate=gate)
    with Beside(ledgers.url(tmp_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        gate.set()
        await impatient.until(lambda: impatient.metric("ledger_up") == 0.0)
        with pytest.raises(LedgerUnavailable, match="has taken no facts for"):
            async with impatient.intake.between():
                raise AssertionError("it came between")
        other.execute("ROLLBACK")
    await impatient.until(lambda: impatient.intake.idle([source]))
    async with impatient.intake.between():  # it is free again
        assert source.acknowledged == [*HOME, V1]
    await impatient.stop()
