"""Real ledgers for the tests of the core, filled through the same door as the intake's."""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from sqlalchemy import Connection

from router.deciding.batch import Accepted, Arrival, Batch, Effect, LaneOfUser, Standing
from router.deciding.decisions import Decision, Due, Verdict
from router.domain.facts import Fact, parse
from router.domain.inventory import Party
from router.domain.words import Role
from router.lanes.values import (
    Claimed,
    DeliveryState,
    Exchanged,
    LaneKey,
    LaneRow,
    News,
    Offer,
    Recorded,
    Settlement,
    Wish,
    Withdrawn,
)
from router.ledger.database import Database, Use, open_database
from router.ledger.deliveries import exchange
from router.ledger.documents import Text, go_live
from router.ledger.driver import run, spelt
from router.ledger.intake import record
from router.ports import Message
from support.postgres import Postgres
from support.samples import DCC, NOW, activation, body, hub, registration, user

RULES, USERS = "a" * 64, "b" * 64
TEXTS = [Text("rules", RULES, "rules: []"), Text("users", USERS, "service_users: []")]
HOLD = timedelta(hours=48)


MOST_USED = 50
"""How often a database on a server is emptied and used again."""
_EMPTY = """
DO $$ DECLARE found record; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        IF found.tablename LIKE 'import%' THEN
            EXECUTE format('DROP TABLE %I', found.tablename);
        ELSIF found.tablename NOT IN ('turns', 'alembic_version') THEN
            EXECUTE format('DELETE FROM %I', found.tablename);
        END IF;
    END LOOP;
    FOR found IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        PERFORM setval(found.sequencename::regclass, 1, false);
    END LOOP;
    UPDATE turns SET version = 1, router = NULL, session = NULL, seen_at = NULL,
        ledger = 1 + (random() * 2000000000)::bigint;
END $$
"""


@dataclass
class OnServer:
    """Where the ledgers of a test are, where they are not in files."""

    server: Postgres
    template: str
    made: dict[Path, str] = field(default_factory=dict)
    """By the folder that a file would be in."""

    spare: Counter[str] = field(default_factory=Counter)
    """Those that are empty again, and how often they were used: to make one takes longer."""
    _used: dict[str, int] = field(default_factory=dict)

    def url(self, folder: Path) -> str:
        """Of the ledger that stands for the one in this folder; there, and empty."""
        if folder not in self.made:
            if self.spare:
                name = next(iter(self.spare))
                self._used[name] = self.spare.pop(name)
            else:
                name = f"ledger_{secrets.token_hex(4)}"
                self.server.ask(f"CREATE DATABASE {name} TEMPLATE {self.template}")
            self.made[folder] = name
        return self.server.url(self.made[folder])

    def empty(self) -> None:
        """All of them, to be used again; but not for ever, as nothing is vacuumed."""
        for name in self.made.values():
            used = self._used.get(name, 0) + 1
            if used < MOST_USED:
                self.server.ask(_EMPTY, name)
                self.spare[name] = used
            else:
                self.server.ask(f"DROP DATABASE {name} WITH (FORCE)")
        self.made.clear()

    def drop(self) -> None:
        """All of them."""
        for name in self.made.values():
            self.server.ask(f"DROP DATABASE {name} WITH (FORCE)")


class Places:
    """Where ledgers are that tests make: on this server, or in files."""

    server: ClassVar[OnServer | None] = None


def url(folder: Path, name: str = "ledger.db") -> str:
    """Of the ledger of this folder."""
    if Places.server is not None:
        return Places.server.url(folder)
    return f"sqlite:///{folder}/{name}"


def made(folder: Path) -> Database:
    """A new ledger, held as the router does, that knows one set of rules and users."""
    database = open_database(url(folder), Use.ROUTE)
    go_live(database, TEXTS, [], NOW)
    return database


def lane_of(database: Database, user_id: str = user(1), channel: str = "main") -> int:
    """The number of a user's lane, beside those that there are."""
    question = "SELECT service_user_id, channel, adapter FROM lanes WHERE unnamed_at IS NULL"
    named = ask(database, question)
    wanted = {(row[0], row[1]): str(row[2]) for row in named} | {(user_id, channel): "test"}
    return fitted(database, wanted)[(user_id, channel)].id


def fitted(
    database: Database, wanted: Mapping[LaneKey, str], now: datetime = NOW
) -> dict[LaneKey, LaneRow]:
    """The lanes, when the files name these channels with these adapters."""
    return go_live(database, [], [(*key, adapter) for key, adapter in wanted.items()], now)


