"""durable_rules, kept on the narrow path where it is exact. The only module that imports it.

durable_rules is a C library that hangs, mis-evaluates or corrupts memory outside of that path, so
this module gives it one shape only: facts that are flat sets of properties, all always present,
and rules that are one conjunction of comparisons on one fact. Conditions become alternatives of
such conjunctions (paths.py); whatever the engine can't compare exactly (lists, prefixes, order of
versions, membership) becomes a number computed in Python before the fact is asserted.

Within a batch most candidates look alike to the rules, so each distinct set of properties is
asserted once. Every result is checked: the canary and sink rules fired as they must, and the
second opinion (conditions.py) agrees. What does not agree is never used.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import structlog

from router.conditions import AllOf, Comparison, holds
from router.errors import EngineError
from router.fields import FIELDS, Kind, Value, compare_versions
from router.paths import Leaf, Path, paths
from router.rules import Rules

try:
    import durable_rules_engine
    from durable.engine import Ruleset
except ImportError as error:  # pragma: no cover - depends on how it was built
    raise EngineError(
        f"durable_rules does not import ({error}); build it again with "
        'CPPFLAGS="-O2 -DPyEval_CallObject=PyObject_CallObject" pip install --force-reinstall '
        "--no-cache-dir --no-binary durable-rules durable-rules==2.0.28"
    ) from error

PATHS_PER_RULESET = 48
"""More than 64 conditions under one parent is an error, 512 an endless loop."""
CHUNK = 500
"""The most facts asserted at once."""
_ENGINE_SIGN = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SID = "1"
_names = count()
_log = structlog.get_logger(__name__)

Values = Mapping[str, Value]
Properties = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class EngineAnomaly:
    """A candidate that the engine could not decide; nothing may follow from it."""

    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class _Property:
    """What the engine sees of a field: its text, or a number that stands for a comparison."""

    field: str
    compute: Callable[[Value | None], str | int]


class _Compiler:
    """Turns rules into properties and engine rules, sharing properties between conditions."""

    def __init__(self, rules: Rules) -> None:
        self.properties: list[_Property] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self.rules: list[tuple[int, list[dict[str, Any]]]] = []
        for index, rule in enumerate(rules.rules):
            for path in paths(rule.when):
                self.rules.append((index, self._leaves(path)))

    def _leaves(self, path: Path) -> list[dict[str, Any]]:
        return [self._leaf(leaf) for leaf in path]

    def _leaf(self, leaf: Leaf) -> dict[str, Any]:
        each, wanted = leaf.comparison, leaf.wanted
        operator = each.operator
        if operator in {"!=", "not in"}:
            wanted = not wanted
            operator = "==" if operator == "!=" else "in"
        kind = FIELDS[each.field].kind
        if operator == "==" and kind is not Kind.BOOLEAN:
            assert isinstance(each.literal, str)
            return _equal(self._text(each.field), each.literal, wanted=wanted)
        if operator == "exists" and kind is not Kind.WORDS and kind is not Kind.BOOLEAN:
            return _equal(self._text(each.field), "", wanted=not wanted)
        if operator in {"<", "<=", ">", ">="}:
            return self._order(each, wanted=wanted)
        return _equal(self._truth(each, operator), 1, wanted=wanted)

    def _text(self, field: str) -> str:
        """The field's own text; empty when absent, which no value and no literal is."""
        return self._name((field,), _Property(field, lambda value: _as_text(value)))

    def _truth(self, each: Comparison, operator: str) -> str:
        """1 where the comparison holds, else 0: for lists, prefixes, membership and booleans."""
        plain = Comparison(each.field, operator, each.literal, each.text, each.location)

        def compute(value: Value | None) -> int:
            return int(holds(plain, {} if value is None else {plain.field: value}))

        return self._name((each.field, operator, each.literal), _Property(each.field, compute))

    def _order(self, each: Comparison, *, wanted: bool) -> dict[str, Any]:
        """-1, 0 or 1 for the order of versions; the engine compares that number with 0."""
        literal = each.literal
        assert isinstance(literal, str)
        # an absent version lies where no comparison of its direction holds
        absent = 2 if each.operator.startswith("<") else -2

        def compute(value: Value | None) -> int:
            return compare_versions(value, literal) if isinstance(value, str) else absent

        name = self._name((each.field, absent, literal), _Property(each.field, compute))
        operator = each.operator if wanted else _OPPOSITE[each.operator]
        return {_ENGINE_SIGN[operator]: {name: 0}}

    def _name(self, key: tuple[object, ...], made: _Property) -> str:
        """Short generated names: the engine tells names apart by a 32-bit hash only."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.properties)
            self.properties.append(made)
        return f"f{number}"


def _equal(name: str, value: str | int, *, wanted: bool) -> dict[str, Any]:
    return {name: value} if wanted else {"$neq": {name: value}}


def _as_text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""


class _RulesetOf50:
    """One ruleset of the engine with its sink and canary, and what fired in it."""

    def __init__(self, rules: Sequence[tuple[int, list[dict[str, Any]]]]) -> None:
        self._fired: list[tuple[int | str, str]] = []
        self.anomaly: str | None = None
        definition: dict[str, Any] = {}
        for number, (index, leaves) in enumerate(rules):
            definition[f"r{number}"] = _rule([{"k": 1}, *leaves], self._action(index))
        definition["sink"] = _rule([{"k": 1}], self._action("sink"))
        definition["canary"] = _rule([{"k": 2}], self._action("canary"))
        self._ruleset = Ruleset(f"hubherald{next(_names)}", None, definition)
        self._evaluated = False

    def _action(self, name: int | str) -> Callable[[Any], None]:
        fired = self._fired

        def action(closure: Any) -> None:
            fired.append((name, closure.m["id"]))

        return action

    def evaluate(self, facts: Sequence[Properties]) -> list[set[int]]:
        """The indexes of the rules that fired for each fact. EngineError on any anomaly."""
        asserted: list[dict[str, Any]] = [
            {"sid": _SID, "id": str(number), "k": 1}
            | {f"f{place}": value for place, value in enumerate(fact)}
            for number, fact in enumerate(facts)
        ]
        asserted.append({"sid": _SID, "id": "canary", "k": 2})
        self._fired.clear()
        try:
            self._do(self._ruleset.assert_facts(asserted))
            self._do(self._ruleset.retract_facts(asserted))
        except EngineError:
            raise
        except Exception as error:  # durable_rules raises bare Exception
            raise EngineError(f"durable_rules: {error}") from error
        self._evaluated = True
        return self._sorted_out(len(facts))

    def _do(self, state: int) -> None:
        def complete(error: object, found: object) -> None:
            if error is not None:
                raise EngineError(f"durable_rules: {error}")
            if isinstance(found, dict) and "exception" in found:
                raise EngineError(f"durable_rules: {found['exception']}")

        problems: list[EngineError] = []

        def safely(error: object, found: object) -> None:
            try:
                complete(error, found)
            except EngineError as problem:  # the engine would swallow it
                problems.append(problem)

        self._ruleset.do_actions(state, safely)
        if problems:
            raise problems[0]

    def _sorted_out(self, facts: int) -> list[set[int]]:
        found: list[set[int]] = [set() for _ in range(facts)]
        sinks = [0] * facts
        canaries = 0
        for name, fact in self._fired:
            if name == "canary":
                canaries += 1
                continue
            number = int(fact) if fact.isdigit() else facts
            if number >= facts:
                raise EngineError(f"durable_rules fired for an unknown fact {fact!r}")
            if name == "sink":
                sinks[number] += 1
            else:
                found[number].add(int(name))
        if canaries != 1 or any(seen != 1 for seen in sinks):
            raise EngineError("durable_rules left out facts or fired twice")
        return found

    def close(self) -> None:
        """Give the memory back: without this a reload leaks it."""
        if self._evaluated:  # a state that never fired crashes when it is deleted
            self._ruleset.delete_state(_SID)
        durable_rules_engine.delete_ruleset(self._ruleset._handle)


def _rule(leaves: list[dict[str, Any]], action: Callable[[Any], None]) -> dict[str, Any]:
    return {"all": [{"m": {"$and": leaves}}], "run": action}


class Engine:
    """The rules, compiled; evaluates batches of candidates. One thread only."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.mismatches = 0
        """Evaluations in which the second opinion differed."""
        self.rebuilds = 0
        self._compiled = _Compiler(rules)
        self._conditions = [rule.when for rule in rules.rules]
        self._rulesets = self._build()

    def _build(self) -> list[_RulesetOf50]:
        rules = self._compiled.rules
        built = [
            _RulesetOf50(rules[start : start + PATHS_PER_RULESET])
            for start in range(0, len(rules), PATHS_PER_RULESET)
        ]
        for ruleset in built:
            ruleset.evaluate([])  # the canary first
        return built

    def evaluate(self, candidates: Sequence[Values]) -> list[frozenset[int] | EngineAnomaly]:
        """For each candidate the indexes of the rules that match it, checked twice."""
        properties = self._compiled.properties
        keys: list[Properties] = [
            tuple([each.compute(values.get(each.field)) for each in properties])
            for values in candidates
        ]
        distinct: dict[Properties, Values] = dict(zip(keys, candidates, strict=True))
        decided: dict[Properties, frozenset[int] | EngineAnomaly] = {}
        facts = list(distinct)
        for start in range(0, len(facts), CHUNK):
            chunk = facts[start : start + CHUNK]
            found = self._decide(chunk, [distinct[key] for key in chunk])
            decided.update(zip(chunk, found, strict=True))
        return [decided[key] for key in keys]

    def _decide(
        self, facts: Sequence[Properties], values: Sequence[Values]
    ) -> Sequence[frozenset[int] | EngineAnomaly]:
        expected = [second_opinion(self._conditions, each) for each in values]
        found = self._ask(facts)
        if found == expected:
            return expected
        first = self._note(found, expected)
        self.rebuild()
        again = self._ask(facts)
        if again == expected:
            return expected
        _log.error("engine.mismatch", first=first, again=self._note(again, expected))
        if isinstance(again, EngineError):
            return [EngineAnomaly(str(again)) for _ in facts]
        return [
            mine if mine == theirs else EngineAnomaly(_differ(self.rules, mine, theirs))
            for mine, theirs in zip(again, expected, strict=True)
        ]

    def _ask(self, facts: Sequence[Properties]) -> list[frozenset[int]] | EngineError:
        fired: list[set[int]] = [set() for _ in facts]
        try:
            for ruleset in self._rulesets:
                for mine, more in zip(fired, ruleset.evaluate(facts), strict=True):
                    mine |= more
        except EngineError as error:
            return error
        return [frozenset(each) for each in fired]

    def _note(
        self, found: list[frozenset[int]] | EngineError, expected: Sequence[frozenset[int]]
    ) -> str:
        if isinstance(found, EngineError):
            return str(found)
        self.mismatches += sum(a != b for a, b in zip(found, expected, strict=True))
        return next(
            _differ(self.rules, mine, theirs)
            for mine, theirs in zip(found, expected, strict=True)
            if mine != theirs
        )

    def rebuild(self) -> None:
        """Throw the rulesets away and make them anew."""
        self.rebuilds += 1
        old, self._rulesets = self._rulesets, self._build()
        for ruleset in old:
            ruleset.close()

    def close(self) -> None:
        """Give back what the C library holds."""
        for ruleset in self._rulesets:
            ruleset.close()
        self._rulesets = []


