"""How SQLite would run statements in a ledger of millions, and whether that grows with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import accumulate
from pathlib import Path

from support.recorded import Statement

ROWS = 3_000_000
BACKLOG = 30_000
"""Rows of an index that has only what is pending, parked or set aside."""
FEW = 300
"""Rows of a table that grows with users, files, and what is still in quarantine."""
SMALL = [
    "lanes",
    "documents",
    "lives",
    "cursors",
    "sequences",
    "suspects",
    "holding",
    *("alembic_version", "sqlite_master"),
    *("standings", "verdicts", "wordings"),  # what repeats, once
]
DISTINCT = {
    **{"effect": 3, "firmware_version": 50, "intake": 2, "lane_id": 300, "outcome": 3},
    **{"released": 2, "service_user_id": 300, "source": 3, "state": 6, "supplier_id": 300},
    **{"type": 3, "writer": 2},
}
"""How many values a column has; those that are not here have as many as there are rows."""
OF_THE_BACKLOG = re.compile(
    r"SCAN deliveries USING (COVERING )?INDEX ix_deliveries_(pending|parked)"
)
"""What the gauges of lanes count goes through such an index, and through nothing else."""
OF_A_PORTION = "ORDER BY quarantined.type IS NOT"
"""What leaves quarantine together is found by number, 500 at most, and sorted; a run that is quick
has nothing wait there, and shows none."""
OF_A_BATCH = "deliveries.batch IN"
"""Found by the names of batches; their members are sorted."""


def enlarge(ledger: Path) -> None:
    """Statistics as ANALYZE would write them in a ledger of millions."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("ANALYZE")
        connection.execute("DELETE FROM sqlite_stat1")
        connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", statistics(connection))
        connection.commit()


def statistics(connection: sqlite3.Connection) -> Iterator[tuple[str, str | None, str]]:
    """(table, index, rows and how many of them each first columns find)."""
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        of_table = FEW if table in SMALL else ROWS
        indexes = connection.execute(f"PRAGMA index_list('{table}')").fetchall()
        if not indexes:
            yield table, None, str(of_table)
        for _, index, unique, _, partial in indexes:
            rows = BACKLOG if partial and table == "deliveries" else of_table
            columns = [row[2] for row in connection.execute(f"PRAGMA index_info('{index}')")]
            found = list(accumulate(columns, alike, initial=rows))
            if unique:
                found[-1] = 1
            yield table, index, " ".join(map(str, found))


def alike(rows: int, column: str) -> int:
    """Of so many, how many have the same value there."""
    return max(rows // DISTINCT.get(column, rows), 1)


Plan = tuple[str, str]
"""A statement, and a line of how it would be run."""


def plans(ledger: Path, statements: Sequence[Statement]) -> list[Plan]:
    found: list[Plan] = []
    with closing(sqlite3.connect(ledger)) as connection:
        for text, values in statements:
            if text.split(None, 1)[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
                explained = connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
                found += [(text, row[3]) for row in explained]
    return found


def grows(plan: Plan) -> bool:
    """Whether all rows of a table are gone through, or what was found is sorted."""
    text, line = plan
    if "TEMP B-TREE" in line and "ORDER BY" in line:
        return OF_A_BATCH not in text and OF_A_PORTION not in text
    words = line.split()
    if words[0] != "SCAN" or "VIRTUAL" in words or "CONSTANT" in words:
        return False
    within = words[1].startswith(("anon_", "(subquery")) or words[1] == "gathered"
    # by a SELECT within, which has its lines
    return not within and words[1] not in SMALL and not OF_THE_BACKLOG.match(line)
