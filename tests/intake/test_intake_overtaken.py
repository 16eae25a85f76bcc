"""What others would commit between a look into the ledger and the record waits for the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from support import ledgers
from support.intaking import USERS, Running, Watched, fact
from support.ledgers import made
from support.samples import HUB, NOW, activation, hub, registration, user

from router.deciding.engine import Engine
from router.deciding.judgement import Found
from router.domain.inventory import Running as Firmware
from router.intake.inventory_import import import_inventory
from router.language.rules import Rules
from router.ledger.actions import Operator, release_reason
from router.ledger.database import Database, Use, open_database
from router.ledger.inventory import read_inventory, write_hubs, write_registrations, write_running
from router.ledger.thread import LedgerThread

HOME = [fact(hub(), "hub"), fact(registration(), "registration")]
V1 = fact(activation(), "v1")
V2 = fact(activation(version="9003"), "v2")
S2_FROM_2025 = f"{HUB},{registration().mpxn},import_mpan,{user(2)},,2020-01-01,"


class Beset(Watched):
    """Has another process write while it judges, once: that has to wait."""

    def __init__(self, rules: Rules, engine: Engine, act: Callable[[], None]) -> None:
        super().__init__(rules, USERS, engine)
        self.other = Thread(target=act)
        self.judged = 0

    def look(self, found: Sequence[Found], waiting: Sequence[Found]) -> None:
        """Between the look-up and the record."""
        self.judged += 1
        if any(arrival.message.body == V1 for arrival, _ in found) and not self.other.ident:
            self.other.start()
            self.other.join(0.1)
            assert self.other.is_alive()


@pytest.fixture
def running(tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        yield Running(ledger, shipped_rules, shipped_engine)


@pytest.fixture
def beside(tmp_path: Path, running: Running) -> Iterator[Database]:
    """The connection of another process."""
    assert running
    with closing(open_database(ledgers.url(tmp_path), Use.CHANGE)) as opened:
        yield opened


def importing(beside: Database, folder: Path, row: str = S2_FROM_2025) -> Callable[[], None]:
    file = folder / "registrations.csv"
    head = "device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to"
    file.write_text(f"{head}\n{row}\n")

    def act() -> None:
        import_inventory(
            beside,
            hubs=None,
            registrations=file,
            operator="someone",
            clock=lambda: NOW,
            report=lambda row: pytest.fail(str(row)),
        )

    return act


def beset(running: Running, act: Callable[[], None]) -> Beset:
    judgement = running.judgement
    running.judgement = found = Beset(judgement.rules, judgement.engine, act)
    return found


async def test_an_import_meanwhile_comes_behind_what_is_decided(
    running: Running, beside: Database, tmp_path: Path
) -> None:
    meanwhile = beset(running, importing(beside, tmp_path))
    await running.take(HOME, [V1])
    meanwhile.other.join()
    assert running.verdicts() == [("v1", user(1), "alerted")]
    await running.take(HOME, [V1], [V2])
    assert running.verdicts() == [("v1", user(1), "alerted"), ("v2", user(2), "alerted")]
    assert meanwhile.judged == 3


async def test_an_import_meanwhile_has_the_last_word(
    running: Running, beside: Database, tmp_path: Path
) -> None:
    meanwhile = beset(running, importing(beside, tmp_path))
    older = fact(registration(), "of january", time="2026-01-31T00:00:00Z")
    await running.take(HOME, [older, V1])
    meanwhile.other.join()
    assert running.ask("SELECT supplier_id FROM registrations") == [(user(2),)]


async def test_older_facts_do_not_go_over_an_import(
    running: Running, beside: Database, tmp_path: Path
) -> None:
    await running.take(HOME)
    importing(beside, tmp_path)()
    older = fact(registration(), "of january", time="2026-01-31T00:00:00Z")
    await running.take(HOME, [older, V1])
    assert running.ask("SELECT supplier_id FROM registrations") == [(user(2),)]
    assert running.ask("SELECT effect FROM facts WHERE event_id = 'of january'") == [("stale",)]
    assert running.verdicts() == [("v1", user(2), "alerted")]


async def test_an_operator_meanwhile_is_heeded_behind_it(
    running: Running, beside: Database
) -> None:
    released: list[int] = []

    def release() -> None:
        released.append(release_reason(beside, "malformed", Operator("someone", NOW)))

    meanwhile = beset(running, release)
    await running.take([b"{no", *HOME], [V1])
    meanwhile.other.join()
    assert released == [1]
    assert running.verdicts() == [("v1", user(1), "alerted")]


def test_what_facts_say_never_goes_over_what_is_newer(beside: Database) -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    with beside.transaction() as connection:
        for at, status, supplier in ((new, "Commissioned", 2), (old, "Pending", 1)):
            write_hubs(connection, [(hub(status=status), at)])
            write_registrations(connection, [(registration(supplier=user(supplier)), at)])
            write_running(connection, {HUB: Firmware("9002", at)})
        found = read_inventory(connection, [HUB])
    assert found.hubs[HUB].status == "Commissioned"
    assert [each.supplier_id for each in found.home(HUB).registrations] == [user(2)]
    assert found.running[HUB].activated_at == new