def second_opinion(conditions: Sequence[AllOf], values: Values) -> frozenset[int]:
    """What the rules come to without durable_rules."""
    return frozenset(
        index for index, condition in enumerate(conditions) if holds(condition, values)
    )


def _differ(rules: Rules, mine: frozenset[int], theirs: frozenset[int]) -> str:
    names = ", ".join(rules.rules[index].name for index in sorted(mine ^ theirs))
    return f"durable_rules and the second opinion differ on: {names}"


def trial(rules: Rules, timeout_s: float = 10.0) -> None:
    """Compile and evaluate in a child process first: a bad ruleset can hang with the GIL held.

    EngineError when it does not come through within `timeout_s` seconds.
    """
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_try, args=(rules,), daemon=True)
    child.start()
    child.join(timeout_s)
    if child.is_alive():
        child.kill()
        child.join()
        raise EngineError(f"the rules did not compile within {timeout_s:g} s; nothing was started")
    code = child.exitcode
    child.close()
    if code != 0:
        raise EngineError(f"the rules do not compile (trial ended with {code}); see above")


def _try(rules: Rules) -> None:
    engine = Engine(rules)
    found = engine.evaluate([{}])
    engine.close()
    if isinstance(found[0], EngineAnomaly) or engine.mismatches:
        raise EngineError(str(found[0]))
