"""What is in hand is bounded in messages and bytes, and what is cut is told from its like."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.intaking import Running, fact
from support.ledgers import made
from support.samples import NOW, hub

from router.deciding.engine import Engine
from router.intake import gathered as module
from router.intake.gathered import GATHER, Gathered
from router.language.rules import Rules
from router.ledger.actions import Operator, release_reason
from router.ledger.thread import LedgerThread
from router.ports import MAX_BODY, Cursor, Message


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


def message(body: bytes) -> Message:
    return Message(body, "feed:1", evidence={"id": "1"})


async def test_bytes_in_hand_are_bounded_until_they_are_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IN_HAND_BYTES", 100)
    hand = Gathered()
    for body in (b"a" * 40, b"b" * 40):
        await hand.put(message(body))
    late = asyncio.create_task(hand.put(message(b"c" * 40)))
    given = await hand.batch()
    assert len(given) == 2
    await asyncio.sleep(0.01)
    assert not late.done()
    hand.settled(given)
    await late
    assert [each.body for each in await hand.batch() if isinstance(each, Message)] == [b"c" * 40]


async def test_one_that_is_larger_than_all_there_is_room_for_comes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IN_HAND_BYTES", 10)
    hand = Gathered()
    await hand.put(message(b"a" * 40))
    hand.settled(await hand.batch())
    await hand.put(message(b"b" * 40))
    assert len(await hand.batch()) == 1


async def test_a_batch_is_what_has_come_and_never_more_than_its_most() -> None:
    hand = Gathered()
    for number in range(GATHER + 5):
        await hand.put(Cursor("feed", number))
    assert [len(await hand.batch()) for _ in range(2)] == [GATHER, 5]


async def test_who_keeps_up_waits_for_nothing_and_who_does_not_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REST", 60.0)
    hand = Gathered()
    hand.rest(60.0, 1)
    await hand.put(Cursor("feed", 1))
    assert len(await hand.batch()) == 1
    hand.rest(60.0, 2)
    await hand.put(Cursor("feed", 2))
    later = asyncio.create_task(hand.batch())
    await asyncio.sleep(0.01)
    assert not later.done()
    later.cancel()


async def test_large_bodies_that_begin_alike_are_each_in_quarantine(running: Running) -> None:
    start = b"{" * (MAX_BODY + 1)
    bodies = [start + b"%d" % number for number in range(40)]
    await running.take([*bodies, *bodies[:5]])
    assert running.waiting() == ["too_large"] * 40
    kept = running.ask("SELECT length(body), evidence FROM quarantined")
    assert {size for size, _ in kept} == {MAX_BODY + 1}
    assert len({evidence for _, evidence in kept}) == 40


async def test_released_they_wait_under_the_same_record(running: Running) -> None:
    start = b"{" * (MAX_BODY + 1)
    await running.take([start + b"1", start + b"2"])
    release_reason(running.database, "too_large", Operator("someone", NOW))
    await running.take([], wait=False)
    await running.intake.release()
    await running.stop()
    assert running.waiting() == ["too_large"] * 2
    assert running.ask("SELECT count(*) FROM quarantined") == [(2,)]


async def test_a_source_with_large_facts_goes_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_HAND_BYTES", 2_000)
    facts = [fact(hub(), f"hub-{number}") for number in range(50)]
    source = await running.take(facts)
    assert source.acknowledged == facts
