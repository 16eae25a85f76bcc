"""What may have killed the router is noted, decided alone, and given up after its third note."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from support import ledgers
from support.beside import Beside
from support.intaking import USERS, Fed, Running, Watched, fact
from support.ledgers import made
from support.samples import NOW, activation, hub, registration, user

from router.deciding.engine import Engine
from router.deciding.judgement import Found
from router.language.rules import Rules
from router.ledger.actions import Operator, release_reason
from router.ledger.database import Use, open_database
from router.ledger.thread import LedgerThread

HOME = [fact(hub(), "hub"), fact(registration(), "registration")]
V1, V2, V3 = (fact(activation(version=f"900{n}"), f"v{n}") for n in (1, 2, 3))
NOTES = "SELECT digest, taken FROM suspects ORDER BY taken"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerThread]:
    made(tmp_path).close()
    url = ledgers.url(tmp_path)
    with LedgerThread(open_database(url, Use.ROUTE, busy_seconds=0.01)) as opened:
        yield opened


@pytest.fixture
def judgement(shipped_rules: Rules, shipped_engine: Engine) -> Watched:
    found = Watched(shipped_rules, USERS, shipped_engine)
    found.look = lambda _found, _waiting: None
    return found


@pytest.fixture
def running(ledger: LedgerThread, shipped_rules: Rules, judgement: Watched) -> Running:
    running = Running(ledger, shipped_rules, judgement.engine)
    running.judgement = judgement
    return running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Beside]:
    """Another program at the same ledger."""
    with Beside(ledgers.url(tmp_path)) as connection:
        yield connection


def note(other: Beside, body: bytes, taken: int) -> None:
    """As routers left it that died over this body."""
    row = ("drop", sha256(body).hexdigest(), taken)
    other.execute("INSERT INTO suspects VALUES (?, ?, ?, 0)", row)


async def test_suspects_are_decided_alone_between_their_neighbours(running: Running) -> None:
    gate = asyncio.Event()
    bodies = [*HOME, V1, V2, V3]
    source = await running.take(bodies, wait=False, gate=gate, deliveries={V1: 1, V2: 4})
    gate.set()
    await running.until(lambda: running.intake.idle([source]))
    await running.stop()
    assert source.acknowledged == bodies
    assert [piece for piece in source.pieces if V1 in piece or V2 in piece] == [[V1], [V2]]
    assert [each[0] for each in running.verdicts()] == ["v1", "v2", "v3"]
    assert running.metric("intake_redelivered_messages_total", source="drop") == 2
    assert running.metric("intake_messages_total", source="drop") == 5
    assert running.ask(NOTES) == []


async def test_a_suspect_is_noted_while_it_is_decided_and_nobody_else(
    running: Running, judgement: Watched, other: Beside
) -> None:
    seen: dict[bytes, list[tuple[str, int]]] = {}

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        for arrival, _ in found:
            seen[arrival.message.body] = other.execute(NOTES).fetchall()

    judgement.look = look
    await running.take([*HOME, V1, V2], deliveries={V1: 1})
    assert seen == {HOME[0]: [], HOME[1]: [], V1: [(sha256(V1).hexdigest(), 1)], V2: []}
    assert running.ask(NOTES) == []


@pytest.mark.parametrize(("taken", "given_out"), [(0, 1), (0, 20), (1, 20), (2, 2)])
async def test_ordinary_kills_and_lost_connections_condemn_nobody(
    running: Running, other: Beside, taken: int, given_out: int
) -> None:
    if taken:
        note(other, V1, taken)
    await running.take([*HOME, V1], deliveries=dict.fromkeys([*HOME, V1], given_out))
    assert running.verdicts() == [("v1", user(1), "alerted")]
    assert running.waiting() == []
    assert running.ask(NOTES) == []


@pytest.mark.parametrize("body", [V1, b"{not even JSON"])
async def test_after_its_third_note_it_is_not_read_again(
    running: Running, judgement: Watched, other: Beside, body: bytes
) -> None:
    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        assert body not in {arrival.message.body for arrival, _ in found}

    judgement.look = look
    note(other, body, 2)
    source = await running.take([*HOME, body, V2], deliveries={body: 3})
    assert source.acknowledged == [*HOME, body, V2]
    assert running.waiting() == ["engine"]
    assert running.ask("SELECT body, event_id, origin FROM quarantined") == [
        (body, None, "drop feed:3")
    ]
    assert running.metric("facts_quarantined_total", source="drop", reason="engine") == 1
    assert running.verdicts() == [("v2", user(1), "alerted")]
    assert running.ask(NOTES) == []


async def test_the_same_again_behind_what_was_given_up_is_as_any_other(
    running: Running, other: Beside
) -> None:
    note(other, V1, 3)
    await running.take([*HOME, V1, V2], deliveries={V1: 3, V2: 1})
    again = await running.take([*HOME, V1, V2], [V1, V2], deliveries={V2: 2})
    assert again.acknowledged == [V1, V2]  # the engine can do it now: both are decided, once
    assert [each[0] for each in running.verdicts()] == ["v2", "v1"]
    assert running.metric("facts_duplicate_total", source="drop") == 1


async def held_after_its_note(running: Running, other: Beside) -> Fed:
    """A suspect was noted and can't be recorded, as another program locks the ledger."""
    await running.take(HOME)

    def lock() -> None:
        if not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")

    running.before_recording = lock
    source = await running.take(HOME, [V1], wait=False, deliveries={V1: 2})
    await running.until(lambda: running.metric("ledger_up") == 0.0)
    assert other.execute(NOTES).fetchall() == [(sha256(V1).hexdigest(), 2)]
    running.before_recording = lambda: None
    return source


