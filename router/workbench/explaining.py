"""One activation decided without sending: what each rule came to, line by line, and why.

Conditions are evaluated as they are written, as the second opinion has them beside every live
decision. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router.deciding.case import Case
from router.deciding.decisions import Decision, Due, due
from router.domain.facts import Activation, Hub, Registration
from router.domain.inventory import Home
from router.domain.users import ServiceUser
from router.files.problems import Location
from router.language.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Seen,
    compare,
    holds,
)
from router.language.fields import Value
from router.language.rules import Rule, Rules


@dataclass(frozen=True, slots=True)
class LineSeen:
    """One line of `when` as it stands in the file, and what it came to for one candidate."""

    depth: int
    """How many groups it stands in."""
    text: str
    """The comparison; `any:`, `all:` or `not:` for the line that begins a group."""
    held: bool
    location: Location | None
    """Where it stands."""
    seen: Seen | None = None
    """Of a comparison, with the value; None for a group."""


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """What a rule came to for one candidate."""

    rule: Rule
    matched: bool
    lines: tuple[LineSeen, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision, and every rule behind it (none where nobody could be told)."""

    decision: Decision
    user: ServiceUser | None = None
    """The candidate; None where nobody could be told."""
    rules: tuple[RuleSeen, ...] = ()
    """In the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is decided about one activation."""

    activation: Activation
    hub: Hub
    at: datetime
    """The moment of the decision."""
    registrations: Sequence[Registration]
    """Those in effect at that moment."""
    decisions: Sequence[Explained]

    @property
    def due(self) -> list[Due]:
        """The Alerts that would be sent."""
        return due([each.decision for each in self.decisions])


def explain(
    activation: Activation,
    home: Home,
    *,
    rules: Rules,
    users: Mapping[str, ServiceUser],
    now: datetime,
) -> Explanation:
    """What would be decided about this activation at the moment `now`."""
    case = Case.opened(activation, home, users, now)
    seen = [_looked_at(values, rules) for values in case.values]
    matched = [[index for index, each in enumerate(rules) if each.matched] for rules in seen]
    decided = case.decided(matched, rules)
    settled, asked = decided[: len(case.settled)], decided[len(case.settled) :]
    explained = [Explained(each) for each in settled] + [
        Explained(decision, candidate.user, looked_at)
        for decision, candidate, looked_at in zip(asked, case.candidates, seen, strict=True)
    ]
    return Explanation(activation, home.hub, now, case.registrations, explained)


def _looked_at(values: Mapping[str, Value], rules: Rules) -> tuple[RuleSeen, ...]:
    return tuple(
        RuleSeen(rule, holds(rule.when, values), tuple(_lines(rule.when.parts, values)))
        for rule in rules.rules
    )


def _lines(
    parts: Sequence[Condition], values: Mapping[str, Value], depth: int = 0
) -> Iterator[LineSeen]:
    for part in parts:
        held = holds(part, values)
        match part:
            case Comparison():
                seen = Seen(part, values.get(part.field), held)
                yield LineSeen(depth, part.text, held, part.location, seen)
                continue
            case AnyOf(inner, where):
                word = "any:"
            case AllOf(inner, where):
                word = "all:"
            case Not(negated):
                # `not:` of several lines is written without an `all:` of its own
                lines = negated if isinstance(negated, AllOf) else AllOf((negated,))
                word, inner, where = "not:", lines.parts, lines.location
        yield LineSeen(depth, word, held, where)
        yield from _lines(inner, values, depth + 1)


def blamed(condition: Condition, values: Mapping[str, Value], *, wanted: bool = True) -> list[Seen]:
    """The comparisons because of which a condition is not `wanted`; none when it is.

    Of `any:` that fails all are to blame, of `all:` those that failed; under `not:` the other
    way round.
    """
    match condition:
        case Comparison():
            value = values.get(condition.field)
            held = compare(condition, value)
            return [] if held is wanted else [Seen(condition, value, held)]
        case Not(part):
            return blamed(part, values, wanted=not wanted)
        case AllOf(parts) | AnyOf(parts):
            if holds(condition, values) is wanted:
                return []
            return [each for part in parts for each in blamed(part, values, wanted=wanted)]
