"""No activation is decided on half a home: registrations that have come have their turn first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import pytest
from support.beside import Beside
from support.intaking import USERS, Running, Watched, fact
from support.ledgers import made
from support.samples import (
    GAS,
    NOW,
    activation,
    device,
    hub,
    mpan,
    mprn,
    registration,
    user,
)

from router.deciding.engine import Engine
from router.deciding.judgement import Found
from router.domain.acceptance import Acceptance, CheckDigits
from router.domain.words import Point
from router.language.rules import Rules
from router.ledger.actions import Operator, release_reason
from router.ledger.driver import change
from router.ledger.quarantine import PORTION
from router.ledger.thread import LedgerThread

HOMES = range(1, PORTION // 3 + 2)
"""With three meter points each, more than a portion."""
HUBS = [fact(hub(device(n)), f"hub-{n}") for n in HOMES]
ELEC = [
    fact(registration(mpan(n), user(1), device_id=device(n)), f"electricity-{n}") for n in HOMES
]
EXPORT = [
    fact(
        registration(mpan(1000 + n), user(1), point=Point.EXPORT_MPAN, device_id=device(n)),
        f"export-{n}",
    )
    for n in HOMES
]
GASES = [
    fact(registration(mprn(n), user(2), point=Point.MPRN, device_id=device(n)), f"gas-{n}")
    for n in HOMES
]
EARLY = [*ELEC, *EXPORT, *GASES]
ACTIVATIONS = [fact(activation(device(n)), f"activation-{n}") for n in HOMES]
BOTH = [(user(1), len(HOMES)), (user(2), len(HOMES))]
TOLD = "SELECT service_user_id, count(*) FROM alerts GROUP BY 1 ORDER BY 1"

H, R, A = fact(hub(), "hub"), fact(registration(), "registration"), fact(activation(), "v1")
G = fact(registration(GAS, user(2), point=Point.MPRN), "gas")
AGAIN = fact(activation(), "v1-again")
X = b"{no fact"


@pytest.fixture
def judgement(shipped_rules: Rules, shipped_engine: Engine) -> Watched:
    found = Watched(shipped_rules, USERS, shipped_engine)
    found.look = lambda _found, _waiting: None
    return found


@pytest.fixture
def running(
    tmp_path: Path, judgement: Watched, shipped_rules: Rules, shipped_engine: Engine
) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        running = Running(ledger, shipped_rules, shipped_engine)
        running.judgement = judgement
        yield running


def hubs_come(running: Running) -> None:
    """As by an import: nobody tells the intake."""
    path = running.database.url
    with Beside(path) as other:
        other.execute(
            "INSERT INTO hubs SELECT DISTINCT device_id, 'Commissioned', 'SMETS2', NULL, NULL,"
            " NULL, NULL, '[]', 0 FROM holding"
        )


@pytest.mark.parametrize(
    ("early", "now"),
    [
        (EARLY, [each for pair in zip(HUBS, ACTIVATIONS, strict=True) for each in pair]),
        ([*ACTIVATIONS, *EARLY], HUBS),
        (EARLY, [*ACTIVATIONS, *HUBS]),
    ],
)
async def test_what_came_before_the_hubs_counts_however_much_it_is(
    running: Running, judgement: Watched, early: Sequence[bytes], now: Sequence[bytes]
) -> None:
    together: list[int] = []
    await running.take(early)
    judgement.look = lambda found, waiting: together.append(len(found) + len(waiting))
    await running.take(early, now)
    assert max(together) <= 2 * PORTION
    assert running.ask(TOLD) == BOTH
    assert running.waiting() == []


async def test_an_activation_right_behind_an_import_of_its_hub_waits_for_all_registrations(
    running: Running,
) -> None:
    await running.take(EARLY)
    hubs_come(running)
    await running.take(EARLY, ACTIVATIONS)  # before anybody has looked what may leave
    assert running.ask(TOLD) == BOTH
    assert running.waiting() == []


async def test_between_two_portions_none_is_decided(running: Running, judgement: Watched) -> None:
    """While what an import set free leaves quarantine, activations of all its hubs come."""
    seen: list[int] = []

    def look(found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        seen.append(len(found))

    await running.take(EARLY)
    hubs_come(running)
    judgement.look = look
    gate = asyncio.Event()
    source = await running.take(EARLY, ACTIVATIONS, wait=False, gate=gate)
    releasing = asyncio.create_task(running.intake.release())
    await running.until(lambda: len(seen) == 1)
    gate.set()
    await releasing
    await running.until(lambda: running.intake.idle([source]))
    await running.stop()
    assert running.ask(TOLD) == BOTH
    assert running.waiting() == []


async def test_what_waits_for_another_hub_takes_no_room(running: Running) -> None:
    """Nothing says that a hub is known when somebody names it."""
    stranger = [
        fact(registration(mpan(9), device_id=device(9)), f"stranger-{n}") for n in range(PORTION)
    ]
    named = fact(registration(mpan(8), device_id=device(9)), "named")
    await running.take(stranger, [G], [named, H, R, A])
    assert running.ask(TOLD) == [(user(1), 1), (user(2), 1)]
    assert running.waiting() == ["unknown_hub"] * (PORTION + 1)


async def test_what_an_operator_has_released_has_its_turn_too(running: Running) -> None:
    refusing = Acceptance(check_digits=CheckDigits.REFUSE)
    wrong = fact(registration("1200012345671", user(2), point=Point.EXPORT_MPAN), "wrong")
    running.judgement.acceptance = refusing
    await running.take([H, R, wrong])
    assert running.waiting() == ["invalid"]
    running.judgement.acceptance = Acceptance()
    release_reason(running.database, "invalid", Operator("someone", NOW))
    await running.take([H, R, wrong], [A])
    assert running.ask(TOLD) == [(user(1), 1), (user(2), 1)]


@pytest.mark.parametrize("order", list(permutations([H, R, G])))
@pytest.mark.parametrize("again", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
async def test_what_waited_counts_all_of_a_batch_that_was_given_out_before(
    running: Running, order: Sequence[bytes], again: Sequence[int]
) -> None:
    deliveries = {order[place]: 1 for place in again}
    await running.take([A], order, deliveries=deliveries)
    assert sorted(running.verdicts()) == [("v1", user(1), "alerted"), ("v1", user(2), "alerted")]
    assert running.waiting() == []


@pytest.mark.parametrize("batch", [[A, H, R, X, G], [H, A, X, R, X, G], [A, X, R, H, X, G]])
async def test_what_came_too_early_in_such_a_batch_counts_all_of_it(
    running: Running, batch: Sequence[bytes]
) -> None:
    await running.take([*batch, AGAIN], deliveries={X: 1})
    assert sorted(each for each in running.verdicts() if each[0] == "v1") == [
        ("v1", user(1), "alerted"),
        ("v1", user(2), "alerted"),
    ]
    assert running.verdicts()[-1] == ("v1-again", None, "same_activation")
    assert running.waiting() == ["malformed"]


async def test_nothing_leaves_between_the_pieces_of_a_batch(
    running: Running, judgement: Watched
) -> None:
    """The watch may look for what may leave at any time."""
    beside: list[asyncio.Task[int]] = []

    def look(_found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        if len(beside) < 4:
            beside.append(asyncio.create_task(running.intake.release()))

    await running.take([A])
    judgement.look = look
    source = await running.take([A], [H, R, G], deliveries={H: 1, R: 1, G: 1}, wait=False)
    await running.until(lambda: running.intake.idle([source]))
    await asyncio.wait(beside)
    await running.stop()
    assert sorted(running.verdicts()) == [("v1", user(1), "alerted"), ("v1", user(2), "alerted")]


async def test_a_suspect_that_leaves_quarantine_is_decided_all_the_same(
    running: Running, judgement: Watched
) -> None:
    alone: list[int] = []
    judgement.look = lambda found, _waiting: alone.append(len(found))
    await running.take([H, A])
    with running.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE holding SET reason = 'engine', released = 1")
        note = ("drop", sha256(A).hexdigest())
        change(connection, "INSERT INTO suspects VALUES (?, ?, 1, 0)", note)
    await running.take([H, A], [R, AGAIN])
    assert running.verdicts() == [("v1", user(1), "alerted"), ("v1-again", None, "same_activation")]
    assert alone == [2, 2, 1, 1]
