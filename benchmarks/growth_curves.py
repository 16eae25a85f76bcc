"""The curves of `make bench-growth` as SVG, and their figures as a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from bench_machine import Machine
from growth_measure import Cost
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Point:
    """A size, and what it costs there."""

    size: int
    cost: Cost


@dataclass(frozen=True)
class Curve:
    """What grows, and its points."""

    what: str
    points: list[Point]

    def growth(self, figure: str) -> float:
        """The last over the first."""
        first, last = (getattr(self.points[place].cost, figure) for place in (0, -1))
        return float(last / first)


def draw(curve: Curve, folder: Path, machine: Machine) -> None:
    """Processor time above, statements below, over the size."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hubherald", "font.size": 9})
    figure = Figure(figsize=(7, 6), layout="constrained")
    time, statements = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for axes, unit in ((time, "us"), (statements, "statements")):
        for what, colour in (("decision", "#1f4e79"), ("delivery", "#c55a11")):
            sizes = [max(point.size, 1) for point in curve.points]
            costs = [getattr(point.cost, f"{what}_{unit}") for point in curve.points]
            axes.plot(sizes, costs, marker="o", label=f"a {what}", color=colour)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    time.set_ylabel("processor time, us")
    statements.set_ylabel("statements")
    statements.set_xlabel(curve.what)
    time.legend()
    time.set_title(f"What a decision and a delivery cost, by {curve.what}")
    figure.supxlabel(f"{machine.began:%d %B %Y}; {machine.quietness()}", fontsize=7)
    figure.savefig(folder / f"{name(curve)}.svg", metadata={"Date": None})


def name(curve: Curve) -> str:
    """Of its file, without the ending."""
    return curve.what.split()[0].lower()


def table(curves: list[Curve], machine: Machine) -> str:
    """All of it, in Markdown."""
    lines = ["# Growth", "", "Written by `make bench-growth`; do not edit.", ""]
    lines += [*machine.describe(), ""]
    for curve in curves:
        lines += [f"## {curve.what}", "", f"![{curve.what}]({name(curve)}.svg)", ""]
        lines += [f"| {curve.what} | decision | delivery | statements of a decision, a delivery |"]
        lines += ["| --- " * 4 + "|"]
        lines += [_row(f"{point.size:,}", point.cost) for point in curve.points]
        decision, delivery = curve.growth("decision_us"), curve.growth("delivery_us")
        lines += [f"| last over first | {decision:.2f} | {delivery:.2f} | |", ""]
    return "\n".join(lines)


def _row(size: str, cost: Cost) -> str:
    statements = f"{cost.decision_statements:.1f}, {cost.delivery_statements:.1f}"
    return f"| {size} | {cost.decision_us:,.0f} us | {cost.delivery_us:,.0f} us | {statements} |"
