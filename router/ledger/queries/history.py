"""Decisions of the past with the grounds they were made on, read page by page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, bindparam, func, select

from router.deciding.case import Case
from router.deciding.decisions import Verdict
from router.domain.facts import Activation, Hub, Registration
from router.domain.timestamps import moment, stamp
from router.domain.users import ServiceUser
from router.domain.wrapping import Room, data_of
from router.ledger.database import Database
from router.ledger.stored import stored_evaluations
from router.ledger.tables import alerts, decisions, documents, evaluations, facts

PAGE = 1_000
_REGISTRATIONS = TypeAdapter(tuple[Registration, ...])


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What was decided then for one candidate; without a party, for the whole fact."""

    party_id: str | None
    role: str | None
    verdict: Verdict
    rule: str | None
    alert_code: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """One activation as it was decided, and on what."""

    fact_id: int
    activation: Activation
    decided_at: datetime
    hub: Hub
    registrations: tuple[Registration, ...]
    """Those in effect at `decided_at`."""
    rules_digest: str
    users_digest: str
    decisions: tuple[PastDecision, ...]

    def case(self, users: Mapping[str, ServiceUser]) -> Case:
        """The case as it stood then; `users` are those of then, by id."""
        return Case.of(self.activation, self.hub, self.registrations, users)


_EVALUATED = select(facts.c.body, evaluations).join(facts, facts.c.id == evaluations.c.fact_id)
# from the newest on: evaluations have no index by time, and those wanted are the last ones
_BEFORE = (
    _EVALUATED.where(evaluations.c.fact_id < bindparam("before"))
    .order_by(evaluations.c.fact_id.desc())
    .limit(bindparam("size"))
)
_COUNTED = stored_evaluations.c  # to count them, they need not be told
_NUMBER = _COUNTED.fact_id >= bindparam("number")
_NEWEST = select(func.max(_COUNTED.fact_id))
_NEXT = select(_COUNTED.decided_at).where(_NUMBER).order_by(_COUNTED.fact_id).limit(1)
_FROM = select(func.count()).select_from(stored_evaluations).where(_NUMBER)
_DECISIONS = (
    select(decisions)
    .where(decisions.c.fact_id.in_(bindparam("facts", expanding=True)))
    .order_by(decisions.c.id)
)


def past_pages(database: Database, since: datetime, *, size: int = PAGE) -> Iterator[list[Past]]:
    """What was decided at `since` or later, newest first; each page is read by itself.

    A whole page of older ones ends it: fewer can be a clock that was set back for a while.
    """
    before = 2**62
    while True:
        with database.transaction() as connection:
            rows = connection.execute(_BEFORE, {"before": before, "size": size}).all()
            wanted = [row for row in rows if row.decided_at >= stamp(since)]
            found = _pasts(connection, wanted)
        if found:
            yield found
        if len(rows) < size or not wanted:
            return
        before = rows[-1].fact_id


def past_of_alert(database: Database, alert_id: str) -> Past | None:
    """The decision that an Alert came from; None when there is no such Alert."""
    statement = _EVALUATED.join(alerts, alerts.c.fact_id == facts.c.id)
    with database.transaction() as connection:
        rows = connection.execute(statement.where(alerts.c.alert_id == alert_id)).all()
        return next(iter(_pasts(connection, rows)), None)


def ids_of(database: Database, made: Sequence[tuple[int, tuple[str, str]]]) -> list[str]:
    """The ids of the Alerts that were made from facts (by number) for (Service User, code)."""
    found: list[str] = []
    for start in range(0, len(made), PAGE):
        page = set(made[start : start + PAGE])
        statement = select(alerts).where(alerts.c.fact_id.in_(sorted({fact for fact, _ in page})))
        with database.transaction() as connection:
            for row in connection.execute(statement):
                code = json.loads(row.event)["data"]["alert_code"]
                if (row.fact_id, (row.service_user_id, code)) in page:
                    found.append(row.alert_id)
    return found


def count_past(database: Database, since: datetime) -> int:
    """About how many there are, for a progress bar."""
    with database.transaction() as connection:
        first, behind = 0, 1 + (connection.execute(_NEWEST).scalar_one() or 0)
        while first < behind:  # facts are numbered as they are decided
            middle = (first + behind) // 2
            at = connection.execute(_NEXT, {"number": middle}).scalar()
            if at is None or at >= stamp(since):
                behind = middle
            else:
                first = middle + 1
        return int(connection.execute(_FROM, {"number": first}).scalar_one())


def text_of(database: Database, digest: str) -> str:
    """The text of rules or users that were live, by its digest."""
    with database.transaction() as connection:
        statement = select(documents.c.content).where(documents.c.digest == digest)
        return str(connection.execute(statement).scalar_one())


def _pasts(connection: Connection, rows: Sequence[Any]) -> list[Past]:
    made: defaultdict[int, list[PastDecision]] = defaultdict(list)
    ids = [row.fact_id for row in rows]
    for row in connection.execute(_DECISIONS, {"facts": ids}) if ids else ():
        verdict = Verdict(row.verdict)
        made[row.fact_id].append(
            PastDecision(row.party_id, row.role, verdict, row.rule, row.alert_code)
        )
    return [_past(row, made[row.fact_id]) for row in rows]


def _past(row: Any, made: Sequence[PastDecision]) -> Past:
    # its data alone: the whole of it was a right fact when it was decided
    activation = Activation.model_validate(data_of(json.loads(row.body), Room()))
    return Past(
        row.fact_id,
        activation,
        moment(row.decided_at),
        Hub.model_validate_json(row.hub),
        _REGISTRATIONS.validate_json(row.registrations),
        row.rules_digest,
        row.users_digest,
        tuple(made),
    )


def alerts_of(past: Past) -> dict[tuple[str, str], dict[str, str]]:
    """By Service User and Alert code what went out then: each alerted role with its rule."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for each in past.decisions:
        if each.verdict is Verdict.ALERTED and each.party_id and each.alert_code and each.role:
            roles = found.setdefault((each.party_id, each.alert_code), {})
            roles[each.role] = each.rule or ""
    return found
