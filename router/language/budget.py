"""What all rules together may cost the engine: it holds each alternative of each rule in memory.

A rule for itself has at most 64 alternatives; 170 kB of such rules took 600 MB.
"""

from __future__ import annotations

from router.files.codes import Code
from router.files.problems import Problem
from router.language.alternatives import alternatives_of
from router.language.rules import Rules

OF_AN_ALTERNATIVE = 4
"""What an alternative costs, in comparisons; measured: 20 kB, and 5 kB for each comparison."""
MOST = 20_000
"""Comparisons for all rules: some 100 MB. A rule of one line costs 5, however long its list is."""
_NAMED = 3
"""How many rules are named that cost the most."""


def find(rules: Rules) -> list[Problem]:
    """A Problem when the rules cost more than the engine may take, at the one that costs most."""
    costs = []
    for rule in rules.rules:
        alternatives = alternatives_of(rule.when)
        cost = sum(len(each) + OF_AN_ALTERNATIVE for each in alternatives)
        costs.append((cost, len(alternatives), rule))
    total = sum(cost for cost, _, _ in costs)
    if total <= MOST:
        return []
    costs.sort(key=lambda each: each[0], reverse=True)
    named = ", ".join(f"{rule.name!r} {cost:,} ({ways})" for cost, ways, rule in costs[:_NAMED])
    message = (
        f"all rules together cost {total:,} comparisons, more than {MOST:,}: each alternative "
        f"(`any:` times `any:`) counts its own and {OF_AN_ALTERNATIVE}. The most cost, with their "
        f"alternatives: {named}; use `in` for a list of values"
    )
    return [Problem(costs[0][2].location, message, Code.TOO_LARGE)]
