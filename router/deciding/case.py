"""One activation on its way to a decision: who may be told, and what rules may ask about each.

The one path of deciding: `run`, `explain`, `test`, `diff` and `capture` all go through here, so
that they can't come to differ. Pure: which rules match is asked of the engine in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from router.deciding.decisions import Candidate, Decision, Verdict, candidates, decide
from router.domain.facts import Activation, Hub, Registration
from router.domain.inventory import Home, in_effect, responsible
from router.domain.users import ServiceUser
from router.language.fields import Value, activation_fields, recipient_fields
from router.language.rules import Rules

_NOBODY = Decision(Verdict.NO_RECIPIENT, reason="nobody is registered for the hub")


@dataclass(frozen=True, slots=True)
class Case:
    """An activation with all that a decision on it rests upon, but for the rules."""

    activation: Activation
    hub: Hub
    registrations: tuple[Registration, ...]
    """Those in effect at the moment of the decision."""
    candidates: Sequence[Candidate]
    values: Sequence[dict[str, Value]]
    """What rules may ask about each candidate."""
    settled: Sequence[Decision]
    """What holds whatever the rules say: on those who can't be told, or that nobody is there."""

    @classmethod
    def opened(
        cls, activation: Activation, home: Home, users: Mapping[str, ServiceUser], at: datetime
    ) -> Self:
        """The case as it stands at the moment `at`; `users` by id."""
        return cls.of(activation, home.hub, in_effect(home, at), users)

    @classmethod
    def of(
        cls,
        activation: Activation,
        hub: Hub,
        registrations: Sequence[Registration],
        users: Mapping[str, ServiceUser],
    ) -> Self:
        """The case on these registrations, which are those in effect; `users` by id."""
        parties = responsible(registrations)
        able, settled = candidates(parties, users)
        alike = activation_fields(activation, hub)
        values = [alike | recipient_fields(each.role, each.user) for each in able]
        return cls(
            activation, hub, tuple(registrations), able, values, settled if parties else [_NOBODY]
        )

    def decided(self, matched: Iterable[Iterable[int]], rules: Rules) -> list[Decision]:
        """What follows, given for each candidate the indexes of the rules that matched it."""
        pairs = zip(self.candidates, matched, strict=True)
        return [*self.settled, *(decide(each, hits, rules) for each, hits in pairs)]
