"""What packs much into little: no batch of the intake is more than it would be unpacked."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support import ledgers
from support.beside import Beside
from support.intaking import USERS, Running, Watched, fact
from support.ledgers import made
from support.samples import activation, event, hub, registration

from router.deciding.engine import Engine
from router.deciding.judgement import Found
from router.domain.wrapping import MOST_EVENTS
from router.intake.gathered import BATCH_BYTES, GATHER
from router.language.rules import Rules
from router.ledger.thread import LedgerThread
from router.ports import MAX_BODY

TOLD = 3
"""Lines of the log for one reason and batch, before the one that counts the others."""


class Seen:
    """What was judged together: how many, and the bytes of it as they are when unpacked."""

    def __init__(self) -> None:
        self.facts: list[int] = []
        self.bytes: list[int] = []

    def __call__(self, found: Sequence[Found], waiting: Sequence[Found]) -> None:
        self.facts.append(len(found) + len(waiting))
        self.bytes.append(sum(len(each.body) for _, each in [*found, *waiting]))


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def running(
    tmp_path: Path, shipped_rules: Rules, shipped_engine: Engine, seen: Seen
) -> Iterator[Running]:
    with LedgerThread(made(tmp_path)) as ledger:
        running = Running(ledger, shipped_rules, shipped_engine)
        judgement = Watched(shipped_rules, USERS, shipped_engine)
        judgement.look = seen
        running.judgement = judgement
        yield running


def batch_of(bodies: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"


def useless(message: int, count: int = MOST_EVENTS) -> bytes:
    """A batch of so many events in which nothing stands that we read."""
    return batch_of([b'{"n":%d}' % (message * count + number) for number in range(count)])


async def test_a_batch_is_bounded_in_facts(running: Running, seen: Seen) -> None:
    messages = [useless(number) for number in range(12)]
    with capture_logs() as logs:
        source = await running.take(messages)
    assert source.acknowledged == messages
    assert max(seen.facts) < GATHER + MOST_EVENTS
    lines = [each for each in logs if each["event"].startswith("fact.quarantined")]
    assert len(lines) == (TOLD + 1) * len(seen.facts)
    counted = sum(each.get("count", 1) for each in lines)
    kept = running.ask("SELECT count(*) FROM holding WHERE reason = 'invalid'")
    assert kept == [(counted,)] == [(12 * MOST_EVENTS,)]
    assert running.metric("facts_quarantined_total", source="drop", reason="invalid") == counted


async def test_few_of_a_kind_are_told_one_by_one(running: Running) -> None:
    bodies = [b"{%d" % number for number in range(TOLD)] + [b'{"a": 1}']
    with capture_logs() as logs:
        await running.take(bodies)
    told = [each for each in logs if each["event"].startswith("fact.quarantined")]
    assert [each["reason"] for each in told] == ["malformed"] * TOLD + ["invalid"]
    with capture_logs() as logs:
        await running.take(bodies, [b"[%d" % number for number in range(5)])
    last = logs[-1]
    assert (last["event"], last["count"], last["last"]) == (
        "fact.quarantined_more",
        2,
        "drop feed:9",
    )
    assert "hubherald quarantine list --reason malformed" in last["advice"]


async def test_a_batch_is_bounded_in_bytes_as_they_are_unpacked(
    running: Running, seen: Seen
) -> None:
    plain = [fact(hub(), f"hub-{number}") + b" " * 200_000 for number in range(40)]
    packed = [gzip.compress(each) for each in plain]
    assert sum(map(len, packed)) < BATCH_BYTES / 10
    source = await running.take(packed)
    assert source.acknowledged == packed
    assert max(seen.bytes) < BATCH_BYTES + MAX_BODY
    assert running.ask("SELECT count(*) FROM facts") == [(40,)]


async def test_data_that_is_packed_in_an_event_counts_too(running: Running, seen: Seen) -> None:
    data = gzip.compress(json.dumps(event()["data"]).encode() + b" " * 200_000)
    content = {**event(), "data_base64": base64.b64encode(data).decode()}
    del content["data"]
    bodies = [json.dumps({**content, "id": f"f-{number}"}).encode() for number in range(20)]
    await running.take([fact(hub(), "hub")], bodies)
    most = (BATCH_BYTES + MAX_BODY) // 200_000
    assert max(seen.facts) <= most
    assert running.waiting() == ["no_registration"] * 20
    seen.facts.clear()
    await running.take([fact(hub(), "hub")], bodies, [fact(registration(), "registration")])
    assert running.waiting() == []
    assert max(seen.facts) <= most
    assert len(running.ask("SELECT DISTINCT fact_id FROM decisions")) == 20


async def test_the_rest_of_what_was_noted_is_noted_again(running: Running, tmp_path: Path) -> None:
    """After a death all at hand is noted before it is parsed; what is cut off goes on alike."""
    noted: list[tuple[int]] = []
    judgement = running.judgement
    assert isinstance(judgement, Watched)

    def look(_found: Sequence[Found], _waiting: Sequence[Found]) -> None:
        with Beside(ledgers.url(tmp_path)) as other:
            noted.extend(other.execute("SELECT count(*) FROM suspects"))

    judgement.look = look
    gate = asyncio.Event()
    messages = [useless(number) for number in range(4)]
    facts = [fact(hub(), "hub"), fact(registration(), "registration"), fact(activation(), "f-1")]
    source = await running.take([*messages, *facts], wait=False, gate=gate)
    running.intake.beware(1)
    gate.set()
    await running.until(lambda: running.intake.idle([source]))
    await running.stop()
    assert source.acknowledged == [*messages, *facts]
    assert noted == [(1,), (1,), (1,), (1,), (3,)]
    assert len(running.verdicts()) == 1
    assert running.ask("SELECT count(*) FROM suspects") == [(0,)]
    assert running.ask("SELECT count(*) FROM holding") == [(4 * MOST_EVENTS,)]
