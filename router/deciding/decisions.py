"""What follows from the rules that matched. Pure.

For each candidate (a company in one role for one hub) there is exactly one decision, also where
nobody is told: a regulator asks as often why something was not sent. Suppress beats alert for
the candidate it matches and for no other. One Service User gets one Alert of a code, which
lists the roles that were alerted and the rule of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from router.domain.inventory import Party
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.language.rules import Rules


class Verdict(StrEnum):
    """What was decided for one candidate."""

    ALERTED = "alerted"
    SUPPRESSED = "suppressed"
    NO_RULE = "no_rule"
    """No rule matched."""
    NO_ELIGIBLE_USER = "no_eligible_user"
    """The company is not a Service User, or does not hold that role as one."""
    NO_RECIPIENT = "no_recipient"
    """Nobody is registered for the hub at this moment."""
    SAME_ACTIVATION = "same_activation"
    """The activation was already decided under another event id."""


ABOUT_SOMEBODY = (Verdict.ALERTED, Verdict.SUPPRESSED, Verdict.NO_RULE)
"""Verdicts on somebody who could be told."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Service User who may be told, in one role."""

    user: ServiceUser
    role: Role


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one candidate; without a party where it is on the whole fact."""

    verdict: Verdict
    party: Party | None = None
    rule: str | None = None
    """The rule that alerted or suppressed."""
    reason: str | None = None
    """The suppressing rule's own words, or what else there is to say."""
    alert_code: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """An Alert that must go out; its id and sequence are given when it is recorded."""

    service_user_id: str
    alert_code: str
    rules: Mapping[str, str]
    """Alerted role to the rule's name, roles sorted."""


def candidates(
    parties: Iterable[Party], users: Mapping[str, ServiceUser]
) -> tuple[list[Candidate], list[Decision]]:
    """Splits the responsible parties into candidates and decisions on those who can't be told."""
    able: list[Candidate] = []
    decided: list[Decision] = []
    for party in parties:
        user = users.get(party.id)
        if user is not None and party.role in user.roles:
            able.append(Candidate(user, party.role))
        else:
            reason = "not a Service User" if user is None else f"does not hold {party.role} here"
            decided.append(Decision(Verdict.NO_ELIGIBLE_USER, party, reason=reason))
    return able, decided


def decide(candidate: Candidate, matched: Iterable[int], rules: Rules) -> Decision:
    """The verdict on a candidate, given the indexes of the rules that matched it.

    The first suppressing rule wins, else the first alerting one, in the order of the files.
    """
    party = Party(candidate.user.id, candidate.role)
    hits = [rules.rules[index] for index in sorted(matched)]
    for rule in hits:
        if rule.suppress is not None:
            return Decision(Verdict.SUPPRESSED, party, rule.name, rule.suppress)
    for rule in hits:
        if rule.alert is not None:
            return Decision(Verdict.ALERTED, party, rule.name, alert_code=rule.alert)
    return Decision(Verdict.NO_RULE, party)


def due(decisions: Sequence[Decision]) -> list[Due]:
    """The Alerts that decisions on one fact call for: one for each user and code, sorted."""
    by_alert: dict[tuple[str, str], dict[str, str]] = {}
    for each in decisions:
        if each.verdict is Verdict.ALERTED and each.party and each.alert_code and each.rule:
            roles = by_alert.setdefault((each.party.id, each.alert_code), {})
            roles[each.party.role.value] = each.rule  # encoders take longer over other keys
    return [
        Due(user, code, dict(sorted(roles.items())) if len(roles) > 1 else roles)
        for (user, code), roles in sorted(by_alert.items())
    ]
