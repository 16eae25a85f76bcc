"""durable_rules, kept on the narrow path where it is exact. The only module that imports it.

durable_rules is a C library that hangs, mis-evaluates or corrupts memory outside of that path, so
this module gives it one shape only: facts that are flat rows of small numbers, all always there,
and rules that are one conjunction of comparisons on one fact. Conditions become alternatives of
such conjunctions (alternatives.py) and comparisons become ones on numbers (encoding.py).

Within a batch many candidates look alike to some of the rules, so each ruleset is told of each
distinct row once, and forgets it with the batch. Every result is checked: the canary and
sink rules fired as they must, and the second opinion (secondopinion.py) agrees. What does not
agree is never used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

from router.deciding.encoding import Check, Properties, place_of
from router.deciding.secondopinion import SecondOpinion
from router.errors import EngineError
from router.language.alternatives import Alternative, alternatives_of
from router.language.conditions import Values
from router.language.fields import Value
from router.language.rules import Rules

try:
    import durable_rules_engine
    from durable.engine import MessageNotHandledException, MessageObservedException, Ruleset
except ImportError as error:
    _missing = str(error)
else:
    _missing = ""

ALTERNATIVES = 50
"""The most conjunctions in one ruleset: more than 64 conditions under one parent is an error."""
PROPERTIES = 200
"""The most properties of a fact: beyond 250 durable_rules silently drops the rest of a batch."""
CHUNK = 500
"""The most facts asserted at once."""
_SID = "1"
_CANARY = "canary"
_numbers = count()


def _log() -> Any:
    import structlog  # noqa: PLC0415 - takes longer than a trial of rules, which says nothing

    return structlog.get_logger(__name__)


Matched = frozenset[int]
RuleAlternative = tuple[int, Alternative]
"""The index of a rule, and what must hold at once for it to match."""


@dataclass(frozen=True, slots=True)
class EngineAnomaly:
    """A candidate that the engine could not decide; nothing may follow from it."""

    detail: str

    def __str__(self) -> str:
        return self.detail


class Engine:
    """The rules, compiled; evaluates batches of candidates. Used by one thread at a time.

    Another may be made or closed meanwhile: the library never lets go of the interpreter's lock.
    """

    def __init__(self, rules: Rules) -> None:
        """EngineError when durable_rules can't be used or does not take the rules."""
        self.rules = rules
        self.mismatches = 0
        """Evaluations in which durable_rules and the second opinion differed."""
        self.rebuilds = 0
        """How often the rulesets were thrown away and made anew."""
        self._fields = tuple(sorted(rules.fields))
        self._parts = list(_parts(rules))
        self._rulesets: list[_Ruleset] = []
        self._second = SecondOpinion(rules)
        self._build()

    def evaluate(self, candidates: Sequence[Values]) -> list[Matched | EngineAnomaly]:
        """For each candidate the indexes of the rules that match it, checked twice."""
        # what the rules do not read can't make a difference
        keys = [tuple(map(values.get, self._fields)) for values in candidates]
        distinct = list(dict.fromkeys(keys))
        decided: dict[tuple[Value | None, ...], Matched | EngineAnomaly] = {}
        for start in range(0, len(distinct), CHUNK):
            chunk = distinct[start : start + CHUNK]
            found = self._decide([self._read(key) for key in chunk])
            decided.update(zip(chunk, found, strict=True))
        return [decided[key] for key in keys]

    def _read(self, key: tuple[Value | None, ...]) -> dict[str, Value]:
        named = zip(self._fields, key, strict=True)
        return {field: value for field, value in named if value is not None}

    def _decide(self, candidates: Sequence[Values]) -> Sequence[Matched | EngineAnomaly]:
        expected = [self._second.matching(values) for values in candidates]
        found = self._ask(candidates)
        if found == expected:
            return expected
        _log().warning("engine.anomaly", what=self._compare(found, expected))
        try:
            self.rebuild()
        except EngineError as error:
            found = error
        else:
            found = self._ask(candidates)
        if found == expected:
            return expected
        what = self._compare(found, expected)
        _log().error("engine.anomaly_persists", what=what)
        if isinstance(found, EngineError):
            return [EngineAnomaly(what)] * len(candidates)
        return [
            theirs if mine == theirs else EngineAnomaly(self._difference(mine, theirs))
            for mine, theirs in zip(found, expected, strict=True)
        ]

    def _ask(self, candidates: Sequence[Values]) -> list[Matched] | EngineError:
        """What durable_rules alone says."""
        if not self._rulesets:
            return EngineError("durable_rules could not be set up again")
        fired: list[set[int]] = [set() for _ in candidates]
        try:
            for ruleset in self._rulesets:
                for each, more in zip(fired, ruleset.evaluate(candidates), strict=True):
                    each.update(more)
        except EngineError as error:
            return error
        return [frozenset(each) for each in fired]

    def _compare(self, found: list[Matched] | EngineError, expected: Sequence[Matched]) -> str:
        """Counts the differences and tells the first."""
        if isinstance(found, EngineError):
            return str(found)
        pairs = zip(found, expected, strict=True)
        differing = [(mine, theirs) for mine, theirs in pairs if mine != theirs]
        self.mismatches += len(differing)
        return self._difference(*differing[0])

    def _difference(self, mine: Matched, theirs: Matched) -> str:
        names = ", ".join(self.rules.rules[index].name for index in sorted(mine ^ theirs))
        return f"durable_rules and the second opinion differ on: {names}"

    def rebuild(self) -> None:
        """Throw the rulesets away and make them anew; EngineError when that fails."""
        self.rebuilds += 1
        self.close()
        self._build()

    def _build(self) -> None:
        if _missing:
            raise EngineError(
                f"durable_rules can't be imported ({_missing}); build it again: "
                'CPPFLAGS="-O2 -DPyEval_CallObject=PyObject_CallObject" pip install '
                "--no-binary durable-rules --force-reinstall durable-rules==2.0.28"
            )
        try:
            for part in self._parts:
                self._rulesets.append(_Ruleset(part))
        except EngineError:
            self.close()
            raise

    def close(self) -> None:
        """Give back what the C library holds: without this a reload leaks it."""
        while self._rulesets:
            self._rulesets.pop().close()


