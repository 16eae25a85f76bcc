"""A machine's clock that is set forward and back: nothing bursts, stalls, or is parked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support import intaking
from support.ledgers import ask, fill, lane_of, made
from support.machine import Machine
from support.relaying import NOTHING, Recipient, Running, Slow, relaying
from support.samples import NOW, activation, device, hub, user

from router.deciding.engine import Engine
from router.delivery.relay import Relay
from router.domain.timestamps import moment, stamp
from router.lanes.values import Offer
from router.language.rules import Rules
from router.ledger.actions import Operator
from router.ledger.alerts import retry
from router.ledger.database import Use, open_database
from router.ledger.inventory import write_hubs
from router.ledger.queries.wanted import Filter
from router.ledger.thread import LedgerThread
from router.metrics.metrics import Metrics
from router.ports import Delivered, Reason, Retry
from router.service.timekeeping import Timekeeper

DAYS = timedelta(days=2)
HOUR = timedelta(hours=1)
FAILED = Retry(Reason.SERVER, "503")


@asynccontextmanager
async def free() -> AsyncIterator[None]:
    """No facts are being decided here."""
    yield


def keeper(running: Running) -> Timekeeper:
    return Timekeeper(
        running.relay.clock,
        ledger=running.ledger,
        relay=running.relay,
        pause=free,
        metrics=running.metrics,
    )


@pytest.mark.parametrize("step", [DAYS, -DAYS])
async def test_a_step_moves_what_waits_along(tmp_path: Path, step: timedelta) -> None:
    machine, answers = Machine(), iter([FAILED])
    recipient = Recipient(lambda _number, _delivery: next(answers, Delivered()))
    async with relaying(tmp_path, recipient) as running:
        running.relay.clock = clock = machine.clock()
        await running.record([device(1)])
        await running.until(lambda: running.lane().rest_until is not None)
        due = running.lane().rest_until
        assert due is not None
        machine.wall += step
        await running.quiet()
        assert len(recipient.bodies) == 1  # nothing before the step is followed
        with capture_logs() as logs:
            await keeper(running).look()
        assert [each["event"] for each in logs] == ["clock.step"]
        assert clock() == machine.wall
        assert running.lane().rest_until == due + step
        await running.quiet()
        assert len(recipient.bodies) == 1  # nor at once after it
        machine.passes((due - NOW).total_seconds())
        running.relay.take(Offer(), NOTHING)
        await running.idle()
        assert await running.states() == ["delivered"]
        assert running.metric("clock_steps_total") == 1
        assert running.metric("ledger_ahead_seconds") == max(0.0, -step.total_seconds())
        await keeper(running).look()  # and there is no second
        assert running.metric("clock_steps_total") == 1


@pytest.mark.parametrize("step", [DAYS, -DAYS])
async def test_an_operators_retry_works_after_a_step(tmp_path: Path, step: timedelta) -> None:
    machine, answers = Machine(), iter([FAILED] * 3)
    recipient = Recipient(lambda _number, _delivery: next(answers, Delivered()))
    async with relaying(tmp_path, recipient) as running:
        running.relay.clock = machine.clock()
        await running.record([device(1)])
        await running.until(lambda: running.lane().rest_until is not None)
        await running.quiet()
        machine.wall += step
        await keeper(running).look()
        with_url = f"sqlite:///{tmp_path}/ledger.db"
        beside = open_database(with_url, Use.CHANGE)
        assert retry(beside, Filter(), Operator("someone", machine.wall), hold={}) == 1
        beside.close()
        running.relay.refresh()
        await running.until(lambda: len(recipient.bodies) == 2)


@pytest.mark.parametrize("step", [DAYS, -DAYS])
async def test_an_answer_that_is_not_written_yet_is_moved_along_too(
    tmp_path: Path, step: timedelta
) -> None:
    recipient = Slow(lambda *_: FAILED)
    async with relaying(tmp_path, recipient) as running:
        await running.record([device(1)])
        await running.until(lambda: bool(recipient.requests))
        rests = []

        async def meanwhile() -> None:
            recipient.may_answer.set()
            await running.until(lambda: running.lane().rest_until is not None)
            rests.append(running.lane().rest_until)
            running.now += step
            running.relay.move_along(step)

        await running.relay.between(meanwhile)
        await running.quiet()
        ((due,),) = await running.ask("SELECT due_at FROM deliveries")
        assert rests == [moment(due) - step]


async def test_a_ledger_from_the_future_is_told_at_the_start_and_stalls_nothing(
    tmp_path: Path,
) -> None:
    database = made(tmp_path)
    lane = lane_of(database)
    fill(database, [device(1)], {user(1): [lane]}, at=NOW + DAYS)
    metrics = Metrics()
    with LedgerThread(database) as ledger:
        async with relaying_nothing(ledger, metrics) as running:
            with capture_logs() as logs:
                await running.begin()
    (told,) = logs
    assert (told["event"], told["seconds"], told["deliveries"]) == ("clock.step", -172_800, 1)
    assert metrics.registry.get_sample_value("hubherald_ledger_ahead_seconds") == 172_800
    reopened = open_database(f"sqlite:///{tmp_path}/ledger.db", Use.READ)
    ((due,),) = ask(reopened, "SELECT due_at FROM deliveries")
    reopened.close()
    assert moment(due) == NOW


async def test_what_waits_for_a_registration_has_not_waited_while_no_router_ran(
    tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine
) -> None:
    """Nor are the seconds of a clock that was set meanwhile: nobody can tell them apart."""
    with LedgerThread(made(tmp_path)) as ledger:
        intake = intaking.Running(ledger, shipped_rules, shipped_engine)
        await intake.take([intaking.fact(hub(), "hub"), intaking.fact(activation(), "v1")])
        for at in (NOW + DAYS, NOW + HOUR):
            async with relaying_nothing(ledger, Metrics(), at) as running:
                await running.begin()
            assert intake.ask("SELECT waits_since FROM holding") == [(stamp(at),)]


@asynccontextmanager
async def relaying_nothing(
    ledger: LedgerThread, metrics: Metrics, now: datetime = NOW
) -> AsyncIterator[Timekeeper]:
    relay = Relay(
        ledger, [], withdrawn=lambda _known, _pairs: set(), metrics=metrics, clock=lambda: now
    )
    yield Timekeeper(lambda: now, ledger=ledger, relay=relay, pause=free, metrics=metrics)


async def test_an_import_from_the_future_makes_no_right_fact_stale(tmp_path: Path) -> None:
    database = made(tmp_path)
    with database.transaction() as connection:
        write_hubs(connection, [(hub(), NOW + DAYS)])
        Operator("someone", NOW + DAYS).record(connection, "inventory import", {})
    metrics = Metrics()
    with LedgerThread(database) as ledger:
        async with relaying_nothing(ledger, metrics) as running:
            with capture_logs() as logs:
                await running.begin()
        assert await ledger.call(ask, "SELECT updated_at FROM hubs") == [(stamp(NOW),)]
    (told,) = logs
    assert (told["event"], told["hubs"], told["deliveries"]) == ("clock.step", 1, 0)
    assert "an import or a command" in told["detail"]
    assert metrics.registry.get_sample_value("hubherald_ledger_ahead_seconds") == 172_800
