"""What edited rules would change: facts of the past decided again, on the grounds of then.

Users and registrations are those of the original decision, so that every difference is the rules'
alone. Nothing is recorded and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.deciding.decisions import Decision, Verdict, due
from router.deciding.engine import Engine, EngineAnomaly, Matched
from router.domain.users import ServiceUser
from router.errors import EngineError
from router.ledger.queries.history import Past, alerts_of

GAINS, LOSES = "gains", "loses"
AlertKey = tuple[str, str]
"""Service User and Alert code."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One Alert that would come or go."""

    change: str
    """`gains` or `loses`."""
    service_user_id: str
    alert_code: str
    rule: str
    """Which alerts: of the edited rules for what is gained, of those of then for what is lost."""
    instead: str
    """What decides on the other side: a rule that suppresses, another Alert's rule, or none."""
    device_id: str
    firmware_version: str
    decided_at: datetime


@dataclass(slots=True)
class ChangedAlerts:
    """All Alerts that would come or go in one way."""

    change: str
    service_user_id: str
    alert_code: str
    rule: str
    instead: str
    alerts: int
    device_id: str
    """The last hub for which it was so: `hubherald why --hub` tells of it."""


@dataclass(slots=True)
class Difference:
    """All that would change, and how much was looked at."""

    changes: dict[tuple[str, ...], ChangedAlerts] = field(default_factory=dict)
    moved: list[Moved] = field(default_factory=list)
    """As many Alerts one by one as were asked for, in the order of the facts."""
    lost: list[tuple[int, AlertKey]] = field(default_factory=list)
    """All Alerts that would go: the number of the fact, and for whom."""
    activations: int = 0
    same: int = 0
    """Alerts that would go out as they did."""
    otherwise: int = 0
    """Of those: for another rule, or for other roles."""

    def total(self, *kinds: str) -> int:
        """How many Alerts would come, or go; without a kind, both."""
        wanted = kinds or (GAINS, LOSES)
        return sum(each.alerts for each in self.changes.values() if each.change in wanted)

    def rows(self) -> list[ChangedAlerts]:
        """The changes, the largest first for each user."""
        return sorted(
            self.changes.values(),
            key=lambda each: (each.service_user_id, each.change, -each.alerts, each.rule),
        )


def _trusted(past: Past, hits: Iterable[Matched | EngineAnomaly]) -> Iterator[Matched]:
    for each in hits:
        if isinstance(each, EngineAnomaly):
            raise EngineError(f"fact {past.fact_id} of the ledger: {each}")
        yield each


class Differ:
    """Decides pages of past facts again under other rules, and adds up what changes."""

    def __init__(self, engine: Engine, each: int = 0) -> None:
        """`each` is how many Alerts are kept one by one."""
        self.engine = engine
        self.each = each
        self.found = Difference()

    def add(self, page: Sequence[Past], users: Mapping[str, Mapping[str, ServiceUser]]) -> None:
        """`users` are those of then, by digest. EngineError when the engine can't be trusted."""
        cases = [(past, past.case(users[past.users_digest])) for past in page if not _settled(past)]
        matched = self.engine.evaluate([values for _, case in cases for values in case.values])
        position = 0
        for past, case in cases:
            hits = matched[position : position + len(case.values)]
            position += len(case.values)
            self._compare(past, case.decided(_trusted(past, hits), self.engine.rules))
        self.found.activations += len(page)

    def _compare(self, past: Past, decided: Sequence[Decision]) -> None:
        before, after = (
            alerts_of(past),
            {(each.service_user_id, each.alert_code): dict(each.rules) for each in due(decided)},
        )
        for key in sorted(before.keys() | after.keys()):
            if key in before and key in after:
                self.found.same += 1
                self.found.otherwise += before[key] != after[key]
            elif key in after:
                self._count(past, GAINS, key, after[key], _said_then(past, key[0]))
            else:
                self._count(past, LOSES, key, before[key], _said_now(decided, key[0]))

    def _count(
        self, past: Past, change: str, key: AlertKey, rules: Mapping[str, str], instead: str
    ) -> None:
        names = ", ".join(sorted(set(rules.values())))
        place, device_id = (change, *key, names, instead), past.activation.device_id
        self.found.changes.setdefault(place, ChangedAlerts(*place, 0, device_id)).alerts += 1
        if change == LOSES:
            self.found.lost.append((past.fact_id, key))
        if len(self.found.moved) < self.each:
            version = past.activation.firmware_version
            self.found.moved.append(Moved(*place, device_id, version, past.decided_at))


def _settled(past: Past) -> bool:
    """Whether no rule had a say: nobody was registered, or it was decided under another id."""
    return any(each.party_id is None for each in past.decisions)


def _said_then(past: Past, user: str) -> str:
    mine = [each for each in past.decisions if each.party_id == user]
    return _words((each.verdict, each.rule) for each in mine)


def _said_now(decided: Iterable[Decision], user: str) -> str:
    mine = [each for each in decided if each.party and each.party.id == user]
    return _words((each.verdict, each.rule) for each in mine)


def _words(decided: Iterable[tuple[Verdict, str | None]]) -> str:
    """`suppressed by hub-pending`, `no rule`, or which other rule alerts with another code."""
    said = {
        f"{verdict.replace('_', ' ')} by {rule}" if rule else verdict.replace("_", " ")
        for verdict, rule in decided
    }
    return ", ".join(sorted(said))
