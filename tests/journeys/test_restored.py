"""A ledger is restored: whatever the copy was made by, no number names two Alerts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import S1, SUPPLIER, Estate

pytestmark = pytest.mark.once

WITNESS = "head-of-hubherald.db.json"
OTHERS = [f"90-B3-D5-1F-30-00-20-0{number}" for number in range(1, 6)]


def routed(folder: Path) -> str:
    """What the router says on its way."""
    result = call("run", "--until-idle", folder=folder)
    assert result.exit_code == 0, result.output
    return result.output


def numbers(folder: Path) -> dict[str, int]:
    """By Alert."""
    return {row["id"]: row["sequence"] for row in rows("alerts", "list", folder=folder)}


def tell(estate: Estate, hub: str) -> None:
    """A hub of S1's that activates a firmware version."""
    estate.hub(hub)
    estate.registration("import_mpan", S1, device_id=hub)
    estate.activation("9002", device_id=hub)


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """One Alert was sent, and heads are kept."""
    estate = Estate(tmp_path)
    config = tmp_path / "hubherald.yaml"
    config.write_text(config.read_text().replace('"listen"', '"heads": "heads", "listen"'))
    estate.user(S1, SUPPLIER)
    tell(estate, OTHERS[0])
    routed(tmp_path)
    return estate


def restore(folder: Path, saved: Path) -> None:
    for each in folder.glob("hubherald.db*"):
        each.unlink()
    shutil.copy(saved, folder / "hubherald.db")


@pytest.mark.parametrize("known_by", ["its mark", "the head beside it", "the folder of heads"])
def test_no_number_is_given_twice(estate: Estate, known_by: str) -> None:
    folder = estate.folder
    saved = folder / "saved.db"
    if known_by == "its mark":
        assert call("ledger", "backup", saved, folder=folder).exit_code == 0
    else:
        shutil.copy(folder / "hubherald.db", saved)
    tell(estate, OTHERS[1])
    routed(folder)
    before = numbers(folder)
    assert sorted(before.values()) == [1, 2]
    restore(folder, saved)
    if known_by != "the head beside it":
        (folder / WITNESS).unlink()
    if known_by == "its mark":
        shutil.rmtree(folder / "heads")
    tell(estate, OTHERS[2])
    assert "ledger.restored" in routed(folder)
    after = numbers(folder)
    given = {each: number for each, number in after.items() if before.get(each) != number}
    assert sorted(given.values()) == [10_000_002, 10_000_003]
    assert not set(given.values()) & set(before.values())
    tell(estate, OTHERS[3])
    assert "ledger.restored" not in routed(folder)
    assert sorted(numbers(folder).values()) == [1, 10_000_002, 10_000_003, 10_000_004]
    assert call("ledger", "verify", "--head", folder / WITNESS, folder=folder).exit_code == 0


def test_a_ledger_that_was_never_taken_away_goes_on(estate: Estate) -> None:
    for number, hub in enumerate(OTHERS[1:], start=2):
        tell(estate, hub)
        assert "ledger.restored" not in routed(estate.folder)
        assert max(numbers(estate.folder).values()) == number


def test_a_head_that_is_none_is_told_and_stops_nothing(estate: Estate) -> None:
    (estate.folder / WITNESS).write_text("half of")
    assert "ledger.head_not_read" in routed(estate.folder)
    assert "ledger.head_not_read" not in routed(estate.folder)
