"""A ledger on a PostgreSQL server: who holds it, and what becomes of it when the server is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from support import ledgers
from support.ledgers import ask, fill, lane_of, made, states, swap, wish
from support.pooler import Pooler
from support.postgres import Postgres
from support.proxy import Proxy
from support.samples import NOW, device, user

from router.errors import LedgerError
from router.intake.inventory_import import import_inventory
from router.ledger.actions import Operator
from router.ledger.database import Database, LedgerUnavailable, Use, open_database, server_trouble
from router.ledger.lives import begin
from router.ledger.pauses import pause_lanes
from router.ledger.postgres import server, turns
from router.ledger.proof.heads import ends_of
from router.ledger.proof.verification import verify
from router.ledger.recorder import changes
from router.ledger.restored import set_ahead
from router.ledger.store import LedgerGone

pytestmark = [pytest.mark.sqlite, pytest.mark.once]  # it says itself where its ledgers are


@pytest.fixture
def place(postgres: Postgres, empty_ledger: str) -> Iterator[ledgers.OnServer]:
    """Where its ledgers are: on the server."""
    found = ledgers.Places.server = ledgers.OnServer(postgres, empty_ledger)
    yield found
    ledgers.Places.server = None
    found.drop()


@pytest.fixture
def router(place: ledgers.OnServer, tmp_path: Path) -> Iterator[Database]:
    """A ledger held by a router that has recorded something."""
    assert place
    with closing(made(tmp_path)) as database:
        fill(database, [device(1)], {user(1): [lane_of(database)]})
        yield database


LOST = r"terminating connection|closed"


def whole(url: str) -> int:
    """How many links its chains have, which are sound."""
    with closing(open_database(url, Use.READ)) as database:
        found = verify(database)
        assert found.flaw is None
        return found.links


def load(database: Database, folder: Path) -> int:
    """How many hubs an import has loaded."""
    file = folder / "hubs.csv"
    head = "device_id,status,smets_version,csp_region,model,hardware_version,replaced_by,groups"
    file.write_text(f"{head}\n{device(1)},Commissioned,SMETS2,,,,,\n")
    return import_inventory(
        database,
        hubs=file,
        registrations=None,
        operator="ann",
        clock=lambda: NOW,
        report=lambda row: pytest.fail(str(row)),
    ).hubs


def cut(router: Database, place: ledgers.OnServer) -> None:
    """End all sessions of this ledger."""
    name = router.url.rpartition("/")[2]
    others = f"FROM pg_stat_activity WHERE datname = '{name}'"
    place.server.ask(f"SELECT pg_terminate_backend(pid) {others}")


# --- who holds it ---------------------------------------------------------------------------


def test_one_router_holds_a_ledger(router: Database) -> None:
    with pytest.raises(LedgerError, match=r"another router holds this ledger: process \d+ on "):
        open_database(router.url, Use.ROUTE)
    with closing(open_database(router.url, Use.CHANGE)) as beside:
        assert ask(beside, "SELECT count(*) FROM alerts") == [(1,)]
    router.close()
    open_database(router.url, Use.ROUTE).close()


def test_a_router_whose_session_the_server_has_lost_is_taken_over_and_writes_no_more(
    router: Database, place: ledgers.OnServer
) -> None:
    cut(router, place)
    with closing(open_database(router.url, Use.ROUTE)) as other:
        fill(other, [device(2)], {user(1): [1]}, first=2)
        with pytest.raises(LedgerUnavailable):
            changes(router)
        with pytest.raises(LedgerGone, match="another router has taken this ledger over"):
            fill(router, [device(3)], {user(1): [1]}, first=3)
    assert whole(router.url) == 3


def test_a_router_notices_what_others_change_and_nothing_else(router: Database) -> None:
    before = changes(router)
    fill(router, [device(2)], {user(1): [1]}, first=2)
    assert changes(router) == before
    with closing(open_database(router.url, Use.CHANGE)) as beside:
        pause_lanes(beside, user(1), None, Operator("ann", NOW))
    assert changes(router) != before


# --- a server that is lost ------------------------------------------------------------------


def test_a_session_that_is_lost_is_made_anew(router: Database, place: ledgers.OnServer) -> None:
    cut(router, place)
    with pytest.raises(LedgerUnavailable, match=LOST):
        fill(router, [device(2)], {user(1): [1]}, first=2)
    fill(router, [device(2)], {user(1): [1]}, first=2)
    assert ask(router, "SELECT count(*) FROM alerts") == [(2,)]
    assert whole(router.url) == 3


def test_a_server_that_writes_nothing_is_told_in_its_words(
    router: Database, place: ledgers.OnServer
) -> None:
    name = router.url.rpartition("/")[2]
    place.server.ask(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    cut(router, place)
    for words in (LOST, "read-only transaction"):
        with pytest.raises(LedgerUnavailable, match=words):
            fill(router, [device(2)], {user(1): [1]}, first=2)
    place.server.ask(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    cut(router, place)
    with suppress(LedgerUnavailable):
        begin(router)
    fill(router, [device(2)], {user(1): [1]}, first=2)
    assert whole(router.url) == 3


def test_an_older_state_after_a_failover_is_told_and_no_number_is_given_again(
    router: Database, place: ledgers.OnServer
) -> None:
    """A standby that had not got the last commits."""
    name = router.url.rpartition("/")[2]
    place.made[Path("standby")] = f"{name}_standby"
    cut(router, place)
    place.server.ask(f"CREATE DATABASE {name}_standby TEMPLATE {name}")
    with suppress(LedgerUnavailable):
        begin(router)
    fill(router, [device(2)], {user(1): [1]}, first=2)
    cut(router, place)
    place.server.ask(f"ALTER DATABASE {name} RENAME TO {name}_lost")
    place.server.ask(f"ALTER DATABASE {name}_standby RENAME TO {name}")
    place.made[Path("standby")] = f"{name}_lost"
    with suppress(LedgerUnavailable):
        begin(router)
    with pytest.raises(LedgerGone, match="set back or exchanged"):
        changes(router)
    router.close()
    with closing(open_database(router.url, Use.ROUTE)) as again:
        restored = set_ahead(again, [], NOW)
        assert restored is not None
        assert restored.users == 1


def test_what_was_committed_without_an_answer_is_known_by_the_chain(
    place: ledgers.OnServer, tmp_path: Path
) -> None:
    """The server commits, and the connection is lost before it can say so."""
    url = ledgers.url(tmp_path)
    made(tmp_path).close()
    with Proxy(place.server.port) as proxy:
        through = url.replace(f":{place.server.port}/", f":{proxy.port}/")
        with closing(open_database(through, Use.ROUTE)) as router:
            lane = lane_of(router)
            fill(router, [device(1)], {user(1): [lane]})
            driver = router.connection.connection.driver_connection
            assert driver is not None
            name = url.rpartition("/")[2]
            asked = "SELECT count(*) FROM alerts"
            proxy.deafen()
            with pytest.raises(LedgerUnavailable):
                swap(router, wish(lane))
            assert place.server.ask("SELECT state FROM deliveries", name) == [("sending",)]
            assert ask(router, asked) == [(1,)]
            sends = swap(router, wish(lane)).sends
            assert [len(group) for group in sends[lane]] == [1]
            assert states(router) == ["sending"]
            assert ask(router, "SELECT outcome, reason FROM outcomes") == [("unknown", "crash")]
    assert whole(url) == 4


# --- what it takes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user_name", "database", "said"),
    [
        ("hubherald", "nowhere", "no such database or user"),
        ("nobody", "empty_ledger", "no such database or user"),
        ("locked", "empty_ledger", "the password is wrong"),
        (
            "guest",
            "vacant",
            "`GRANT CREATE, USAGE ON SCHEMA public TO guest`",
        ),
        ("guest", "empty_ledger", "guest may not write table"),
    ],
)
def test_what_is_missing_is_named(
    postgres: Postgres, empty_ledger: str, user_name: str, database: str, said: str
) -> None:
    assert empty_ledger
    with suppress(Exception):
        postgres.ask("CREATE DATABASE vacant")
        postgres.ask("CREATE ROLE guest LOGIN")
    found = server_trouble(postgres.url(database, user_name), "wrong")
    assert found is not None
    assert said in found.message
    assert "wrong " not in found.message.replace("is wrong", "")
    assert found.answered
    with pytest.raises(LedgerError):
        open_database(postgres.url(database, user_name), Use.ROUTE, password="wrong")


def test_an_older_server_is_refused(
    postgres: Postgres, empty_ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "OLDEST", 99)
    with pytest.raises(LedgerError, match=r"this is PostgreSQL 15.*; a ledger needs 99 or"):
        open_database(postgres.url(empty_ledger), Use.ROUTE)


def test_a_server_that_is_not_there_was_not_asked(postgres: Postgres) -> None:
    found = server_trouble("postgresql://hubherald@127.0.0.1:1/ledger", None)
    assert found is not None
    assert "can't be reached" in found.message
    assert not found.answered
    assert server_trouble(postgres.url("postgres"), None) is None


def test_a_database_without_a_ledger_is_not_made_by_who_reads(postgres: Postgres) -> None:
    with pytest.raises(LedgerError, match="there is no ledger in this database"):
        open_database(postgres.url("postgres"), Use.READ)


def test_every_text_is_compared_byte_by_byte(router: Database) -> None:
    asked = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type = 'text'"
        " AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
    )
    assert ask(router, asked) == []
    assert len(ends_of(router)) == 1


# --- behind a pooler ------------------------------------------------------------------------


def test_behind_a_pooler_nothing_rests_on_a_session(
    place: ledgers.OnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = ledgers.url(tmp_path)
    made(tmp_path).close()
    with Pooler(place.server) as pooler:
        through = pooler.url(url.rpartition("/")[2])
        with closing(open_database(through, Use.ROUTE)) as router:
            lane = lane_of(router)
            sessions = set()
            for number in range(1, 13):
                with psycopg.connect(through) as other:  # has one of both sessions meanwhile
                    sessions.add(other.execute("SELECT pg_backend_pid()").fetchone())
                    fill(router, [device(number)], {user(1): [lane]}, first=number)
                swap(router, wish(lane))
                sessions.add(ask(router, "SELECT pg_backend_pid()")[0])
            assert len(sessions) == 2
            assert states(router) == ["sending"] * 12
            before = changes(router)
            with closing(open_database(through, Use.CHANGE)) as beside:
                pause_lanes(beside, user(1), None, Operator("ann", NOW))
                assert load(beside, tmp_path) == 1
            assert changes(router) != before
            monkeypatch.setattr(turns, "LEASE", 0.5)
            with closing(open_database(through, Use.ROUTE)) as next_one:  # it was not seen for long
                assert ask(next_one, "SELECT count(*) FROM hubs") == [(1,)]
                with pytest.raises(LedgerGone, match="another router has taken"):
                    changes(router)
    assert whole(url) == 27
