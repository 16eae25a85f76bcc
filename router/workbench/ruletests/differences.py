"""What a test of rules expects, against what was decided, in lines that people can read.

    - N64  Acme Energy  90-B3-D5-1F-30-01-00-01  gas_supplier, import_supplier
    + N64  Acme Energy  90-B3-D5-1F-30-01-00-01  import_supplier (alert-import-supplier)
      gas_supplier of Acme Energy: suppressed by hub-replaced
        hub.replaced_by exists: holds, hub.replaced_by is "90-B3-D5-1F-30-00-10-02"
      1 more as expected

What begins with `-` was expected and did not come, with `+` it came and was not expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.deciding.decisions import Decision, Verdict, due
from router.language.conditions import Seen
from router.language.fields import Value
from router.language.rules import Rule, Rules
from router.workbench.explaining import blamed
from router.workbench.ruletests.file import Expected, RuleTest
from router.workbench.ruletests.given import GivenUser

_SUPPRESSED = "suppressed"
_MOST = 6
"""Conditions that are shown of one rule: an `any:` of twenty would hide what matters."""

_Key = tuple[str, str, str]
"""A user, the code of its Alert or `suppressed`, and then the role."""
_RulesOfRoles = Mapping[str, str | None]
"""Role to the rule that is the reason; None where a test leaves it open."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What rules came to for one test."""

    rules: Rules
    decisions: Sequence[Decision]
    values: Mapping[tuple[str, str], Mapping[str, Value]]
    """What rules saw of each candidate, by user and role."""


def met(expected: Expected, decisions: Sequence[Decision]) -> bool:
    """Whether exactly what was expected was decided."""
    wanted, found = _wanted(expected), _found(expected, decisions)
    return wanted.keys() == found.keys() and all(
        _same(effect, found[key]) for key, effect in wanted.items()
    )


def differences(test: RuleTest, answer: Evaluated) -> list[str]:
    """What was expected and did not come, what came and was not, and why; nothing when met."""
    expected = test.entry.expect
    wanted, found = _wanted(expected), _found(expected, answer.decisions)
    keys = sorted(wanted.keys() | found.keys())
    differing = [
        key
        for key in keys
        if not (key in wanted and key in found and _same(wanted[key], found[key]))
    ]
    if not differing:
        return []
    names = _names(test.entry.given.users)
    rows = [
        (sign, key, effects[key])
        for sign, effects in (("-", wanted), ("+", found))
        for key in differing
        if key in effects
    ]
    rows.sort(key=lambda row: row[1][0])  # by user, both sides beside each other
    said = _aligned(rows, names)
    for user, role, key in _to_explain(differing, wanted, found):
        why = _Why(answer, user, role)
        said.append(f"  {role} of {names.get(user) or user}: {why.verdict()}")
        asked = (wanted[key][role], key[1]) if role in wanted.get(key, {}) else None
        said += [f"    {each}" for each in why.grounds(asked)]
    as_expected = len(keys) - len(differing)
    return [*said, *([f"  {as_expected} more as expected"] if as_expected else [])]


# --- both sides in one shape ----------------------------------------------------------------


def _wanted(expected: Expected) -> dict[_Key, _RulesOfRoles]:
    alerts: dict[_Key, _RulesOfRoles] = {
        (each.user, each.code, ""): {str(role): None for role in sorted(each.roles)}
        for each in expected.alerts
    }
    suppressed: dict[_Key, _RulesOfRoles] = {
        (each.user, _SUPPRESSED, each.role): {str(each.role): each.rule}
        for each in expected.suppressed or ()
    }
    return alerts | suppressed


def _found(expected: Expected, decisions: Sequence[Decision]) -> dict[_Key, _RulesOfRoles]:
    found: dict[_Key, _RulesOfRoles] = {
        (each.service_user_id, each.alert_code, ""): dict(each.rules) for each in due(decisions)
    }
    if expected.suppressed is not None:
        for each in decisions:
            if each.verdict is Verdict.SUPPRESSED and each.party:
                role = str(each.party.role)
                found[each.party.id, _SUPPRESSED, role] = {role: each.rule}
    return found


def _same(wanted: _RulesOfRoles, found: _RulesOfRoles) -> bool:
    return wanted.keys() == found.keys() and all(
        rule is None or rule == found[role] for role, rule in wanted.items()
    )


