"""The second opinion on every decision: which rules match, by Python alone.

It decides by the conditions as they are written, not by their alternatives nor by numbers
(encoding.py), so that a mistake in those, or in durable_rules, shows. Hundreds of rules
ask much the same, so each distinct comparison is evaluated once for each value that it meets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from router.language.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
    Values,
    compare,
    comparisons,
)
from router.language.fields import Value
from router.language.rules import Rules

REMEMBERED = 2_000
"""For so many values of a field what comparisons came to is kept: some fields, such as Device
IDs, never see a value again."""


@dataclass(slots=True)
class _Asked:
    """What rules ask about one field; each comparison has a bit."""

    comparisons: list[tuple[int, Comparison]] = field(default_factory=list)
    answers: dict[Value | None, int] = field(default_factory=dict)
    """By value, the bits of the comparisons that hold for it."""

    def answer(self, value: Value | None) -> int:
        found = self.answers.get(value)
        if found is None:
            if len(self.answers) >= REMEMBERED:
                self.answers.clear()
            found = sum(bit for bit, each in self.comparisons if compare(each, value))
            self.answers[value] = found
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """A condition over bits: all of them (or any), and all (or any) of the groups in it."""

    bits: int
    groups: tuple[_Group, ...]
    every: bool
    wanted: bool = True
    """False under `not:`."""

    def holds(self, held: int) -> bool:
        if self.every:
            found = held & self.bits == self.bits and all(each.holds(held) for each in self.groups)
        else:
            found = bool(held & self.bits) or any(each.holds(held) for each in self.groups)
        return found is self.wanted


class SecondOpinion:
    """The rules, ready to be matched against candidates."""

    def __init__(self, rules: Rules) -> None:
        self._bits: dict[tuple[object, ...], int] = {}
        self._asked: dict[str, _Asked] = {}
        for rule in rules.rules:
            for each in comparisons(rule.when):
                self._ask(each)
        groups = [self._group(rule.when) for rule in rules.rules]
        # most rules are a plain list of lines: these are decided without a call
        self._plain = [(n, each.bits) for n, each in enumerate(groups) if not each.groups]
        self._nested = [(n, each) for n, each in enumerate(groups) if each.groups]

    def matching(self, values: Values) -> frozenset[int]:
        """The indexes of the rules that match a candidate."""
        held = 0
        for name, asked in self._asked.items():
            held |= asked.answer(values.get(name))
        found = [number for number, bits in self._plain if held & bits == bits]
        found += [number for number, each in self._nested if each.holds(held)]
        return frozenset(found)

    def _ask(self, comparison: Comparison) -> None:
        key = _key(comparison)
        if key not in self._bits:
            self._bits[key] = 1 << len(self._bits)
            asked = self._asked.setdefault(comparison.field, _Asked())
            asked.comparisons.append((self._bits[key], comparison))

    def _group(self, condition: Condition) -> _Group:
        match condition:
            case Comparison():
                return _Group(self._bits[_key(condition)], (), every=True)
            case Not(part):
                return _Group(0, (self._group(part),), every=True, wanted=False)
            case AllOf(parts) | AnyOf(parts):
                bits = 0
                for part in parts:
                    if isinstance(part, Comparison):
                        bits |= self._bits[_key(part)]
                inner = [self._group(part) for part in parts if not isinstance(part, Comparison)]
                return _Group(bits, tuple(inner), every=isinstance(condition, AllOf))


def _key(comparison: Comparison) -> tuple[object, ...]:
    return comparison.field, comparison.operator, comparison.literal
