"""The plan of every statement that a router sends, as if in a ledger of millions.

The statements are those that a run has sent: one that is new is held too. SQLite plans with the
statistics of a large ledger and without any; a table of one row for each hub, fact or Alert must
be read by an index then, and in the order that is asked for.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest
from aiohttp import web
from support.estate import D1, NETWORKS, S1, S2, S3, SUPPLIER, Estate, mpan
from support.plans import enlarge, grows, plans
from support.receivers import receiving
from support.recorded import UNSEEN, Statement, read

pytestmark = [pytest.mark.once, pytest.mark.sqlite]

RECORDED = Path(__file__).parents[1] / "support" / "recorded.py"
LAST = "last"
QUESTION = (
    f"SELECT (SELECT count(*) FROM facts WHERE event_id = '{LAST}'),"
    " (SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'sending', 'unknown'))"
)
"""Whether the last fact was taken up, and what is still to be sent."""


def hub(number: int) -> str:
    return f"90-B3-D5-1F-30-00-20-{number:02X}"


def market(estate: Estate, url: str) -> None:
    """A supplier that refuses some, one that takes batches, one in a folder, a network operator."""
    one_by_one = {"adapter": "webhook", "url": url}
    estate.user(S1, SUPPLIER, channels=[one_by_one])
    estate.user(S2, SUPPLIER, channels=[{**one_by_one, "batch": 10, "window": 2}])
    estate.user(S3, SUPPLIER)
    estate.user(D1, NETWORKS, subscriptions=["firmware"], channels=[{"adapter": "log"}])


def homes(estate: Estate, numbers: Sequence[int]) -> None:
    for number in numbers:
        estate.hub(hub(number))
        mpxn = mpan(f"10{number:010}")
        estate.registration("import_mpan", S1, device_id=hub(number), mpxn=mpxn)
        estate.registration(
            "mprn", S2, device_id=hub(number), mpxn=f"39{number:08}", network_operator_id=D1
        )


def activations(estate: Estate, numbers: Sequence[int], version: str) -> None:
    for number in numbers:
        estate.activation(version, device_id=hub(number))


def everything(estate: Estate) -> None:
    """Facts of every kind and fate."""
    homes(estate, range(20))
    activations(estate, range(30), "9002")  # ten of hubs that are not known yet
    activations(estate, range(10), "9002")  # what they have already
    estate.activation("9003", device_id=hub(1), outcome="failure", failure_reason="battery")
    estate.activation("9004", device_id=hub(1), id="f1", source="elsewhere")
    estate.activation("9004", device_id=hub(1), id="f1", source="elsewhere")
    estate.line(b"not a fact")
    estate.fact("hub.updated", {"device_id": hub(2)})
    homes(estate, range(20, 30))  # and now the ten are released
    for number in range(10):  # other suppliers, while Alerts wait
        mpxn = f"39{number:08}"
        estate.registration("mprn", S3, device_id=hub(number), mpxn=mpxn, since="2026-01-02")
    estate.activation("9005", device_id=hub(0), id=LAST)


class Moods:
    """Some hubs are refused, the first dozen others fail the first time."""

    def __init__(self) -> None:
        self.asked = 0
        self._seen: set[bytes] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked += 1
        if hub(3).encode() in body and not body.startswith(b"["):
            return web.Response(status=422)
        first = body not in self._seen
        self._seen.add(body)
        return web.Response(status=503 if first and len(self._seen) < 12 else 204)


def routed(estate: Estate, moods: Moods) -> list[Statement]:
    """Killed once, then until nothing is pending; what was sent once each router had started."""
    log = estate.folder / "log.jsonl"
    found: list[Statement] = []
    for deadly in (True, False):
        statements = estate.folder / f"statements-{deadly}"
        with (
            log.open("w") as out,
            Popen(
                [sys.executable, RECORDED, statements, "run"], cwd=estate.folder, stderr=out
            ) as it,
        ):

            def until(done: Callable[[], object], it: Popen[bytes] = it) -> None:
                while not done():
                    assert it.poll() is None, log.read_text()
                    time.sleep(0.05)

            until(lambda: "router.started" in log.read_text())
            statements.touch()
            everything(estate)
            if deadly:
                until(lambda: moods.asked)
                it.kill()
            else:
                until(lambda: estate.ask(QUESTION) == [(1, 0)])
                it.send_signal(signal.SIGTERM)
            assert it.wait() == (-signal.SIGKILL if deadly else 0), log.read_text()
        found += read(statements)
    return found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Statement], Path]:
    """What a router has sent, and the ledger that it left."""
    folder = tmp_path_factory.mktemp("plans")

    async def run() -> list[Statement]:
        moods = Moods()
        async with receiving(moods.answer) as receiver:
            estate = Estate(folder)
            market(estate, receiver.url)
            return await asyncio.to_thread(routed, estate, moods)

    return asyncio.run(run()), folder / "hubherald.db"


def test_every_statement_was_seen(sent: tuple[list[Statement], Path]) -> None:
    texts = [text for text, _ in sent[0]]
    assert [text for text in texts if text.startswith(UNSEEN)] == []
    for begin in (
        r"INSERT INTO (\w+_)?facts\b",
        r"INSERT INTO (\w+_)?alerts\b",
        "UPDATE deliveries",
    ):
        assert any(re.match(begin, text) for text in texts), begin


@pytest.mark.parametrize("large", [False, True])
def test_no_plan_grows_with_the_ledger(
    sent: tuple[list[Statement], Path], tmp_path: Path, large: bool
) -> None:
    statements, ledger = sent
    copy = tmp_path / "ledger.db"
    shutil.copy(ledger, copy)
    if large:
        enlarge(copy)
    assert [plan for plan in plans(copy, statements) if grows(plan)] == []


@pytest.mark.parametrize("index", ["ix_deliveries_pending", "ix_registrations_mpxn"])
def test_an_index_that_is_missing_is_noticed(
    sent: tuple[list[Statement], Path], tmp_path: Path, index: str
) -> None:
    statements, ledger = sent
    copy = tmp_path / "ledger.db"
    shutil.copy(ledger, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(f"DROP INDEX {index}")
    assert [plan for plan in plans(copy, statements) if grows(plan)]
