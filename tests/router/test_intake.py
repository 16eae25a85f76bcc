"""From a source into the ledger: once, in order, and only then acknowledged."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import ask, lane_of, made, standing
from samples import GAS, NOW, activation, body, device, hub, mpan, registration, user

from router.engine import Engine
from router.facts import Activation, Data, Point
from router.intake import Intake
from router.judgement import Judgement
from router.ledger.actions import Operator, release_reason
from router.ledger.intake import read_cursors
from router.ledger.opening import Use, open_database
from router.ledger.thread import LedgerThread
from router.metrics import Metrics
from router.ports import Cursor, Message, Options
from router.rules import Rules, load
from router.users import Role, ServiceUser

SHIPPED = Path(__file__).parents[2] / "rules"
SUPPLIER = frozenset({Role.IMPORT_SUPPLIER, Role.EXPORT_SUPPLIER, Role.GAS_SUPPLIER})
USERS = {user(n): ServiceUser(user(n), f"User {n}", SUPPLIER) for n in (1, 2)}


@pytest.fixture(scope="module")
def rules() -> Rules:
    found, problems = load(SHIPPED)
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def engine(rules: Rules) -> Iterator[Engine]:
    with closing(Engine(rules)) as made_once:
        yield made_once


class Fed:
    """A source that gives one group at a time: the next when this one is acknowledged."""

    Config: ClassVar[type[Options]] = Options

    def __init__(self, groups: Sequence[Sequence[bytes]], ledger: Path) -> None:
        self.groups = groups
        self.ledger = ledger
        self.acknowledged: list[bytes] = []
        self.given = 0
        self.all_given = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.started = asyncio.Event()
        self._next = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Nothing to close."""

    async def messages(self, cursors: Mapping[str, Cursor]) -> AsyncIterator[Message]:
        """From where the ledger says that we were."""
        skip = cursors["feed"].offset if "feed" in cursors else 0
        self.started.set()
        if self.gate is not None:
            await self.gate.wait()
        for group in self.groups:
            for raw in group:
                self.given += 1
                if self.given > skip:
                    yield Message(raw, f"feed:{self.given}", Cursor("feed", self.given, self.given))
            if self.given > skip:
                await self._next.wait()
                self._next.clear()
        self.all_given.set()
        await asyncio.Event().wait()

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Only what another process can read in the ledger by now may be acknowledged."""
        with closing(sqlite3.connect(self.ledger)) as connection:
            ((offset,),) = connection.execute("SELECT offset FROM cursors")
        last = messages[-1].cursor
        assert last is not None
        assert last.offset <= offset
        self.acknowledged += [each.body for each in messages]
        self._next.set()

    def exhausted(self) -> bool:
        """True when all was given."""
        return self.all_given.is_set()


class Running:
    """An intake with the shipped rules on a real ledger."""

    def __init__(self, ledger: LedgerThread, rules: Rules, engine: Engine) -> None:
        self.ledger = ledger
        self.database = database = ledger.database
        self.metrics = Metrics()
        self.lanes = {name: [lane_of(database, name)] for name in USERS}
        self.notified: set[int] = set()
        self.judgement = Judgement(rules, USERS, engine)

    async def take(
        self, *groups: Sequence[bytes], wait: bool = True, gate: asyncio.Event | None = None
    ) -> Fed:
        """Take these groups in, each as one batch; not before the gate opens."""
        self.intake = Intake(
            self.ledger,
            self.judgement,
            standing(self.lanes),
            notify=self.notified.update,
            metrics=self.metrics,
            clock=lambda: NOW,
        )
        source = Fed(groups, Path(str(self.database.engine.url.database)))
        source.gate = gate
        self.metrics.ledger_up.set(1)
        self.task = asyncio.create_task(self.intake.run("drop", source))
        await self.until(source.started.is_set)
        if wait:
            await self.until(lambda: self.intake.idle([source]))
            await self.stop()
        return source

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to come true; the limit is there to fail, not to measure."""
        for _ in range(20_000):
            if done():
                return
            assert not self.task.done(), self.task
            await asyncio.sleep(0.001)
        await self.stop()
        raise AssertionError("it did not happen")

    async def stop(self) -> None:
        self.intake.stop()
        await self.task

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        return ask(self.database, question)

    def verdicts(self) -> list[tuple[str, str | None, str]]:
        """(event, company, verdict), in the order of decision."""
        return [
            (row[0], row[1], row[2])
            for row in self.ask(
                "SELECT event_id, party_id, verdict FROM decisions d JOIN facts f ON f.id = fact_id"
                " ORDER BY d.id"
            )
        ]

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 where nothing was counted."""
        return self.metrics.registry.get_sample_value(f"hubherald_{name}", labels) or 0.0

    def waiting(self) -> list[str]:
        """The reasons of what is in quarantine, sorted."""
        return [row[0] for row in self.ask("SELECT reason FROM holding ORDER BY reason")]


@pytest.fixture
def running(tmp_path: Path, rules: Rules, engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, rules, engine)


def fact(data: Data, event_id: str, *, time: str = "2026-01-01T00:00:00Z") -> bytes:
    more: dict[str, str] = {} if isinstance(data, Activation) else {"time": time}
    return body(json.loads(data.model_dump_json()), id=event_id, type=data.type.value, **more)


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


async def test_within_a_batch_facts_apply_in_order_of_arrival(running: Running) -> None:
    pending = fact(hub(status="Pending"), "pending", time="2026-01-02T00:00:00Z")
    await running.take([*HOME, V1, pending, fact(activation(version="9003"), "v2")])
    assert running.verdicts() == [("v1", user(1), "alerted"), ("v2", user(1), "suppressed")]


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
        connection.exec_driver_sql(
            'INSERT INTO hubs (device_id, status, smets_version, "groups", updated_at)'
            " VALUES (?, 'Commissioned', 'SMETS2', '[]', 0)",
            (device(1),),
        )
    await running.take([], wait=False)
    assert await running.intake.release() == 1
    await running.stop()
    assert running.waiting() == []
    assert running.verdicts() == [("v1", None, "no_recipient")]


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


@pytest.fixture
def impatient(tmp_path: Path, rules: Rules, engine: Engine) -> Iterator[Running]:
    made(tmp_path).close()
    url = f"sqlite:///{tmp_path}/ledger.db"
    with LedgerThread(open_database(url, Use.ROUTE, busy_seconds=0.01)) as ledger:
        yield Running(ledger, rules, engine)


async def test_while_the_ledger_is_locked_nothing_is_acknowledged_or_lost(
    impatient: Running, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    source = await impatient.take([*HOME, V1], wait=False, gate=gate)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
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
    source = await impatient.take([*HOME, V1], wait=False, gate=gate)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        gate.set()
        await impatient.until(lambda: impatient.metric("ledger_up") == 0.0)
        await impatient.stop()
        other.execute("ROLLBACK")
    assert source.acknowledged == []
    assert impatient.ask("SELECT count(*) FROM facts") == [(0,)]


# --- batches make no difference -------------------------------------------------------------

NUMBERS = st.integers(1, 3)
HUBS = st.builds(
    lambda number, status, day: (hub(device(number), status=status), day),
    NUMBERS,
    st.sampled_from(["Commissioned", "Commissioned", "Pending"]),
    st.integers(1, 3),
)
REGISTRATIONS = st.builds(
    lambda number, point, supplier, day: (
        registration(
            GAS if point is Point.MPRN else mpan(number % 2),
            user(supplier),
            point=point,
            device_id=device(number),
        ),
        day,
    ),
    NUMBERS,
    st.sampled_from([Point.IMPORT_MPAN, Point.MPRN]),
    NUMBERS,
    st.integers(1, 3),
)
ACTIVATIONS = st.builds(
    lambda number, version: (activation(device(number), version), 1),
    NUMBERS,
    st.sampled_from(["9002", "9003"]),
)
IDS = st.sampled_from("abcdefgh")
BODIES = st.one_of(
    st.builds(
        lambda each, event_id: fact(each[0], event_id, time=f"2026-01-0{each[1]}T00:00:00Z"),
        HUBS | REGISTRATIONS | ACTIVATIONS | ACTIVATIONS,
        IDS,
    ),
    st.just(b"{no"),
)
TOLD = {
    "facts": "SELECT source, event_id, effect, content_digest FROM facts ORDER BY 1, 2",
    "decisions": "SELECT event_id, party_id, role, verdict, rule FROM decisions d"
    " JOIN facts f ON f.id = fact_id ORDER BY 1, 2, 3",
    "alerts": "SELECT service_user_id, sequence, alert_id, event FROM alerts ORDER BY 1, 2",
    "deliveries": "SELECT lane_id, sequence, state FROM deliveries ORDER BY 1, 2",
    "holding": "SELECT q.reason, event_id, content_digest FROM quarantined q"
    " JOIN holding ON quarantined_id = id ORDER BY 1, 2, 3",
    "hubs": "SELECT * FROM hubs ORDER BY 1",
    "registrations": "SELECT * FROM registrations ORDER BY 1, 2, 3",
    "firmware": "SELECT * FROM firmware ORDER BY 1",
    "cursors": "SELECT * FROM cursors",
}
"""What must be the same; not the records of what was in quarantine for a while."""


def outcome(
    groups: Sequence[Sequence[bytes]], rules: Rules, engine: Engine
) -> dict[str, list[tuple[Any, ...]]]:
    """What the ledger says when these batches have been taken in."""
    with tempfile.TemporaryDirectory() as folder, LedgerThread(made(Path(folder))) as ledger:
        running = Running(ledger, rules, engine)
        asyncio.run(running.take(*groups))
        return {name: running.ask(question) for name, question in TOLD.items()}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(BODIES, min_size=1, max_size=6), min_size=1, max_size=4))
def test_how_facts_are_cut_into_batches_makes_no_difference(
    rules: Rules, engine: Engine, groups: list[list[bytes]]
) -> None:
    found = outcome(groups, rules, engine)
    alone = [[each] for group in groups for each in group]
    together = [[each for group in groups for each in group]]
    for other in (alone, together):
        again = outcome(other, rules, engine)
        for name in TOLD:
            assert again[name] == found[name], name
    for told in USERS:
        sequences = [row[1] for row in found["alerts"] if row[0] == told]
        assert sequences == list(range(1, len(sequences) + 1))