def _parts(rules: Rules) -> Iterator[list[RuleAlternative]]:
    """The alternatives of all rules in portions that one ruleset can take."""
    part: list[RuleAlternative] = []
    used: set[object] = set()
    for index, rule in enumerate(rules.rules):
        for alternative in alternatives_of(rule.when):
            places = {place_of(leaf) for leaf in alternative}
            if len(part) == ALTERNATIVES or len(used | places) > PROPERTIES:
                yield part
                part, used = [], set()
            part.append((index, alternative))
            used |= places
    yield part


# --- one ruleset of durable_rules -----------------------------------------------------------


class _Ruleset:
    """Some alternatives, a sink that each fact fires, and a canary that each batch fires."""

    def __init__(self, part: Sequence[RuleAlternative]) -> None:
        self._fired: list[tuple[int | str, str]] = []
        self._properties = Properties(leaf for _, alternative in part for leaf in alternative)
        self._names = [f"f{place}" for place in range(len(self._properties))]
        definition = {
            f"r{number}": self._rule(
                1, [self._properties.check(leaf) for leaf in alternative], index
            )
            for number, (index, alternative) in enumerate(part)
        }
        definition["sink"] = self._rule(1, (), "sink")
        definition["canary"] = self._rule(2, (), _CANARY)
        try:
            self._ruleset = Ruleset(f"hubherald{next(_numbers)}", None, definition)
        except durable_rules_engine.error as error:
            raise EngineError(f"durable_rules does not take the rules: {error}") from error
        self._alive = False
        try:
            self.evaluate([])
        except EngineError:
            self.close()
            raise
        self._alive = True

    def _rule(self, anchor: int, checks: Sequence[Check], name: int | str) -> dict[str, Any]:
        fired = self._fired

        def action(closure: Any) -> None:  # one argument, no default: else it counts as async
            fired.append((name, closure.m["id"]))

        return {"all": [{"m": {"$and": [{"k": anchor}, *map(_check, checks)]}}], "run": action}

    def evaluate(self, candidates: Sequence[Values]) -> list[set[int]]:
        """The rules that fired for each. EngineError when anything is not as it must be."""
        rows = [self._properties.row(values) for values in candidates]
        places = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        facts: list[dict[str, Any]] = [
            {"sid": _SID, "id": str(place), "k": 1, **dict(zip(self._names, row, strict=True))}
            for row, place in places.items()
        ]
        facts.append({"sid": _SID, "id": _CANARY, "k": 2})
        self._fired.clear()
        try:
            self._act(self._ruleset.assert_facts(facts))
            self._act(self._ruleset.retract_facts(facts))
        except (MessageNotHandledException, MessageObservedException):  # they carry the facts
            raise EngineError("durable_rules did not take all facts") from None
        except durable_rules_engine.error as error:
            raise EngineError(f"durable_rules: {error}") from error
        found = self._sort_out(len(places))
        return [found[places[row]] for row in rows]

    def _act(self, state: int) -> None:
        """Run the actions that are due; what goes wrong in them ends up in the state."""
        ends: list[tuple[object, object]] = []
        self._ruleset.do_actions(state, lambda error, found: ends.append((error, found)))
        for error, found in ends:
            said = error or (isinstance(found, dict) and found.get("exception"))
            if said:
                raise EngineError(f"durable_rules: {said}")
        if len(ends) != 1:
            raise EngineError("durable_rules did not finish")

    def _sort_out(self, rows: int) -> list[set[int]]:
        known = {str(number): number for number in range(rows)}
        found: list[set[int]] = [set() for _ in known]
        sinks = [0] * rows
        canaries = 0
        for name, fact in self._fired:
            if name == fact == _CANARY:
                canaries += 1
            elif fact not in known:
                raise EngineError(f"durable_rules fired for a fact that is not there: {fact!r}")
            elif isinstance(name, int):
                found[known[fact]].add(name)
            else:
                sinks[known[fact]] += 1
        if canaries != 1 or any(seen != 1 for seen in sinks):
            raise EngineError("durable_rules left facts out or took them twice")
        return found

    def close(self) -> None:
        """Give the memory back; what can't be closed is broken and left alone."""
        if self._alive:  # a state that never fired crashes when it is deleted
            with suppress(durable_rules_engine.error):
                self._ruleset.delete_state(_SID)
        with suppress(durable_rules_engine.error):
            durable_rules_engine.delete_ruleset(self._ruleset._handle)


def _check(check: Check) -> dict[str, Any]:
    comparison: dict[str, Any] = {f"f{check.place}": check.number}
    return comparison if check.sign == "$eq" else {check.sign: comparison}
