"""Times from the future: one such record would make every later right one stale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.intaking import Running, fact
from support.ledgers import made
from support.samples import NOW, activation, hub, registration, user

from router.deciding.engine import Engine
from router.domain.acceptance import Acceptance
from router.language.rules import Rules
from router.ledger.thread import LedgerThread

TEN = timedelta(minutes=10)
MOMENT = timedelta(seconds=1)


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


@pytest.mark.parametrize(
    ("ahead", "taken"), [(TEN, True), (TEN + MOMENT, False), (timedelta(days=26_000), False)]
)
@pytest.mark.parametrize("key", ["hub", "registration", "activation"])
async def test_what_lies_too_far_ahead_is_invalid_and_the_rest_applies(
    running: Running, key: str, ahead: timedelta, taken: bool
) -> None:
    moment = (NOW + ahead).isoformat()
    odd = {
        "hub": fact(hub(status="Pending"), "odd", time=moment),
        "registration": fact(registration(supplier=user(2)), "odd", time=moment),
        "activation": fact(activation(version="9009", activated_at=moment), "odd"),
    }[key]
    later = "2026-05-01T00:00:00Z"
    right = [
        fact(hub(), "hub", time=later),
        fact(registration(), "registration", time=later),
        fact(activation(), "v1"),
    ]
    await running.take([fact(hub(), "h0"), fact(registration(), "r0"), odd, *right])
    assert running.waiting() == ([] if taken else ["invalid"])
    if not taken:
        assert running.verdicts() == [("v1", user(1), "alerted")]
        assert running.ask("SELECT version FROM firmware") == [("9002",)]
        ((detail,),) = running.ask("SELECT detail FROM quarantined")
        assert " ahead of this router's clock, 2026-06-01T12:00:00Z" in detail
        assert detail.startswith("activated_at: " if key == "activation" else "time: ")


async def test_the_tolerance_is_configurable(running: Running) -> None:
    running.judgement.acceptance = Acceptance(clock_tolerance=timedelta(hours=1))
    moment = (NOW + timedelta(hours=1)).isoformat()
    await running.take([fact(hub(), "h", time=moment)])
    assert running.waiting() == []


async def test_effective_dates_may_lie_ahead(running: Running) -> None:
    next_year = NOW.date() + timedelta(days=365)
    await running.take([fact(hub(), "h"), fact(registration(since=next_year), "r")])
    assert running.waiting() == []
