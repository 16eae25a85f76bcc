"""A cut of the fault matrix: `make faults` runs all of it, longer, three times, on each ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.ledgers import LedgerKind
from faults.life import Broken
from faults.points import POINTS
from faults.row import Row
from faults.scene import FACTS, playing, template
from faults.suite import LEDGERS, ROWS, play
from support.broker import Broker

pytestmark = pytest.mark.once
CASES = [
    pytest.param(make, row, id=f"{make.name}-{row.name}")
    for make in LEDGERS
    for row in ROWS
    if row.brief and row.on(make.name, make.shared)
]


@pytest.fixture(scope="module", params=LEDGERS, ids=lambda make: make.name)
def kind(request: pytest.FixtureRequest) -> Iterator[LedgerKind]:
    with request.param() as made:
        yield made


@pytest.fixture(scope="module")
def ground(kind: LedgerKind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each row begins with."""
    return template(tmp_path_factory.mktemp("faults") / "template", kind)


@pytest.mark.parametrize(("kind", "row"), CASES, indirect=["kind"], scope="module")
def test_what_is_promised_is_held(
    row: Row, kind: LedgerKind, ground: Path, broker: Broker, tmp_path: Path
) -> None:
    lines = play(tmp_path / "row", ground, kind, broker, row, brief=True)
    assert lines
    assert [f"{line.name}: {line.problems}" for line in lines if line.problems] == []


def test_what_is_not_held_is_found(
    kind: LedgerKind, ground: Path, broker: Broker, tmp_path: Path
) -> None:
    """Facts that were never sent are lost; those that nobody asked about are foreign."""
    with playing(tmp_path / "row", ground, kind, broker, brief=True) as scene:
        scene.send(0, 10)
        scene.until_idle()
        fewer, more = scene.line("fewer", numbers=range(9)), scene.line("more", numbers=range(11))
        scene.recipients.log.write_text(scene.recipients.log.read_text() * 2)
        twice = scene.line("twice", numbers=range(10))
    assert (fewer.lost, fewer.foreign, fewer.duplicates) == (0, 3, 0)
    assert (more.lost, more.foreign, more.received) == (3, 0, 30)
    assert (twice.lost, twice.foreign, twice.duplicates) == (0, 0, 30)
    assert all(line.problems for line in (fewer, more, twice))


def test_a_point_that_was_not_reached_counts_for_nothing(
    kind: LedgerKind, ground: Path, broker: Broker, tmp_path: Path
) -> None:
    name = "after the ack"
    with playing(tmp_path / "row", ground, kind, broker, brief=True) as scene:
        scene.send(0, 1)
        life = scene.start("run", "--until-idle", at=(name, FACTS))
        with pytest.raises(Broken, match="was to be killed, and ended with 0"):
            life.killed(name)
        life.hit.write_text("elsewhere\n")
        other = scene.start(at=(name, FACTS))
        other.process.kill()
        with pytest.raises(Broken, match="killed at 'nowhere'"):
            other.killed(name)
    assert name in POINTS