def _to_explain(
    keys: Iterable[_Key], wanted: Mapping[_Key, _RulesOfRoles], found: Mapping[_Key, _RulesOfRoles]
) -> list[tuple[str, str, _Key]]:
    """Each user and role that is not as expected, once, and in which difference it first is."""
    first: dict[tuple[str, str], _Key] = {}
    for key in sorted(keys, key=lambda key: key not in wanted):
        mine, other = wanted.get(key, {}), found.get(key, {})
        for role in sorted(mine.keys() | other.keys()):
            as_wanted = role in mine and role in other and mine[role] in {None, other[role]}
            if not as_wanted:
                first.setdefault((key[0], role), key)
    return [(user, role, key) for (user, role), key in sorted(first.items())]


# --- the lines ------------------------------------------------------------------------------


def _names(users: Iterable[GivenUser]) -> dict[str, str]:
    """Names of users by id; not the one that stands for all who were given none."""
    usual = GivenUser.model_fields["name"].default
    return {each.id: each.name for each in users if each.name != usual}


def _aligned(
    rows: Sequence[tuple[str, _Key, _RulesOfRoles]], names: Mapping[str, str]
) -> list[str]:
    table = [
        (sign, what, names.get(user, ""), user, ", ".join(map(_role, effect.items())))
        for sign, (user, what, _), effect in rows
    ]
    what_wide, name_wide = (max(len(row[column]) for row in table) for column in (1, 2))
    return [
        f"{sign} {what:{what_wide}}  {f'{name:{name_wide}}  ' if name_wide else ''}{user}  {roles}"
        for sign, what, name, user, roles in table
    ]


def _role(item: tuple[str, str | None]) -> str:
    role, rule = item
    return f"{role} ({rule})" if rule else role


@dataclass(frozen=True, slots=True)
class _Why:
    """Why one user in one role came to what it came to."""

    answer: Evaluated
    user: str
    role: str

    @property
    def decision(self) -> Decision | None:
        for each in self.answer.decisions:
            if each.party and (each.party.id, str(each.party.role)) == (self.user, self.role):
                return each
        return None

    def verdict(self) -> str:
        decision = self.decision
        if decision is None:
            return "not responsible for the hub at that moment"
        if decision.rule is not None:
            return f"{decision.verdict} by {decision.rule}"
        said = decision.verdict.replace("_", " ")
        return f"{said}: {decision.reason}" if decision.reason else "no rule matches"

    def grounds(self, asked: tuple[str | None, str] | None) -> Iterator[str]:
        """The conditions behind it; `asked` is the rule that was wanted, and for what."""
        values = self.answer.values.get((self.user, self.role))
        if values is None:
            return
        decided = self.decision and self.decision.rule
        for rule in self.answer.rules.rules:
            if rule.name == decided:
                yield from _shown(blamed(rule.when, values, wanted=False))
        if asked is not None:
            yield from self._instead_of(asked, values)

    def _instead_of(
        self, asked: tuple[str | None, str], values: Mapping[str, Value]
    ) -> Iterator[str]:
        """What speaks against the rule that was wanted, or any that would have done."""
        name, what = asked
        fit = [rule for rule in self.answer.rules.rules if _fits(rule, name, what)]
        if not fit:
            yield f"no rule alerts {what}"
            return
        against = [(rule, blamed(rule.when, values)) for rule in fit]
        rule, failed = min(against, key=lambda each: _distance(each[1]))
        if failed:
            yield f"{rule.name} does not match:"
            yield from (f"  {each}" for each in _shown(failed))
        elif rule.name == name:
            yield f"{rule.name} matches too, and comes second"


def _distance(failed: Sequence[Seen]) -> tuple[bool, int]:
    """How far a rule is from matching; one about another role was never meant."""
    return any(each.comparison.field == "recipient.role" for each in failed), len(failed)


def _fits(rule: Rule, name: str | None, what: str) -> bool:
    """Whether it is the rule that was wanted, or where none was named, one that would do."""
    return rule.name == name if name else rule.alert == what


def _shown(seen: Sequence[Seen]) -> list[str]:
    said = [str(each) for each in seen[:_MOST]]
    return said + ([f"and {len(seen) - _MOST} more"] if len(seen) > _MOST else [])
