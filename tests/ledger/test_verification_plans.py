"""How SQLite runs what verification reads: in order, from where it was, and nothing is sorted."""

from __future__ import annotations

from typing import Any

import pytest
from support.fullledger import fill_full, fill_rendered

from router.ledger.database import Database
from router.ledger.driver import WATCHED
from router.ledger.proof.heads import ends
from router.ledger.proof.verification import verify
from router.ledger.recorder import STORED
from router.ledger.tables import RECORDS

pytestmark = pytest.mark.sqlite


def planned(database: Database, statements: dict[str, Any]) -> dict[str, list[str]]:
    """The plan of each statement, by its text."""
    with database.transaction() as connection:
        return {
            text: [
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
            ]
            for text, values in statements.items()
        }


def watched(database: Database, *, whole: bool) -> dict[str, list[str]]:
    statements: dict[str, Any] = {}
    database.connection.info[WATCHED] = statements.setdefault
    if whole:
        assert verify(database).flaw is None
    else:
        with database.transaction() as connection:
            assert ends(connection)
    del database.connection.info[WATCHED]
    statements = {text: values for text, values in statements.items() if "PRAGMA" not in text}
    return planned(database, statements)


def test_each_table_is_read_once_in_order(database: Database) -> None:
    fill_full(database)
    fill_rendered(database)
    plans = watched(database, whole=True)
    assert not [line for lines in plans.values() for line in lines if "TEMP B-TREE" in line]
    streams = [lines for text, lines in plans.items() if "ORDER BY" in text]
    for table in RECORDS:
        stored = STORED[table.name].name
        assert [
            lines[0]
            for lines in streams
            if lines[0] == f"SEARCH {stored} USING INTEGER PRIMARY KEY (rowid>?)"
        ], (stored, streams)
    assert not [line for lines in streams for line in lines if line.startswith("SCAN")]


def test_a_head_is_found_by_the_index_alone(database: Database) -> None:
    fill_full(database)
    plans = watched(database, whole=False)
    assert len(plans) == 2
    for lines in plans.values():
        assert all("SEARCH links USING" in line and "uq_links_writer" in line for line in lines)
