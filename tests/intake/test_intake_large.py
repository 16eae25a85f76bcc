"""Facts that are as large as they may be: what a batch holds, and who reads them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.intaking import Running, fact
from support.ledgers import made
from support.samples import HUB, body, hub, registration
from support.steps import counted_async

from router.deciding.engine import Engine
from router.domain.facts import MAX_BODY
from router.domain.words import FactType
from router.intake.gathered import BATCH_BYTES
from router.language.rules import Rules
from router.ledger.quarantine import PORTION_BYTES, released, waiting_for
from router.ledger.thread import LedgerThread

OBJECTS = 30_000


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


def large(number: int, size: int = MAX_BODY) -> bytes:
    """A hub fact of that size: mostly objects that mean nothing to us."""
    raw = body(
        {**hub().model_dump(mode="json"), "note": "HERE"},
        id=f"large-{number}",
        type=FactType.HUB.value,
        time="2026-01-01T00:00:00Z",
    )
    room = size - len(raw) + len(b'"HERE"')
    note = "[" + ",".join(["{}"] * OBJECTS) + "]"
    assert len(note) < room
    return raw.replace(b'"HERE"', (note + " " * (room - len(note))).encode())


async def test_a_batch_is_bounded_in_bytes(running: Running) -> None:
    bodies = [large(number) for number in range(9)]
    source = await running.take(bodies)
    assert source.acknowledged == bodies
    sizes = [sum(map(len, piece)) for piece in source.pieces]
    assert max(sizes) < BATCH_BYTES + MAX_BODY
    assert len(sizes) >= 4


async def test_a_batch_of_usual_facts_is_not_parted(running: Running) -> None:
    facts = [fact(hub(), f"hub-{number}") for number in range(500)]
    source = await running.take(facts)
    assert [len(piece) for piece in source.pieces] == [500]


async def test_large_facts_are_not_read_on_the_loop(running: Running) -> None:
    bodies = [large(number) for number in range(4)]
    threads = threading.active_count()
    steps = await counted_async(lambda: running.take(bodies))
    assert json.loads(bodies[0])["id"] == "large-0"
    assert threading.active_count() > threads
    assert steps < OBJECTS  # each of them has a call for each of its objects
    assert running.ask("SELECT count(*) FROM facts") == [(4,)]


async def test_what_waits_for_a_hub_is_taken_along_by_its_bytes(running: Running) -> None:
    early = [
        body(
            {**registration().model_dump(mode="json"), "note": "x" * 250_000},
            id=f"early-{number}",
            type=FactType.REGISTRATION.value,
            time=f"2026-01-0{number + 1}T00:00:00Z",
        )
        for number in range(5)
    ]
    await running.take(early)
    assert running.waiting() == ["unknown_hub"] * 5
    with running.database.transaction() as connection:
        assert waiting_for(connection, [HUB], [HUB], running.now) == ([], False)
    await running.take(early, [fact(hub(), "hub")])
    assert running.waiting() == []
    assert running.ask("SELECT count(*) FROM facts") == [(6,)]
    portions = running.ask("SELECT count(*), sum(length(body)) FROM facts GROUP BY link")
    assert max(count for count, _ in portions) == 2
    assert all(size <= PORTION_BYTES for _, size in portions)
    term = running.judgement.acceptance.await_registration
    assert released(running.database, running.now, term, registrations_only=False) == []
