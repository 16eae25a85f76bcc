"""That `make bench` works and refuses what it has to: its figures are for quiet machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from bench_ground import check_yardstick
from bench_paced import Span
from bench_results import Goal, Results, ratio, rows
from bench_watch import FullLoad, Receipts, RefusedError, Sample, full_load

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench.py"


def written(log: Path, receipts: Sequence[tuple[str, int]]) -> Path:
    """A receiver's log: the path and the number of the fact of each request."""
    lines = [f'1.0\t{path}\t\t204\tx\t{{"id":"bench-{number}"}}\n' for path, number in receipts]
    log.write_text("".join(lines))
    return log


def test_a_yardstick_that_sends_all_once_counts(tmp_path: Path) -> None:
    all_of_them = [(path, number) for path in ("/0", "/1") for number in range(3)]
    check_yardstick(written(tmp_path / "log", all_of_them), 3, ["/0", "/1"])


@pytest.mark.parametrize(
    ("receipts", "said"),
    [
        ([("/0", 0)], "1 of 2 were lost"),
        ([("/0", 0), ("/0", 1), ("/0", 1)], "1 came that were not due"),
        ([("/0", 0), ("/0", 1), ("/1", 1)], "1 came that were not due"),
    ],
)
def test_one_that_does_not_is_refused(
    tmp_path: Path, receipts: list[tuple[str, int]], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        check_yardstick(written(tmp_path / "log", receipts), 2, ["/0"])


def test_full_load_counts_from_the_first_that_came_to_the_last(tmp_path: Path) -> None:
    seen = [(0.0, 1.0, 0), (1.0, 2.0, 30), (2.0, 2.5, 90), (3.0, 3.0, 330), (4.0, 3.9, 330)]
    samples = [Sample(at, cost, (came,)) for at, cost, came in seen]
    found = full_load(samples, Receipts(tmp_path / "log"), 100.0)
    assert (found.rate, found.cpu_us, found.peak_mb) == (50.0, 10_000.0, 100.0)


def test_full_load_of_what_came_between_two_looks_counts_from_before(tmp_path: Path) -> None:
    samples = [Sample(0.0, 1.0, (0,)), Sample(2.0, 1.5, (300,))]
    assert full_load(samples, Receipts(tmp_path / "log"), 1.0).rate == 50.0


def test_a_pace_that_was_not_kept_costs_no_smaller_share_of_a_core() -> None:
    sent = dict.fromkeys(range(100), 10.0)
    came = [(number, 10.0 + number / 1000) for number in range(100)]
    found = Span(range(100), pace=200.0, cpu_s=0.25).figures(came, sent)
    assert (found.cpu_ms, found.core) == (2.5, 0.5)
    assert (round(found.p50_ms), round(found.p99_ms)) == (50, 99)


def test_a_ratio_is_that_of_the_same_round() -> None:
    ours = [FullLoad(rate, 1.0, 1.0) for rate in (50.0, 10.0, 90.0)]
    theirs = [FullLoad(rate, 1.0, 1.0) for rate in (100.0, 10.0, 100.0)]
    assert ratio(ours, theirs) == 0.9


def test_a_goal_is_reached_or_not() -> None:
    least, most = Goal((0.6, 1.1), " x"), Goal((200.0,), " MB", most=True)
    assert [least.verdict(each) for each in (0.5, 0.6, 1.1, None)] == [
        "**not reached**",
        "reached",
        "stretch reached",
        "not known",
    ]
    assert [most.verdict(each) for each in (200.0, 201.0)] == ["reached", "**not reached**"]


def test_what_is_missing_says_why() -> None:
    (row,) = [
        each
        for each in rows(Results({}, {"Alertmanager": "not installed"}))
        if "one POST" in each.work
    ]
    assert (row.yardstick, row.ratio) == ("Alertmanager: not installed", None)
    assert row.goal.verdict(row.figure) == "not known"


@pytest.mark.once
def test_a_short_round_measures_every_row(tmp_path: Path) -> None:
    """Each run is real: a router, a broker, a receiver; FastStream and Alertmanager if here."""
    out = tmp_path / "RESULTS.md"
    words = ["--quick", "--offline", "--facts", "500", "--seconds", "0.5", "--out", out]
    done = subprocess.run(
        [sys.executable, BENCH, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in out.read_text().splitlines() if line.startswith("| ")]
    unknown = [line for line in table if "not known" in line]
    assert [line for line in unknown if "Alertmanager: not installed" not in line] == []
    assert len(table) > 20
