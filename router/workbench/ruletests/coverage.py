"""Which outcomes of conditions the tests of rules have seen.

A condition that no test saw hold and fail may say anything; the tests would not notice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.language.conditions import Comparison, comparisons, seen
from router.language.fields import Value
from router.language.rules import Rule, Rules


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A condition that some outcome was never seen of."""

    rule: Rule
    comparison: Comparison
    never: str
    """`held` or `failed`."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many outcomes the tests have seen, of all that conditions can have: two each."""

    seen: int
    outcomes: int
    file: Path | None = None
    """The file of rules; None for all of them."""

    @property
    def percent(self) -> int:
        """Rounded down: 100 means all."""
        return 100 * self.seen // self.outcomes


class Coverage:
    """Looks on while tests run."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules.rules
        self._outcomes: dict[tuple[int, int], set[bool]] = {}

    def saw(self, values: Mapping[str, Value], without: Collection[str] = ()) -> None:
        """A test has asked every rule but these about this candidate."""
        for number, rule in enumerate(self._rules):
            if rule.name in without:
                continue
            for index, each in enumerate(seen(rule.when, values)):
                self._outcomes.setdefault((number, index), set()).add(each.held)

    def uncovered(self) -> list[Uncovered]:
        """What was never seen, in the order of the files."""
        return [
            Uncovered(rule, comparison, "held" if missing else "failed")
            for number, rule in enumerate(self._rules)
            for index, comparison in enumerate(comparisons(rule.when))
            for missing in sorted({True, False} - self._outcomes.get((number, index), set()))
        ]

    def shares(self) -> list[Share]:
        """Each file's, and that of all at the end."""
        written = Counter(
            rule.location.file for rule in self._rules for _ in comparisons(rule.when)
        )
        unseen = Counter(each.rule.location.file for each in self.uncovered())
        by_file = [Share(2 * each - unseen[file], 2 * each, file) for file, each in written.items()]
        return [*by_file, Share(2 * written.total() - unseen.total(), 2 * written.total())]
