"""Activations that come before what they need: their hub, or its first registration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from support import ledgers
from support.intaking import Running, fact
from support.ledgers import made
from support.samples import GAS, HUB, NOW, activation, device, hub, registration, user

from router.deciding.engine import Engine
from router.domain.acceptance import Acceptance
from router.domain.words import Point
from router.intake.inventory_import import import_inventory
from router.language.rules import Rules
from router.ledger.database import Use, open_database
from router.ledger.quarantine import PORTION
from router.ledger.thread import LedgerThread

DAY = timedelta(hours=24)
H, R, A = fact(hub(), "hub"), fact(registration(), "registration"), fact(activation(), "v1")
AGAIN = fact(activation(), "v1-again")
G = fact(registration(GAS, user(2), point=Point.MPRN), "gas")
ALERTED = ("v1", user(1), "alerted")


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


def imported(folder: Path, *, hubs: str = "", registrations: str = "") -> list[str]:
    """An import in another process's place: by a connection of its own; gives the bad rows."""
    files = {}
    for name, head, rows in (
        ("hubs", "device_id,status,smets_version", hubs),
        (
            "registrations",
            "device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to",
            registrations,
        ),
    ):
        files[name] = folder / f"{name}.csv"
        files[name].write_text(f"{head}\n{rows}\n")
    told: list[str] = []
    with closing(open_database(ledgers.url(folder), Use.CHANGE)) as database:
        import_inventory(
            database,
            hubs=files["hubs"] if hubs else None,
            registrations=files["registrations"] if registrations else None,
            operator="someone",
            clock=lambda: NOW,
            report=lambda row: told.append(row.message),
        )
    return told


@pytest.mark.parametrize("order", list(permutations([H, R, A])))
@pytest.mark.parametrize("cuts", [(), (1,), (2,), (1, 2)])
async def test_in_whatever_order_and_batches_they_come_the_supplier_is_told(
    running: Running, order: Sequence[bytes], cuts: Sequence[int]
) -> None:
    batches = [list(order[start:end]) for start, end in pairwise([0, *cuts, len(order)])]
    await running.take(*batches, [AGAIN])
    assert running.verdicts() == [ALERTED, ("v1-again", None, "same_activation")]
    assert running.waiting() == []


async def test_all_registrations_of_the_batch_count_for_what_waited(running: Running) -> None:
    await running.take([A, H, R, G])
    assert sorted(running.verdicts()) == [ALERTED, ("v1", user(2), "alerted")]


async def test_what_did_not_wait_is_decided_in_its_place(running: Running) -> None:
    later = fact(registration(supplier=user(2)), "later", time="2026-01-02T00:00:00Z")
    await running.take([H, R, A, later])
    assert running.verdicts() == [ALERTED]


async def test_it_waits_for_the_first_registration_by_whatever_way(
    running: Running, tmp_path: Path
) -> None:
    await running.take([H, A])
    assert running.waiting() == ["no_registration"]
    row = f"{HUB},{registration().mpxn},import_mpan,{user(1)},,2020-01-01,"
    assert imported(tmp_path, registrations=row) == []
    await running.take([], wait=False)
    assert await running.intake.release() == 1
    await running.stop()
    assert running.verdicts() == [ALERTED]


async def test_a_hub_whose_registrations_have_all_ended_does_not_wait(running: Running) -> None:
    ended = fact(registration(until=date(2021, 1, 1)), "ended")
    await running.take([H, ended, A])
    assert running.verdicts() == [("v1", None, "no_recipient")]


async def test_a_refused_row_releases_nothing_though_its_hub_loads(
    running: Running, tmp_path: Path
) -> None:
    await running.take([A])
    assert running.waiting() == ["unknown_hub"]
    bad = f"{HUB},nonsense,import_mpan,{user(1)},,2020-01-01,"
    assert imported(tmp_path, hubs=f"{HUB},Commissioned,SMETS2", registrations=bad) != []
    await running.take([], wait=False)
    await running.intake.release()
    await running.stop()
    assert running.waiting() == ["no_registration"]
    await running.take([A], [R])
    assert running.verdicts() == [ALERTED]


async def test_after_a_day_it_is_decided_without(running: Running) -> None:
    await running.take([H, A])
    for later, waits in ((DAY - timedelta(seconds=1), 1), (DAY, 0)):
        running.now = NOW + later
        await running.take([], wait=False)
        assert await running.intake.release() == 1 - waits
        await running.stop()
        assert len(running.waiting()) == waits
    assert running.verdicts() == [("v1", None, "no_recipient")]


async def test_the_day_begins_when_the_hub_is_known(running: Running) -> None:
    await running.take([A])
    running.now = NOW + 3 * DAY
    await running.take([A], [H])
    assert running.waiting() == ["no_registration"]
    running.now += DAY - timedelta(seconds=1)
    await running.take([], wait=False)
    assert await running.intake.release() == 0
    await running.stop()
    assert running.verdicts() == []


async def test_without_a_term_it_does_not_wait(running: Running) -> None:
    running.judgement.acceptance = Acceptance(await_registration=timedelta())
    await running.take([H, A])
    assert running.verdicts() == [("v1", None, "no_recipient")]


@pytest.mark.parametrize("first", [registration(supplier=user(9)), registration(supplier=None)])
async def test_what_ended_without_any_recipient_is_decided_again_under_another_id(
    running: Running, first: object
) -> None:
    mended = fact(registration(), "mended", time="2026-01-02T00:00:00Z")
    once_more = fact(activation(), "once more")
    await running.take([H, fact(first, "first"), A], [mended, AGAIN], [once_more])
    assert running.verdicts()[1:] == [
        ("v1-again", user(1), "alerted"),
        ("once more", None, "same_activation"),
    ]


async def test_a_waiting_one_that_comes_again_is_no_second(running: Running) -> None:
    other = fact(activation(version="9003"), "v1")
    await running.take([H, A], [A], [other], [R])
    assert running.verdicts() == [ALERTED]
    assert running.waiting() == ["conflicting_id"]


@pytest.mark.parametrize("key", [H, R])
async def test_what_waits_for_one_hub_is_taken_up_in_portions(running: Running, key: bytes) -> None:
    count = 2 * PORTION + 100
    many = [
        fact(activation(version=f"{number % 9000:04}", activated_at=at(number)), f"a-{number}")
        for number in range(count)
    ]
    first, last = (R, H) if key is H else (H, R)
    await running.take([first, *many])
    assert len(running.waiting()) >= count
    await running.take([first, *many], [last])
    assert running.waiting() == []
    assert running.ask("SELECT count(*) FROM alerts") == [(count,)]
    sizes = running.ask("SELECT count(*) FROM facts GROUP BY link")
    assert max(size for (size,) in sizes) <= PORTION + 1
    order = [int(row[0][2:]) for row in running.verdicts()]
    assert order == sorted(order)


def at(number: int) -> str:
    """A moment before NOW for each."""
    return (NOW - timedelta(hours=2, seconds=number)).isoformat()


async def test_another_hub_does_not_release(running: Running) -> None:
    await running.take([H, A], [fact(hub(device(2)), "h2")])
    other = registration(supplier=user(2), device_id=device(2))
    await running.take([fact(other, "r2")])
    assert running.waiting() == ["no_registration"]
