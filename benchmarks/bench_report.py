"""RESULTS.md: the table, and each round beneath it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from bench_machine import Machine
from bench_results import PACES, Results, rows
from bench_watch import FullLoad

HEAD = """\
# Results

Written by `make bench`; do not edit. README.md beside this tells what each row is. Figures are
medians of {rounds} rounds, of activations with three Alerts each to three of twelve users;
processor time is for one such activation. A ratio is ours over the yardstick's.
"""


def report(results: Results, machine: Machine, given: argparse.Namespace) -> str:
    """All of it, in Markdown."""
    lines = [HEAD.format(rounds=given.rounds), *machine.describe(), ""]
    lines += ["| work | now | yardstick in the same run | ratio | goal | |", "| --- " * 6 + "|"]
    for row in rows(results):
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        cells = (row.work, row.now, row.yardstick, ratio, row.goal, row.goal.verdict(row.figure))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", "## Each round", "", "| run | " + " | ".join(_heads(given.rounds)) + " |"]
    lines.append("| --- " * (given.rounds + 1) + "|")
    for name, found in results.found.items():
        told = [_told(each) for each in found]
        lines.append(f"| {' | '.join([name, *told, *[''] * (given.rounds - len(told))])} |")
    if results.missing:
        lines += ["", "## What is missing", ""]
        lines += [f"- {name}: {reason}" for name, reason in results.missing.items()]
    return "\n".join(lines) + "\n"


def _heads(rounds: int) -> Sequence[str]:
    return [f"round {number + 1}" for number in range(rounds)]


def _told(found: Any) -> str:
    if isinstance(found, FullLoad):
        return f"{found.rate:,.0f}/s, {found.cpu_us:,.0f} us, {found.peak_mb:,.0f} MB"
    if isinstance(found, list):
        return "; ".join(
            f"{pace:.0f}/s: p50 {each.p50_ms:.1f}, p99 {each.p99_ms:.1f} ms, {each.cpu_ms:.2f} ms, "
            f"{each.core:.0%} of a core"
            for pace, each in zip(PACES, found, strict=False)
        )
    if isinstance(found, dict):
        return "; ".join(f"{name} {took:.2f} s" for name, took in found.items())
    return f"{found:,.0f}"