@pytest.mark.parametrize("cancelled", [False, True])
async def test_who_stops_the_router_does_not_accuse_what_it_had_in_hand(
    running: Running, other: Beside, cancelled: bool
) -> None:
    note(other, V1, 1)
    source = await held_after_its_note(running, other)
    other.execute("ROLLBACK")
    if cancelled:
        running.task.cancel()
        await asyncio.wait({running.task})
    else:
        await running.stop()
    assert source.acknowledged == []
    assert [taken for _, taken in running.ask(NOTES)] == [1]


async def test_a_router_that_stops_gives_back_the_suspects_it_has_not_begun(
    running: Running, judgement: Watched
) -> None:
    judgement.look = lambda _found, _waiting: running.intake.stop()
    gate = asyncio.Event()
    bodies = [*HOME, V1, V2]
    source = await running.take(bodies, wait=False, gate=gate, deliveries={V1: 1, V2: 1})
    gate.set()
    await running.task
    assert source.acknowledged == source.left_with
    assert V2 not in source.acknowledged
    assert running.ask(NOTES) == []


async def test_an_error_that_ends_the_router_counts_as_a_kill(
    running: Running, judgement: Watched
) -> None:
    def look(_found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        raise ZeroDivisionError

    await running.take(HOME)
    judgement.look = look
    await running.take(HOME, [V1], wait=False, deliveries={V1: 1})
    await asyncio.wait({running.task})
    assert running.task.exception() is not None
    assert running.ask(NOTES) == [(sha256(V1).hexdigest(), 1)]


async def test_what_waits_for_the_hub_of_a_suspect_is_decided_behind_it(
    running: Running, judgement: Watched
) -> None:
    judged: list[set[bytes]] = []

    def look(found: Sequence[Found], waiting: Sequence[Found]) -> None:
        judged.append({arrival.message.body for arrival, _ in (*found, *waiting)})

    await running.take([V1, HOME[1]])
    judgement.look = look
    await running.take([V1, HOME[1]], [HOME[0]], deliveries={HOME[0]: 1})
    assert judged == [{HOME[0]}, {HOME[1]}, {V1}]  # registrations first
    assert running.verdicts() == [("v1", user(1), "alerted")]
    assert running.waiting() == []


async def test_what_is_released_is_noted_and_alone_once_it_was_noted_before(
    running: Running, judgement: Watched, other: Beside
) -> None:
    judged: list[tuple[set[bytes], int]] = []

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        notes = other.execute(NOTES).fetchall()
        judged.append(({arrival.message.body for arrival, _ in found}, len(notes)))

    bad = [b"{1", b"{2", b"{3"]
    note(other, V3, 3)
    await running.take([*HOME, *bad, V3], deliveries={V3: 3})
    assert running.waiting() == ["engine", "malformed", "malformed", "malformed"]
    for reason in ("engine", "malformed"):
        release_reason(running.database, reason, Operator("someone", NOW))
    note(other, bad[1], 1)
    judgement.look = look
    await running.take([], wait=False)
    await running.intake.release()
    await running.stop()
    assert judged == [
        ({bad[0]}, 2),
        ({bad[1]}, 1),
        ({bad[2]}, 1),
        ({V3}, 1),
    ]
    assert running.verdicts() == [("v3", user(1), "alerted")]
    assert running.ask(NOTES) == []


async def test_after_a_death_nothing_is_taken_up_alone_before_the_router_has_lived_a_moment(
    running: Running, other: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends each router soon after its start accuses nobody."""
    monkeypatch.setattr("router.intake.intake.SETTLED", 3600.0)
    note(other, V2, 2)
    gate = asyncio.Event()
    source = await running.take([*HOME, V1, V2, V3], wait=False, gate=gate, deliveries={V2: 3})
    running.intake.beware(3)
    gate.set()
    await running.until(lambda: V1 in source.acknowledged)
    await asyncio.sleep(0.05)
    assert running.ask(NOTES) == [(sha256(V2).hexdigest(), 2)]
    await running.stop()
    assert source.acknowledged == [*HOME, V1]


async def test_what_left_quarantine_waits_for_that_moment_too(
    running: Running, other: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.take([b"{1"])
    release_reason(running.database, "malformed", Operator("someone", NOW))
    note(other, b"{1", 1)
    monkeypatch.setattr("router.intake.intake.SETTLED", 3600.0)
    await running.take([], wait=False)
    running.intake.beware(1)
    releasing = asyncio.create_task(running.intake.release())
    await asyncio.sleep(0.05)
    assert [taken for _, taken in running.ask(NOTES)] == [1]
    await running.stop()
    assert await releasing == 0


async def test_a_router_that_has_lived_a_moment_takes_up_what_was_noted(
    running: Running, other: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.intake.intake.SETTLED", 0.01)
    note(other, V1, 1)
    gate = asyncio.Event()
    source = await running.take([*HOME, V1], wait=False, gate=gate)
    running.intake.beware(2)
    gate.set()
    await running.until(lambda: running.intake.idle([source]))
    await running.stop()
    assert running.verdicts() == [("v1", user(1), "alerted")]
    assert running.ask(NOTES) == []
