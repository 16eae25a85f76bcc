"""A file of facts that is replaced under its name: all of its facts are decided, and it is told."""

from __future__ import annotations

import gzip
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from support.commandline import call
from support.estate import S1, Estate
from support.liverouter import Live, configure, one_supplier, running


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = one_supplier(tmp_path)
    (tmp_path / "inbox" / "facts.jsonl").rename(tmp_path / "inbox" / "a-home.jsonl")
    return estate


def day(estate: Estate, number: int, facts: int) -> bytes:
    """The export of one day, of lines of equal length."""
    for each in range(facts):
        at = f"2026-06-{number:02}T{each:02}:00:00+00:00"
        estate.activation(id=f"{number}-{each}", activated_at=at)
    file = estate.folder / "inbox" / "facts.jsonl"
    lines = file.read_bytes()
    file.unlink()
    return lines


def decided(estate: Estate, number: int) -> int:
    question = f"SELECT count(*) FROM facts WHERE event_id LIKE '{number}-%' AND effect = 'decided'"
    ((count,),) = estate.ask(question)
    return int(count)


def test_between_two_runs_and_while_it_runs(estate: Estate) -> None:
    days = {number: day(estate, number, facts) for number, facts in ((1, 2), (2, 5), (3, 5))}
    file = estate.folder / "inbox" / "facts.jsonl"
    file.write_bytes(days[1])
    estate.run()
    (estate.folder / "new").write_bytes(days[2])
    (estate.folder / "new").rename(file)
    with running(estate) as live:
        live.until(lambda: decided(estate, 2) == 5)
        file.write_bytes(days[3])
        live.until(lambda: decided(estate, 3) == 5)
        live.until(lambda: scraped(live, "intake_replaced_files") == 2)
        assert [each["lines"] for each in live.log("folder.replaced")] == [2, 5]
        live.until(lambda: len(estate.sent(S1)) == 12)
    assert estate.ask("SELECT count(*) FROM quarantined") == [(0,)]


def test_what_a_rotation_left_unread_is_decided_at_the_next_start(estate: Estate) -> None:
    days = {number: day(estate, number, 3) for number in (1, 2, 3)}
    file = estate.folder / "inbox" / "facts.jsonl"
    file.write_bytes(days[1])
    estate.run()
    with file.open("ab") as appended:
        appended.write(days[2])
    file.rename(file.with_name("facts.jsonl.1"))
    file.write_bytes(days[3])
    estate.run()
    assert [decided(estate, number) for number in (1, 2, 3)] == [3, 3, 3]
    ((offset,),) = estate.ask("SELECT offset FROM cursors WHERE key = 'facts.jsonl.1'")
    assert offset == len(days[1] + days[2])


def test_what_is_not_read_is_told(estate: Estate) -> None:
    inbox = estate.folder / "inbox"
    (inbox / "day.csv").write_bytes(b"id\n")
    (inbox / "days").mkdir()
    (inbox / "packed.jsonl.gz").write_bytes(gzip.compress(day(estate, 1, 1)))
    (inbox / "others.ndjson").write_bytes(day(estate, 2, 1))
    configure(estate)
    found = call("check", folder=estate.folder)
    assert (found.exit_code, found.stdout[:3]) == (0, "ok:")
    (line,) = (each for each in found.stderr.splitlines() if "day.csv" in each)
    assert ": warning: path: 2 in " in line
    with running(estate) as live:
        live.until(lambda: decided(estate, 1) == decided(estate, 2) == 1)
        assert scraped(live, "intake_ignored_files") == 2
        (told,) = live.log("folder.not_read")
        assert (told["count"], told["files"]) == (2, ["day.csv", "days"])
        (inbox / "day.csv").rename(estate.folder / "day.csv")
        live.until(lambda: scraped(live, "intake_ignored_files") == 1)


def scraped(live: Live, name: str) -> float:
    """A metric of the folder's."""
    with urllib.request.urlopen(f"{live.url}/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    (found,) = (line for line in lines if line.startswith(f'hubherald_{name}{{source="drop"}} '))
    return float(found.split()[1])


def test_a_ledger_of_before_goes_on(estate: Estate) -> None:
    """Rows without a digest are believed once, though nothing new comes."""
    days = {number: day(estate, number, 3) for number in (1, 2)}
    file = estate.folder / "inbox" / "facts.jsonl"
    file.write_bytes(days[1])
    estate.run()
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as ledger, ledger:
        ledger.execute("UPDATE cursors SET digest = '', identity = ''")
    estate.run()
    assert {len(row[0]) for row in estate.ask("SELECT digest FROM cursors")} == {64}
    assert estate.ask("SELECT count(*) FROM facts") == [(5,)]
    file.write_bytes(days[2])
    estate.run()
    assert decided(estate, 2) == 3
