"""Meter point numbers by both ways in: one spelling each, and what wrong check digits come to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.intaking import Running, fact
from support.ledgers import ask, made
from support.loader import HUBS, REGISTRATIONS, Loader, lines
from support.samples import HUB, NOW, activation, body, device, hub, registration, user

from router.deciding.engine import Engine
from router.deciding.judgement import Judgement
from router.domain.acceptance import Acceptance, CheckDigits
from router.domain.inventory import in_effect
from router.domain.words import Point
from router.intake.inventory_import import DoubtfulRow, Imported
from router.language.rules import Rules
from router.ledger.database import Database
from router.ledger.queries.homes import find_home
from router.ledger.thread import LedgerThread

KEPT = "12345601"
SPELLINGS = [KEPT, "0" + KEPT, "00" + KEPT, "000" + KEPT]
UNCHECKED = {"import_mpan": "1234567890123", "export_mpan": "1800021679849", "mprn": "3938424404"}
WORDS = {
    "import_mpan": "the MPAN's check digit (the last) does not fit; look for a typing error",
    "export_mpan": "the MPAN's check digit (the last) does not fit; look for a typing error",
    "mprn": "the MPRN's check digits (last two) do not fit; look for a typing error",
}


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loader]:
    with closing(made(tmp_path)) as database:
        yield Loader(database, tmp_path)


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


def refusing(running: Running) -> None:
    old = running.judgement
    acceptance = Acceptance(check_digits=CheckDigits.REFUSE)
    running.judgement = Judgement(old.rules, old.users, old.engine, acceptance)


def row(mpxn: str, supplier: int, since: str = "2020-01-01", **more: str) -> str:
    """A line of registrations.csv."""
    cells = {"device": HUB, "point": "mprn", "until": "", **more}
    return f"{cells['device']},{mpxn},{cells['point']},{user(supplier)},,{since},{cells['until']}"


def registered(
    event_id: str, mpxn: str, supplier: int, since: str = "2020-01-01", **more: Any
) -> bytes:
    """A registration fact, its number as it is written here."""
    time = more.pop("time", "2026-01-01T00:00:00Z")
    usual = {"device_id": HUB, "point": "mprn", "network_operator_id": None, "effective_to": None}
    data = {**usual, "mpxn": mpxn, "supplier_id": user(supplier), "effective_from": since, **more}
    return body(data, id=event_id, type="hubherald.registration.updated.v1", time=time)


def kept(database: Database) -> list[tuple[Any, ...]]:
    """What is registered: number, first day, supplier."""
    question = "SELECT mpxn, effective_from, supplier_id FROM registrations ORDER BY 1, 2"
    return ask(database, question)


GOOD_HUBS = lines(HUBS, f"{HUB},Commissioned,SMETS2,,,,,", f"{device(2)},Commissioned,SMETS2,,,,,")


# --- one meter point in two spellings -------------------------------------------------------


@pytest.mark.parametrize("later", SPELLINGS)
@pytest.mark.parametrize("earlier", SPELLINGS)
def test_an_imported_registration_ends_an_earlier_one_in_any_spelling(
    load: Loader, earlier: str, later: str
) -> None:
    rows = lines(REGISTRATIONS, row(earlier, 1), row(later, 2, "2025-04-01"))
    assert load(GOOD_HUBS, rows) == Imported(2, 2, 0)
    assert kept(load.database) == [
        (KEPT, "2020-01-01", user(1)),
        (KEPT, "2025-04-01", user(2)),
    ]
    found = find_home(load.database, HUB)
    assert found is not None
    assert [each.supplier_id for each in in_effect(found[0], NOW)] == [user(2)]


def test_a_row_in_another_spelling_stands_there_twice(load: Loader) -> None:
    done = load(GOOD_HUBS, lines(REGISTRATIONS, row(SPELLINGS[2], 1), row(KEPT, 2)))
    assert done == Imported(2, 1, 1)
    assert load.told() == [
        f"registrations.csv:3: {HUB} {KEPT} 2020-01-01 stands in line 2 already; this row is not "
        "loaded"
    ]


def test_an_import_replaces_what_is_there_in_another_spelling(load: Loader) -> None:
    load(GOOD_HUBS, lines(REGISTRATIONS, row(SPELLINGS[3], 1)))
    load(None, lines(REGISTRATIONS, row(SPELLINGS[1], 2)))
    assert kept(load.database) == [(KEPT, "2020-01-01", user(2))]


def test_a_meter_point_that_moved_to_another_hub_is_known_in_any_spelling(load: Loader) -> None:
    moved = row(SPELLINGS[2], 2, "2025-04-01", device=device(2))
    load(GOOD_HUBS, lines(REGISTRATIONS, row(KEPT, 1), moved))
    found = find_home(load.database, HUB)
    assert found is not None
    assert in_effect(found[0], NOW) == []


@pytest.mark.parametrize("number", ["12345", "123456789012", "00000000000", "1234560a", "1 234567"])
def test_what_is_no_mprn_is_refused(load: Loader, number: str) -> None:
    assert load(GOOD_HUBS, lines(REGISTRATIONS, row(number, 1))) == Imported(2, 0, 1)


@pytest.mark.parametrize("later", SPELLINGS)
@pytest.mark.parametrize("earlier", SPELLINGS)
async def test_a_registration_fact_ends_an_earlier_one_in_any_spelling(
    running: Running, earlier: str, later: str
) -> None:
    first, second = registered("r1", earlier, 1), registered("r2", later, 2, "2025-04-01")
    await running.take([fact(hub(), "hub"), first], [second, fact(activation(), "a")])
    assert running.verdicts() == [("a", user(2), "alerted")]
    assert {number for number, *_ in kept(running.database)} == {KEPT}


async def test_a_registration_that_ends_is_known_in_any_spelling(running: Running) -> None:
    end = registered("r2", SPELLINGS[2], 1, effective_to="2026-01-01", time="2026-01-02T00:00:00Z")
    home = [fact(hub(), "hub"), registered("r1", KEPT, 1)]
    await running.take(home, [end], [fact(activation(), "a")])
    assert running.verdicts() == [("a", None, "no_recipient")]


async def test_an_older_fact_in_another_spelling_is_stale(running: Running) -> None:
    old = registered("r2", SPELLINGS[1], 2, time="2025-01-01T00:00:00Z")
    await running.take([fact(hub(), "hub"), registered("r1", KEPT, 1), old])
    assert kept(running.database) == [(KEPT, "2020-01-01", user(1))]
    assert running.ask("SELECT effect FROM facts WHERE event_id = 'r2'") == [("stale",)]


async def test_the_same_fact_again_is_a_redelivery_and_in_another_spelling_a_conflict(
    running: Running,
) -> None:
    padded = registered("r1", SPELLINGS[2], 1)
    await running.take([fact(hub(), "hub"), padded], [padded], [registered("r1", KEPT, 1)])
    assert running.metric("facts_duplicate_total", source="drop") == 1
    assert running.waiting() == ["conflicting_id"]


async def test_facts_and_imports_mean_the_same_meter_point(
    running: Running, tmp_path: Path
) -> None:
    load = Loader(running.database, tmp_path)
    load(GOOD_HUBS, lines(REGISTRATIONS, row(SPELLINGS[2], 1)))
    await running.take([registered("r", KEPT, 2, "2025-04-01"), fact(activation(), "a")])
    assert running.verdicts() == [("a", user(2), "alerted")]


# --- check digits ---------------------------------------------------------------------------


@pytest.mark.parametrize("point", UNCHECKED)
def test_an_imported_number_that_does_not_check_is_loaded_told_and_counted(
    load: Loader, point: str
) -> None:
    done = load(GOOD_HUBS, lines(REGISTRATIONS, row(UNCHECKED[point], 1, point=point)))
    assert done == Imported(2, 1, 0, misfits=1)
    assert load.bad == []
    assert load.doubtful == [DoubtfulRow(load.registrations, 2, WORDS[point])]
    assert str(load.doubtful[0]) == f"{load.registrations}:2: warning: {WORDS[point]}"
    assert kept(load.database) == [(UNCHECKED[point], "2020-01-01", user(1))]
    ((detail,),) = ask(load.database, "SELECT detail FROM actions")
    assert json.loads(detail)["wrong_check_digits"] == 1


@pytest.mark.parametrize("point", UNCHECKED)
def test_an_imported_number_that_does_not_check_can_be_refused(load: Loader, point: str) -> None:
    load.check_digits = CheckDigits.REFUSE
    good = row(SPELLINGS[1], 2)
    done = load(GOOD_HUBS, lines(REGISTRATIONS, row(UNCHECKED[point], 1, point=point), good))
    assert done == Imported(2, 1, 1)
    assert load.told() == [f"registrations.csv:2: mpxn '{UNCHECKED[point]}': {WORDS[point]}"]
    assert load.doubtful == []
    assert kept(load.database) == [(KEPT, "2020-01-01", user(2))]


def test_a_row_that_is_not_loaded_is_not_doubtful_too(load: Loader) -> None:
    stranger = row(UNCHECKED["mprn"], 1, device=device(9))
    done = load(GOOD_HUBS, lines(REGISTRATIONS, stranger, row("00" + UNCHECKED["mprn"], 1)[:-1]))
    assert done == Imported(2, 0, 2)
    assert load.doubtful == []


async def test_facts_with_numbers_that_do_not_check_are_taken_told_and_counted(
    running: Running,
) -> None:
    facts = [registered(point, UNCHECKED[point], 1, point=point) for point in UNCHECKED]
    good = fact(registration(KEPT, user(2), point=Point.MPRN, since=date(2019, 1, 1)), "good")
    with capture_logs() as logs:
        await running.take([fact(hub(), "hub"), *facts, good], [fact(activation(), "a")])
    assert running.waiting() == []
    assert {number for number, *_ in kept(running.database)} == {KEPT, *UNCHECKED.values()}
    assert ("a", user(1), "alerted") in running.verdicts()
    assert running.metric("facts_wrong_check_digits_total", source="drop") == 3
    (told,) = [log for log in logs if log["event"] == "registration.misfit"]
    assert (told["count"], told["first"]) == (3, "drop feed:2")
    assert told["detail"] == WORDS["import_mpan"]
    assert not any(number in str(told) for number in UNCHECKED.values())


@pytest.mark.parametrize("point", UNCHECKED)
async def test_a_fact_with_a_number_that_does_not_check_can_be_refused(
    running: Running, point: str
) -> None:
    refusing(running)
    await running.take([fact(hub(), "hub"), registered("r", UNCHECKED[point], 1, point=point)])
    assert running.waiting() == ["invalid"]
    assert running.ask("SELECT detail FROM quarantined") == [(f"data: {WORDS[point]}",)]
    assert running.metric("facts_wrong_check_digits_total", source="drop") == 0
    assert kept(running.database) == []


async def test_what_waited_for_its_hub_is_refused_like_anything_else(running: Running) -> None:
    refusing(running)
    good, bad = registered("good", SPELLINGS[2], 1), registered("bad", UNCHECKED["mprn"], 2)
    await running.take([good, bad], [fact(hub(), "hub")])
    assert running.waiting() == ["invalid"]
    assert kept(running.database) == [(KEPT, "2020-01-01", user(1))]
