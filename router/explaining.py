"""One activation decided without sending: which rule, and why the others did not match.

The answer comes from the second evaluator, which checks every live decision too. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from router import decisions as deciding
from router.conditions import AllOf, AnyOf, Comparison, Condition, Not, Seen, compare, holds
from router.decisions import Candidate, Decision, Verdict
from router.facts import Activation, Registration
from router.fields import Value, fields_of
from router.inventory import Home, in_effect, responsible
from router.rule import Rule
from router.rules import Rules
from router.users import ServiceUser


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """What a rule came to for one candidate."""

    rule: Rule
    matched: bool
    failed: tuple[Seen, ...]
    """The comparisons because of which it did not match."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One decision, and every rule behind it (none where nobody could be told)."""

    decision: Decision
    rules: tuple[RuleSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is decided about one activation."""

    registrations: Sequence[Registration]
    """Those in effect at the moment of the decision."""
    decisions: Sequence[Explained]


def explain(
    activation: Activation,
    home: Home,
    *,
    rules: Rules,
    users: Mapping[str, ServiceUser],
    now: datetime,
) -> Explanation:
    """What would be decided about this activation at the moment `now`."""
    registered = in_effect(home, now)
    parties = responsible(registered)
    able, decided = deciding.candidates(parties, users)
    if not parties:
        decided = [Decision(Verdict.NO_RECIPIENT, reason="nobody is registered for the hub")]
    explained = [Explained(each) for each in decided]
    for candidate in able:
        values = fields_of(activation, home.hub, candidate.role, candidate.user)
        explained.append(_candidate(candidate, values, rules))
    return Explanation(registered, explained)


def _candidate(candidate: Candidate, values: Mapping[str, Value], rules: Rules) -> Explained:
    looked_at = tuple(
        RuleSeen(rule, holds(rule.when, values), tuple(blamed(rule.when, values)))
        for rule in rules.rules
    )
    matched = [index for index, each in enumerate(looked_at) if each.matched]
    return Explained(deciding.decide(candidate, matched, rules), looked_at)


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