def standing(lanes: Mapping[str, Sequence[int]], hold: timedelta = HOLD) -> Standing:
    """Where Alerts go: by user the lanes."""
    of_user = {
        name: [LaneOfUser(number, hold) for number in numbers] for name, numbers in lanes.items()
    }
    return Standing(DCC, RULES, USERS, of_user)


def decided(
    event_id: str, device_id: str, told: Iterable[str] = (user(1),), *, at: datetime = NOW
) -> Accepted:
    """An activation of a hub that these users are told about."""
    known = activation(device_id)
    fact = parse(body(known.model_dump(mode="json"), id=event_id))
    assert isinstance(fact, Fact)
    names = list(told)
    verdicts = [
        Decision(Verdict.ALERTED, Party(name, Role.IMPORT_SUPPLIER), "tell", alert_code="N64")
        for name in names
    ]
    return Accepted(
        fact,
        Arrival(Message(fact.body, f"facts.jsonl:{event_id}"), "drop", at),
        Effect.DECIDED,
        (hub(device_id), (registration(device_id=device_id),)),
        tuple(verdicts),
        tuple(Due(name, "N64", {"import_supplier": "tell"}) for name in names),
    )


def fill(
    database: Database,
    devices: Sequence[str],
    lanes: Mapping[str, Sequence[int]],
    *,
    at: datetime = NOW,
    hold: timedelta = HOLD,
    first: int = 1,
    offer: Offer | None = None,
) -> Recorded:
    """Record an Alert about each hub for each user of `lanes`, decided at `at`."""
    batch = Batch(at)
    batch.accepted = [
        decided(f"f-{first + place}", device_id, lanes, at=at)
        for place, device_id in enumerate(devices)
    ]
    return recorded(database, batch, standing(lanes, hold), offer or Offer())


def recorded(
    database: Database, batch: Batch, under: Standing, offer: Offer | None = None
) -> Recorded:
    """Record a batch in a transaction of its own."""
    with database.transaction() as connection:
        return record(connection, batch, under, offer or Offer())


def nobody(_connection: Connection, _pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Everybody is still responsible."""
    return set()


def wish(lane: int, sends: int = 16, *, batch: int = 1, **more: Any) -> Wish:
    """What a lane with this room asks for."""
    usual = {"most": batch, "busy_hubs": frozenset(), "failing": False, "hopeless": False}
    usual |= {"span": sends * batch, "oldest": None}
    return Wish(lane, sends, batch, **{**usual, "adapter": "test", "render": None, **more})


def swap(
    database: Database,
    *wishes: Wish,
    settled: Sequence[Settlement] = (),
    now: datetime = NOW,
    withdrawn: Withdrawn = nobody,
    **more: Any,
) -> Exchanged:
    """One exchange with the ledger."""
    return exchange(
        database,
        news=News(settled, **more),
        wishes=wishes,
        now=now,
        withdrawn=withdrawn,
    )


def sequences(requests: Iterable[Sequence[Claimed]]) -> list[list[int]]:
    """What was claimed, as sequence numbers: one list for each request."""
    return [[each.delivery.alert.sequence for each in group] for group in requests]


def ask(database: Database, question: str) -> list[tuple[Any, ...]]:
    """What the ledger says, in SQL."""
    with database.transaction() as connection:
        cursor = run(connection, spelt(connection, question), ())
        return [tuple(row) for row in cursor] if cursor.description else []


def asked_beside(of: str, question: str) -> list[tuple[Any, ...]]:
    """What another program reads in the ledger of this URL."""
    if of.startswith("sqlite:///"):
        with closing(sqlite3.connect(of.removeprefix("sqlite:///"))) as connection:
            return connection.execute(question).fetchall()
    with psycopg.connect(of) as other:
        return other.execute(question.encode()).fetchall()


def answer(
    each: Claimed, state: DeliveryState = DeliveryState.DELIVERED, **more: Any
) -> Settlement:
    """What a lane would settle a delivery with."""
    usual = {"outcome": state.value, "refusals": each.refusals, "batch": each.batch}
    return Settlement(each.id, state=state, at=NOW, attempt=each.attempt, **{**usual, **more})


def retry(each: Claimed, **more: Any) -> Settlement:
    """What a lane would settle a failed send with: due again in five minutes."""
    usual = {"outcome": "retry", "due_at": NOW + timedelta(minutes=5)}
    return answer(each, DeliveryState.WAITING, **{**usual, **more})


def states(database: Database) -> list[str]:
    """The state of each delivery, by sequence."""
    return [row[0] for row in ask(database, "SELECT state FROM deliveries ORDER BY sequence")]
