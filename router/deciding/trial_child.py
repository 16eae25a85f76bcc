"""What the child process of a trial does with the rules; see trial.py.

Apart from its parent, which starts sooner without the engine, as the child does without the rest.
"""

from __future__ import annotations

import pickle
import resource
import sys
from typing import TYPE_CHECKING

from router.deciding.engine import Engine, EngineAnomaly
from router.errors import EngineError
from router.language.alternatives import Alternative, Leaf, alternatives_of
from router.language.fields import Value

if TYPE_CHECKING:
    from router.language.rules import Rules

MEMORY = 400_000_000
"""Bytes that the child may take; rules within their budget come to a quarter of it."""


def child(pickled: bytes) -> None:
    """Evaluate every rule once with values that should make it match; else exit and say why."""
    rules: Rules = pickle.loads(pickled)  # noqa: S301 - from our own parent
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    try:
        engine = Engine(rules)
        tried = [
            {},
            *(_example(each) for rule in rules.rules for each in alternatives_of(rule.when)),
        ]
        found = engine.evaluate(tried)
    except EngineError as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit(f"it needs more than {MEMORY:,} bytes for them")
    anomaly = next((each for each in found if isinstance(each, EngineAnomaly)), None)
    if anomaly or engine.rebuilds:
        sys.exit(str(anomaly or "durable_rules contradicts the second opinion"))
    engine.close()


def _example(alternative: Alternative) -> dict[str, Value]:
    return {
        leaf.field: _value(leaf) for leaf in alternative if leaf.wanted and leaf.literal is not None
    }


def _value(leaf: Leaf) -> Value:
    literal = leaf.literal
    if leaf.operator == "has":
        return (str(literal),)
    if isinstance(literal, tuple):
        return literal[0]
    return literal if literal is not None else ""
