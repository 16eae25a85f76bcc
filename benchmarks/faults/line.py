"""What a row comes to: a line of figures and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEADS = ("sent", "expected", "received", "lost", "foreign", "duplicates", "verdict")


@dataclass
class Line:
    """One row on one ledger, as it came out."""

    name: str
    ledger: str
    sent: int
    """Facts that the broker confirmed, each time that it did."""
    expected: int
    """Alerts that must come of them, by the oracle."""
    received: int
    """Of these, each counted once."""
    lost: int
    foreign: int
    duplicates: int
    promised: str = ""
    note: str = ""
    """What was seen to happen."""
    problems: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`held`, or what did not."""
        return "held" if not self.problems else f"WRONG: {self.problems[0]}"

    @property
    def figures(self) -> Sequence[int]:
        """In the order of `HEADS`."""
        return (
            self.sent,
            self.expected,
            self.received,
            self.lost,
            self.foreign,
            self.duplicates,
        )

    def __str__(self) -> str:
        figures = " ".join(f"{each:>6}" for each in self.figures)
        note = f"  ({self.note})" if self.note else ""
        return f"{self.ledger:10} {self.name:52} {figures}  {self.verdict}{note}"


def table(runs: Sequence[Sequence[Line]]) -> str:
    """All runs in one table: a line for each fault on each ledger."""
    heads = ("fault", "promised", "ledger", *HEADS[:-1], f"held, of {len(runs)} runs", "seen")
    rows = [heads, ["---"] * 3 + ["---:"] * 7 + ["---"]]
    for name, ledger in dict.fromkeys((each.name, each.ledger) for run in runs for each in run):
        found = [each for run in runs for each in run if (each.name, each.ledger) == (name, ledger)]
        figures = [_all(values) for values in zip(*(each.figures for each in found), strict=True)]
        held = sum(not each.problems for each in found)
        wrong = next((each.verdict for each in found if each.problems), found[-1].note)
        rows.append([name, found[-1].promised, ledger, *figures, str(held), wrong])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _all(values: Sequence[int]) -> str:
    """One figure where all runs have the same."""
    return ", ".join(map(str, dict.fromkeys(values) if len(set(values)) == 1 else values))


def heading() -> str:
    """Above the lines."""
    figures = " ".join(f"{each[:6]:>6}" for each in HEADS[:-1])
    return f"{'ledger':10} {'fault':52} {figures}  {HEADS[-1]}"


def failed(name: str, ledger: str, problem: str) -> Line:
    """A row that came to no figures."""
    return Line(name, ledger, 0, 0, 0, 0, 0, 0, problems=[problem])
