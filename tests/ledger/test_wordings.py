"""Migration 0012: what an older Hubherald has recorded stays as it is and is told as before."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.command import upgrade
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine
from support.chains import aged, broken
from support.holders import another
from support.ledgers import answer, ask, fill, lane_of, made, swap, wish
from support.samples import NOW, device, user

from router.ledger.database import Database, Use, open_database
from router.ledger.queries.lists import list_alerts
from router.ledger.queries.wanted import Filter
from router.ledger.queries.why import alert_story, why
from router.ledger.reader import MIGRATIONS

pytestmark = pytest.mark.sqlite

RECORDED = ("documents", "facts", "evaluations", "decisions", "alerts", "attempts", "outcomes")
TABLES = ("links", *RECORDED[:5], "lanes", "deliveries", *RECORDED[5:], "sequences")
MIGRATING = """
import sys, time
from sqlalchemy import event
from router.ledger.database import Use, open_database
from sqlalchemy.engine import Engine
@event.listens_for(Engine, "after_cursor_execute")
def wait(_connection, _cursor, statement, *_rest):
    if statement.lstrip().startswith(sys.argv[2]):
        print("held", flush=True)
        time.sleep(600)
open_database(sys.argv[1], Use.ROUTE)
"""


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def some(database: Database, first: int, count: int = 5) -> None:
    """Alerts to two users; some are delivered, some wait."""
    lanes = {user(number): [lane_of(database, user(number))] for number in (1, 2)}
    devices = [device(first + each) for each in range(count)]
    fill(database, devices, lanes, first=first, at=NOW + timedelta(microseconds=first))
    ((lane,), _) = lanes.values()
    sends = swap(database, wish(lane, 3)).sends[lane]
    swap(database, settled=[answer(each) for group in sends for each in group])


def told(database: Database) -> Any:
    """What commands say of each hub and Alert, and the rows of every record."""
    with database.transaction() as connection:
        rows = {
            name: connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all()
            for name in RECORDED
        }
    alerts = list_alerts(database, Filter(), limit=1000)
    of_hubs = [why(database, each) for each in sorted({row.device_id for row in alerts})]
    return rows, alerts, of_hubs, [alert_story(database, row.id) for row in alerts]


@pytest.fixture
def older(tmp_path: Path) -> Iterator[tuple[Path, Any]]:
    """A ledger as the revision before has left it, and what is told of it."""
    (tmp_path / "new").mkdir()
    with closing(made(tmp_path / "new")) as database:
        some(database, 1)
        aged(database)
        before = told(database)
        assert broken(database) == []
    scripts = AlembicConfig()
    scripts.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(url(tmp_path))
    with engine.begin() as connection:
        scripts.attributes["connection"] = connection
        upgrade(scripts, "0011")
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("ATTACH ? AS new", (str(tmp_path / "new" / "ledger.db"),))
        for name in TABLES:  # its views tell rows as they stood before there were views
            known = connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall()
            columns = ", ".join(f'"{column}"' for (column,) in known)
            connection.execute(
                f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM new.{name}"
            )
    yield tmp_path, before


def test_old_records_are_told_as_before(older: tuple[Path, Any]) -> None:
    folder, before = older
    with closing(open_database(url(folder), Use.ROUTE)) as database:
        assert told(database) == before
        assert broken(database) == []


def test_old_and_new_records_stand_in_one_chain(older: tuple[Path, Any]) -> None:
    folder, before = older
    with closing(open_database(url(folder), Use.ROUTE)) as database:
        some(database, 101)
        rows, *_ = told(database)
        assert {name: rows[name][: len(old)] for name, old in before[0].items()} == before[0]
        assert broken(database) == []
        with database.transaction() as connection:
            whole = connection.exec_driver_sql(
                "SELECT event IS NOT NULL, count(*) FROM stored_alerts GROUP BY 1"
            ).all()
        assert whole == [(0, 10), (1, 10)]


def test_no_old_row_is_written_again(older: tuple[Path, Any]) -> None:
    folder, before = older
    events = [row.event for row in before[0]["alerts"]]
    open_database(url(folder), Use.ROUTE).close()
    raw = (folder / "ledger.db").read_bytes()
    assert all(raw.count(event) == 1 for event in events)


@pytest.mark.parametrize(
    "at", ["ALTER TABLE", "PRAGMA writable_schema = RESET", "CREATE VIEW alerts"]
)
def test_a_router_that_is_killed_while_it_migrates_leaves_the_ledger_as_it_was(
    older: tuple[Path, Any], at: str
) -> None:
    folder, before = older
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        schema = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
    with another(MIGRATING, url(folder), at) as router:
        router.send_signal(signal.SIGKILL)
        router.wait()
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        assert connection.execute("SELECT name, sql FROM sqlite_master").fetchall() == schema
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("0011",)
        ]
    with closing(open_database(url(folder), Use.ROUTE)) as database:
        assert told(database) == before


def test_a_migrated_ledger_is_sound(older: tuple[Path, Any]) -> None:
    folder, _ = older
    with closing(open_database(url(folder), Use.ROUTE)) as database:
        some(database, 101)
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_rows_were_written_with_never_changes(older: tuple[Path, Any]) -> None:
    """Rows told by other phrases than those of their day would be other records."""
    folder, _ = older
    marked = "|".join(map(chr, (*range(1, 9), 11, *range(14, 18))))
    with closing(open_database(url(folder), Use.ROUTE)) as database:
        with database.transaction() as connection:
            connection.exec_driver_sql(
                "UPDATE stored_evaluations SET hub = ?, registrations = ?", (marked, marked)
            )
            connection.exec_driver_sql("UPDATE stored_facts SET body = ?", (marked,))
            connection.exec_driver_sql("INSERT INTO wordings VALUES (7, ?)", ("|%s" * 9,))
            connection.exec_driver_sql("UPDATE stored_alerts SET event = NULL, wording_id = 7")
        grounds = ask(database, "SELECT DISTINCT hub, registrations FROM evaluations LIMIT 1")
        bodies = ask(database, "SELECT body FROM facts LIMIT 1")
        ((number, event),) = ask(database, "SELECT alert_id, event FROM alerts LIMIT 1")
    hub = device(1)
    rest = "\x0e|\x0f|\x10|\x11"
    assert grounds == [
        (
            f'{hub}|{{"device_id":"{hub}","status":"Commissioned","smets_version":"SMETS2"|'
            f'{{"device_id":"{hub}","status":"Commissioned","smets_version":"SMETS1"|'
            f',"csp_region":"|","model":"|","hardware_version":"|","groups":[]}}|\x08|\x0b|{rest}',
            f'{hub}|{{"device_id":"{hub}","mpxn":"|","point":"import_mpan","supplier_id":"|'
            '","point":"export_mpan","supplier_id":"|","point":"mprn","supplier_id":"|'
            f'","network_operator_id":"|","effective_from":"|","effective_to":"|"}},|{rest}',
        )
    ]
    assert bodies == [
        (
            f'{hub}|"dsp"|"f-1"|"hubherald.firmware.activated.v1"|"specversion"|"datacontenttype"|'
            '"application/json"|"firmware_version"|"previous_firmware_version"|"activated_at"|'
            '"device_id"|"outcome"|"success"'.encode(),
        )
    ]
    assert event.decode() == (
        f"|{number}|{hub}|2026-06-01T12:00:00.000001Z|{hub}|9002|null|2026-06-01T11:00:00Z|{user(1)}|1"
    )
