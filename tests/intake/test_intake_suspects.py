"""Suspects in a flow: each is noted before it is taken up, by the commit of what was before it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import event
from support import ledgers
from support.beside import Beside
from support.intaking import USERS, Running, Watched, fact
from support.ledgers import made
from support.samples import activation, device, hub, registration, user

from router.deciding.engine import Engine
from router.deciding.judgement import Found
from router.language.rules import Rules
from router.ledger.database import Use, open_database
from router.ledger.thread import LedgerThread

HOME = [fact(hub(), "hub"), fact(registration(), "registration")]
SUSPECTS = [fact(activation(version=f"9{n:03}"), f"v{n}") for n in range(30)]
NOTES = "SELECT digest, taken FROM suspects ORDER BY taken"


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    made(tmp_path).close()
    url = ledgers.url(tmp_path)
    with LedgerThread(open_database(url, Use.ROUTE, busy_seconds=0.01)) as ledger:
        running = Running(ledger, shipped_rules, shipped_engine)
        judgement = Watched(shipped_rules, USERS, shipped_engine)
        judgement.look = lambda _found, _waiting: None
        running.judgement = judgement
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Beside]:
    """Another program at the same ledger."""
    with Beside(ledgers.url(tmp_path)) as connection:
        yield connection


@contextmanager
def counted(running: Running) -> Iterator[list[str]]:
    """What was written in each commit that wrote anything, as one text."""
    commits: list[str] = []
    written: list[str] = []

    def statement(_connection: object, _cursor: object, text: str, *_: object) -> None:
        if text.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(text)

    def commit(_connection: object) -> None:
        if written:
            commits.append("; ".join(written))
        written.clear()

    engine = running.database.engine
    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", commit)
    yield commits
    event.remove(engine, "before_cursor_execute", statement)
    event.remove(engine, "commit", commit)


def watching(running: Running) -> Watched:
    assert isinstance(running.judgement, Watched)
    return running.judgement


@pytest.mark.parametrize("first", [1, 5])
async def test_a_note_costs_no_commit_of_its_own_while_facts_flow(
    running: Running, first: int
) -> None:
    """One for the first, where nothing comes before it; and others have their turn now and then."""
    await running.take(HOME)
    bodies = [*SUSPECTS]
    if first > 1:
        bodies.insert(0, fact(activation(version="8000"), "before"))
    with counted(running) as commits:
        await running.take(HOME, bodies, deliveries=dict.fromkeys(SUSPECTS, first))
    assert len(commits) == len(SUSPECTS) + 1
    assert len(running.verdicts()) == len(bodies)
    assert running.ask(NOTES) == []


async def test_hubs_that_come_again_cost_no_more(running: Running) -> None:
    """Nothing waits for them."""
    hubs = [fact(hub(device(n)), f"hub-{n}") for n in range(20)]
    with counted(running) as commits:
        await running.take(hubs, deliveries=dict.fromkeys(hubs, 1))
    assert len(commits) == len(hubs) + 1
    assert running.ask(NOTES) == []


async def test_one_at_a_time_is_noted_while_it_is_decided(running: Running, other: Beside) -> None:
    seen = []

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        ((arrival, _),) = found
        seen.append(arrival.message.body)
        noted = [(sha256(arrival.message.body).hexdigest(), 1)]
        assert other.execute(NOTES).fetchall() == noted

    await running.take(HOME)
    watching(running).look = look
    await running.take(HOME, SUSPECTS, deliveries=dict.fromkeys(SUSPECTS, 1))
    assert seen == SUSPECTS


async def test_the_same_body_behind_itself_is_noted_again(running: Running, other: Beside) -> None:
    seen = []
    await running.take(HOME)
    watching(running).look = lambda _found, _waiting: seen.append(other.execute(NOTES).fetchall())
    await running.take(HOME, [SUSPECTS[0]] * 3, deliveries={SUSPECTS[0]: 1})
    assert seen == [[(sha256(SUSPECTS[0]).hexdigest(), 1)]] * 3


async def test_what_ends_the_router_accuses_the_one_that_was_at_work(running: Running) -> None:
    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        if found[0][0].message.body == SUSPECTS[3]:
            raise ZeroDivisionError

    await running.take(HOME)
    watching(running).look = look
    await running.take(HOME, SUSPECTS, wait=False, deliveries=dict.fromkeys(SUSPECTS, 1))
    await asyncio.wait({running.task})
    assert running.task.exception() is not None
    assert running.ask(NOTES) == [(sha256(SUSPECTS[3]).hexdigest(), 1)]


async def test_a_reload_comes_between_two_of_them_and_finds_no_note(
    running: Running, other: Beside
) -> None:
    notes: list[object] = []
    tasks: list[asyncio.Task[None]] = []

    async def reload() -> None:
        async with running.intake.between():
            notes.append(other.execute(NOTES).fetchall())

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        if found[0][0].message.body in SUSPECTS[3:6]:
            tasks.append(asyncio.get_running_loop().create_task(reload()))

    await running.take(HOME)
    watching(running).look = look
    await running.take(HOME, SUSPECTS, deliveries=dict.fromkeys(SUSPECTS, 1))
    await asyncio.gather(*tasks)
    assert notes == [[], [], []]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_who_stops_the_router_accuses_nobody(running: Running, cancelled: bool) -> None:
    seen = asyncio.Event()

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        if found[0][0].message.body == SUSPECTS[3]:
            seen.set()
            if not cancelled:
                running.intake.stop()

    await running.take(HOME)
    watching(running).look = look
    gate = asyncio.Event()
    source = await running.take(
        HOME, SUSPECTS, wait=False, gate=gate, deliveries=dict.fromkeys(SUSPECTS, 1)
    )
    gate.set()
    await seen.wait()
    if cancelled:
        running.task.cancel()
    await asyncio.wait({running.task})
    assert source.acknowledged == SUSPECTS[: len(source.acknowledged)]
    assert 3 <= len(source.acknowledged) < len(SUSPECTS)
    assert running.ask(NOTES) == []
    again = await running.take(HOME, SUSPECTS, deliveries=dict.fromkeys(SUSPECTS, 2))
    assert again.acknowledged[-1] == SUSPECTS[-1]
    assert running.verdicts() == [(f"v{n}", user(1), "alerted") for n in range(30)]


async def test_behind_what_waits_for_a_hub_the_next_is_noted_later(
    running: Running, other: Beside
) -> None:
    """What is released meanwhile must not accuse it."""
    notes: dict[bytes, list[tuple[str, int]]] = {}

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        for arrival, _ in found:
            notes[arrival.message.body] = other.execute(NOTES).fetchall()

    await running.take([HOME[1]])
    watching(running).look = look
    again = [HOME[0], SUSPECTS[0]]
    await running.take([HOME[1]], again, deliveries=dict.fromkeys(again, 1))
    assert {body: [digest for digest, _ in found] for body, found in notes.items()} == {
        body: [sha256(body).hexdigest()] for body in (HOME[0], HOME[1], SUSPECTS[0])
    }
