"""What facts cost a whole router, from the message to the last answer: numbers, not time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pytest
from support.intaking import Fed, fact
from support.ledgers import standing
from support.relaying import Recipient, relaying
from support.relaying import Running as Relaying
from support.samples import NOW, activation, device, hub, registration, user

from router.deciding.engine import Engine
from router.deciding.judgement import Judgement
from router.domain.facts import Point
from router.domain.users import Role, ServiceUser
from router.intake.intake import Intake
from router.language.rules import Rules

pytestmark = pytest.mark.sqlite

P = ParamSpec("P")
T = TypeVar("T")
SUPPLIER = frozenset({Role.IMPORT_SUPPLIER, Role.EXPORT_SUPPLIER, Role.GAS_SUPPLIER})
USERS = {user(n): ServiceUser(user(n), f"User {n}", SUPPLIER) for n in (1, 2, 3)}
POINTS = tuple(Point)
STATEMENTS = 62
"""For a lone fact with three Alerts, their answers included; the first, so what repeats gets its
numbers."""
ROWS = 1 + 1 + 1 + 3 + 3 + 3 + 3 + 3 + 3
"""Of a fact: it, its grounds, what its hub runs; three each of decisions, Alerts, deliveries,
attempts, outcomes and what became of deliveries."""


class Threads(ThreadPoolExecutor):
    """Counts what is handed to another thread than the ledger's."""

    hops = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.hops += 1
        return super().submit(fn, *args, **kwargs)


def home(number: int) -> list[bytes]:
    """A hub with a meter point for each user."""
    found = [fact(hub(device(number)), f"hub {number}")]
    for place, point in enumerate(POINTS):
        mpxn = f"{10**9 + number}" if point is Point.MPRN else f"{10**12 * (place + 1) + number}"
        data = registration(mpxn, user(place + 1), point=point, device_id=device(number))
        found.append(fact(data, f"{point} {number}"))
    return found


async def spent(folder: Path, rules: Rules, engine: Engine, count: int) -> tuple[Counter[str], int]:
    """The statements, and the hops to other threads, for so many activations that come together.

    A row of many is a statement each time.
    """
    threads = Threads(1)
    asyncio.get_running_loop().set_default_executor(threads)
    homes = [each for number in range(1, count + 1) for each in home(number)]
    activations = [fact(activation(device(n)), f"a {n}") for n in range(1, count + 1)]
    async with relaying(folder, *[Recipient(batch=1000) for _ in USERS]) as running:
        await taken(running, rules, engine, Fed([homes], f"sqlite:///{folder}/ledger.db"))
        found: Counter[str] = Counter()
        driver: Any = running.ledger.database.connection.connection.driver_connection

        def begin() -> None:
            threads.hops = 0
            driver.set_trace_callback(lambda text: found.update([text.split(None, 1)[0]]))

        source = Fed([homes, activations], f"sqlite:///{folder}/ledger.db")
        await taken(running, rules, engine, source, begin)
        assert source.acknowledged == activations
        driver.set_trace_callback(None)
        assert await running.states() == ["delivered"] * count
    return found, threads.hops


async def taken(
    running: Relaying,
    rules: Rules,
    engine: Engine,
    source: Fed,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Have an intake take all of it, and the relay send what follows."""
    lanes = {user(place): [number] for place, number in enumerate(running.lanes, 1)}
    intake = Intake(
        running.ledger,
        Judgement(rules, USERS, engine),
        standing(lanes),
        outlet=running.relay,
        metrics=running.metrics,
        clock=lambda: NOW,
    )
    source.gate = asyncio.Event()
    taking = asyncio.create_task(intake.run("drop", source))
    await source.started.wait()
    await running.quiet()
    begin()
    source.gate.set()
    await running.until(lambda: intake.idle([source]) and running.relay.idle())
    intake.stop()
    await taking


async def test_a_lone_fact_costs_two_commits_and_no_other_hop(
    tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine
) -> None:
    """Each is one hop to the ledger's thread: to decide and claim, and to settle three answers."""
    found, hops = await spent(tmp_path, shipped_rules, shipped_engine, 1)
    assert (found["BEGIN"], found["COMMIT"], hops) == (2, 2, 0)
    assert found.total() <= STATEMENTS


async def test_a_hundred_together_cost_as_many_commits_as_one(
    tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine
) -> None:
    found, hops = await spent(tmp_path, shipped_rules, shipped_engine, 100)
    assert (found["BEGIN"], found["COMMIT"]) == (2, 2)
    assert hops == 1  # they are read beside the loop, which has other things to do
    rows = found["INSERT"] + found["UPDATE"]
    assert rows <= 100 * ROWS + 20
    assert found.total() - rows <= 30
