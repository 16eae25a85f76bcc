"""What operators have done, as the records of it tell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select

from router.domain.timestamps import moment, stamp
from router.lanes.values import LaneKey
from router.ledger.database import Database
from router.ledger.dialects import as_number, each_in, holds, member
from router.ledger.dialects import numbers as as_list
from router.ledger.queries.lists import count
from router.ledger.tables import actions, holding

_ABOUT = ("user", "hub", "device_id")
"""What an action may be on, by whose names in a detail."""
_COUNTS = ("deliveries", "facts")
_CLOSES = "quarantine close"
_SETTLES = (_CLOSES, "quarantine repair")
_WITHDRAWS, _MOVES = "alerts withdraw", "lanes move"


def newest_action(database: Database) -> int:
    """The number of the newest record; 0 where there is none."""
    with database.transaction() as connection:
        return int(connection.execute(select(func.max(actions.c.id))).scalar_one() or 0)


def withdrawn_since(database: Database, number: int) -> tuple[int, Mapping[LaneKey, int]]:
    """How many deliveries operators withdrew after that record, by lane; and the newest record."""
    statement = select(actions).where(actions.c.id > number).order_by(actions.c.id)
    counts: Counter[LaneKey] = Counter()
    with database.transaction() as connection:
        for row in connection.execute(statement):
            number = row.id
            told = json.loads(row.detail)
            if row.action == _WITHDRAWS:
                for lane, count in told["lanes"].items():
                    user, _, channel = lane.partition("/")
                    counts[user, channel] += count
            elif row.action == _MOVES:
                counts[told["user"], told["from"]] += told.get("withdrawn", 0)
    return number, counts


@dataclass(frozen=True, slots=True)
class ActionRow:
    """Something that an operator changed, or the router by itself."""

    id: int
    at: datetime
    operator: str
    """The system user, or `router`."""
    action: str
    about: str | None
    """The Service User with its channels, or the hub."""
    count: int | None
    """How many deliveries or facts it changed."""
    reason: str | None
    detail: str
    """All else that is on record of it, in words."""
    record: Mapping[str, Any]
    """All that is on record of it."""


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Which actions are meant; what is None does not matter."""

    since: datetime | None = None
    by: str | None = None
    """The system user, also one who had it done by the router."""
    on: str | None = None
    """An id, a name or a digest that its record names."""
    action: str | None = None
    """Its name, or how it begins: `lanes`."""


def list_actions(
    database: Database, wanted: ActionFilter, *, limit: int, oldest: bool = False
) -> list[ActionRow]:
    """The newest that match, newest first; or the oldest, oldest first."""
    order = actions.c.id if oldest else actions.c.id.desc()
    with database.transaction() as connection:
        return [
            _row(row) for row in connection.execute(_wanted(wanted).order_by(order).limit(limit))
        ]


def count_actions(database: Database, wanted: ActionFilter, most: int) -> int:
    """How many rows `list_actions` would have; no more than `most` are counted."""
    with database.transaction() as connection:
        return count(connection, _wanted(wanted), most)


def _wanted(wanted: ActionFilter) -> Select[Any]:
    statement = select(actions).select_from(actions)
    if wanted.since is not None:
        statement = statement.where(actions.c.at >= stamp(wanted.since))
    if wanted.by is not None:
        asked = holds(member(actions.c.detail, "by"), f"user {wanted.by} (")
        statement = statement.where(or_(actions.c.operator == wanted.by, asked))
    if wanted.on is not None:
        statement = statement.where(holds(actions.c.detail, json.dumps(wanted.on)[1:-1]))
    if wanted.action is not None:
        begins = func.substr(actions.c.action, 1, len(wanted.action))
        statement = statement.where(begins == wanted.action)
    return statement


def end_of_fact(database: Database, number: int) -> ActionRow | None:
    """What settled a fact in quarantine, by its number: closed, or repaired; None: it waits."""
    named = each_in(actions.c.detail, "ids")
    statement = (
        select(actions)
        .where(
            actions.c.action.in_(_SETTLES),
            exists().where(as_number(named.c.value) == number),
            ~exists().where(holding.c.quarantined_id == number),  # closed, and it came again
        )
        .order_by(actions.c.id.desc())
        .limit(1)
    )
    with database.transaction() as connection:
        row = connection.execute(statement).one_or_none()
        return None if row is None else _row(row)


def closings(connection: Connection, numbers: Collection[int]) -> dict[int, ActionRow]:
    """What closed facts in quarantine, by their numbers, the last time; of others nothing."""
    if not numbers:
        return {}
    named = each_in(actions.c.detail, "ids")
    which = exists().where(as_number(named.c.value).in_(as_list(numbers)))
    statement = select(actions).where(actions.c.action == _CLOSES, which).order_by(actions.c.id)
    rows = connection.execute(statement).all()
    ids = {number: row for row in rows for number in json.loads(row.detail)["ids"]}
    return {number: _row(ids[number]) for number in numbers if number in ids}


def _row(row: Any) -> ActionRow:
    record = json.loads(row.detail)
    told = {name: value for name, value in record.items() if value is not None}
    about = next((str(told.pop(name)) for name in _ABOUT if name in told), None)
    channels = told.pop("channels", None)
    if about and channels:
        about = f"{about} {', '.join(channels)}"
    count = next((int(told.pop(name)) for name in _COUNTS if name in told), None)
    reason = told.pop("reason", None) if row.action != "quarantine release" else None
    told.pop("lanes", None)
    return ActionRow(
        row.id,
        moment(row.at),
        row.operator,
        row.action,
        about,
        count,
        reason,
        "; ".join(_words(told)),
        record,
    )


def _words(told: Mapping[str, Any]) -> Iterator[str]:
    for key, value in told.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            parts = (f"{part} {each}" for part, each in value.items() if each is not None)
            yield f"{name} {', '.join(parts)}"
        elif isinstance(value, list):
            yield f"{name} {', '.join(map(str, value))}"
        elif value != "":
            yield f"{name} {value}"
