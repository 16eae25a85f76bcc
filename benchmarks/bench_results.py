"""What the rounds have found, and the rows and goals that it is read in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from statistics import median
from typing import Any

from bench_paced import Paced
from bench_watch import FullLoad

PACES = (200.0, 50.0, 250.0)
"""Activations a second."""


@dataclass
class Results:
    """By name of the run."""

    found: dict[str, list[Any]]
    """One for each round that counts."""
    missing: dict[str, str]
    """Why there is none, or fewer than rounds."""

    def full(self, name: str) -> Sequence[FullLoad]:
        return self.found.get(name, [])

    def paced(self, name: str, pace: float) -> Sequence[Paced]:
        return [each[PACES.index(pace)] for each in self.found.get(name, [])]

    def refused(self) -> list[str]:
        """Those whose figures do not count."""
        return [name for name, reason in self.missing.items() if reason.startswith("REFUSED")]


@dataclass(frozen=True)
class Goal:
    """A figure to reach; the second is the stretch."""

    figures: Sequence[float]
    unit: str
    most: bool = False
    """Whether it is to be at most that."""

    def __str__(self) -> str:
        text = f"{self.figures[0]:,g}{self.unit}"
        if len(self.figures) > 1:
            text += f", stretch {self.figures[1]:,g}{self.unit}"
        return f"at most {text}" if self.most else text

    def verdict(self, figure: float | None) -> str:
        """Reached or not."""
        if figure is None:
            return "not known"
        reached = [figure <= each if self.most else figure >= each for each in self.figures]
        if not reached[0]:
            return "**not reached**"
        return "stretch reached" if len(reached) > 1 and reached[1] else "reached"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    now: str
    yardstick: str
    ratio: float | None
    goal: Goal
    figure: float | None
    """What the goal is about."""


def rows(results: Results) -> list[Row]:
    """In the order of issue "Fast"."""
    return [
        _beside(
            results, "AMQP, one message an Alert", "AMQP", "raw aio-pika", Goal((0.6, 1.1), " x")
        ),
        _beside(
            results, "AMQP, batches of 100", "AMQP, batches", "raw aio-pika", Goal((1.5, 2), " x")
        ),
        _beside(
            results, "webhook, one POST an Alert", "webhook", "Alertmanager", Goal((0.6, 0.9), " x")
        ),
        _rate(results, "webhook, batches of 100", "webhook, batches", "raw aiohttp"),
        _core(results),
        *_latency(results),
        *_costs(results),
        _core_share(results),
        *_commands(results),
        _memory(results),
        _ledger(results),
    ]


def middle(found: Sequence[Any], figure: Callable[[Any], float]) -> float | None:
    """The median of a figure over the rounds; None where there is none."""
    return median(map(figure, found)) if found else None


def ratio(ours: Sequence[FullLoad], theirs: Sequence[FullLoad]) -> float | None:
    """The median over the rounds of ours over theirs, in activations a second."""
    pairs = list(zip(ours, theirs, strict=False))
    return median(mine.rate / other.rate for mine, other in pairs) if pairs else None


def _load(results: Results, name: str) -> str:
    found = results.full(name)
    if not found:
        return results.missing.get(name, "not run")
    rate, cost = (median(getattr(each, name) for each in found) for name in ("rate", "cpu_us"))
    return f"{rate:,.0f}/s, {cost:,.0f} us"


def _beside(results: Results, work: str, ours: str, theirs: str, goal: Goal) -> Row:
    found = ratio(results.full(ours), results.full(theirs))
    yardstick = f"{theirs}: {_load(results, theirs)}"
    return Row(work, _load(results, ours), yardstick, found, goal, found)


def _rate(results: Results, work: str, ours: str, theirs: str) -> Row:
    goal = Goal((3_000, 5_000), "/s")
    row = _beside(results, work, ours, theirs, goal)
    rate = middle(results.full(ours), lambda each: each.rate)
    return Row(work, row.now, f"{row.yardstick}, one by one", row.ratio, goal, rate)


def _core(results: Results) -> Row:
    row = _beside(results, "", "log", "FastStream", Goal((450,), " us", most=True))
    cost = middle(results.full("log"), lambda each: each.cpu_us)
    work = "`log` adapter: the core alone"
    yardstick = f"{row.yardstick} (plain ifs, 3 publishes, no store)"
    return Row(work, row.now, yardstick, row.ratio, row.goal, cost)


def _latency(results: Results) -> list[Row]:
    ours, theirs = (results.paced(name, 200.0) for name in ("paced", "FastStream, paced"))
    found = []
    for name, most in (("p50", 6.0), ("p99", 15.0)):
        figure = attrgetter(f"{name}_ms")
        mine, other = middle(ours, figure), middle(theirs, figure)
        found.append(
            Row(
                f"latency at 200/s, published to received, {name}",
                _text(mine, "{:.1f} ms", results, "paced"),
                f"FastStream {_text(other, '{:.1f} ms', results, 'FastStream, paced')}",
                mine / other if mine and other else None,
                Goal((most,), " ms", most=True),
                mine,
            )
        )
    return found


def _costs(results: Results) -> list[Row]:
    found = []
    for pace, most in ((200.0, 1.0), (50.0, 1.5)):
        mine, other = (
            middle(results.paced(name, pace), lambda one: one.cpu_ms)
            for name in ("paced", "FastStream, paced")
        )
        found.append(
            Row(
                f"processor time of an activation at {pace:.0f}/s",
                _text(mine, "{:.2f} ms", results, "paced"),
                f"FastStream {_text(other, '{:.2f} ms', results, 'FastStream, paced')}",
                mine / other if mine and other else None,
                Goal((most,), " ms", most=True),
                mine,
            )
        )
    return found


def _core_share(results: Results) -> Row:
    share = middle(results.paced("paced", 250.0), lambda one: one.core * 100)
    now = _text(share, "{:.0f} % of a core", results, "paced")
    return Row("a paced 250/s", now, "", None, Goal((30,), " %", most=True), share)


def _commands(results: Results) -> list[Row]:
    found = results.found.get("commands", [])
    names = [name for name in (found[0] if found else {}) if name != "python"]
    return [_command(found, name) for name in names]


def _command(found: Sequence[dict[str, float]], name: str) -> Row:
    took, floor = (median(each[which] for each in found) for which in (name, "python"))
    return Row(
        f"`hubherald {name}`" + (" of the starter" if name == "check" else ""),
        f"{took:.2f} s",
        f"`python -c pass` {floor:.2f} s",
        took / floor,
        Goal((0.25,), " s", most=True),
        took,
    )


def _memory(results: Results) -> Row:
    names = ("AMQP", "AMQP, batches", "webhook", "webhook, batches", "log")
    peaks = [each.peak_mb for name in names for each in results.full(name)]
    peak = max(peaks, default=None)
    now = f"{min(peaks):,.0f} to {peak:,.0f} MB" if peak else "not run"
    return Row("memory at full load (peak)", now, "", None, Goal((200,), " MB", most=True), peak)


def _ledger(results: Results) -> Row:
    size = middle(results.found.get("ledger", []), float)
    now = _text(size, "{:,.0f} bytes", results, "ledger")
    goal = Goal((1_200,), " bytes", most=True)
    return Row("ledger, for each Alert of a simulated market", now, "", None, goal, size)


def _text(figure: float | None, form: str, results: Results, name: str) -> str:
    return form.format(figure) if figure is not None else results.missing.get(name, "not run")
