"""Moving house: all of a ledger in a file into an empty database of a PostgreSQL server.

One transaction there: all of it is there in the end, or nothing. What is told of the records is
the same, and so are the chains; how a record is stored differs where a column has one type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, func, literal_column, select

from router.errors import UsageError
from router.ledger.database import Database
from router.ledger.driver import Parameters
from router.ledger.postgres.server import PostgresServer
from router.ledger.proof.verification import Verified, verify
from router.ledger.sqlitefile import SqliteFile
from router.ledger.store import store_of
from router.ledger.stored import stored_facts
from router.ledger.tables import documents, lives, metadata

PORTION = 5_000
"""Rows between two looks at how far it is."""


def copy(
    old: Database,
    new: Database,
    *,
    begin: Callable[[int], None] = lambda _: None,
    advance: Callable[[int], None] = lambda _: None,
) -> Verified:
    """Copy a ledger that no router holds, then work out its chains where it is now.

    The old one is closed to routers when all is right. `begin` is told how many rows there are,
    `advance` how many more are copied. UsageError where there is something already.
    """
    if not isinstance(old.store, SqliteFile) or not isinstance(new.store, PostgresServer):
        raise UsageError("a ledger is copied from a file of SQLite to a PostgreSQL server")
    tables = metadata.sorted_tables
    with old.transaction() as source, new.transaction() as target:
        counts = {table.name: _count(source, table) for table in tables}
        begin(sum(counts.values()))
        for table in tables:
            if _count(target, table):
                raise UsageError(f"{new.name}: there is something in it already: {table.name}")
        for table in tables:
            _copy_table(source, target, table, advance)
            if (found := _count(target, table)) != counts[table.name]:
                raise UsageError(f"{table.name}: {counts[table.name]:,} rows, and {found:,} there")
        number = store_of(source).number(source)
        target.exec_driver_sql(f"UPDATE turns SET ledger = {number:d}")  # noqa: S608 - a number
    new.store.ledger = number
    verified = verify(new)
    if verified.flaw is None:
        with old.transaction() as source:
            if _count(source, lives) == 0:
                source.execute(lives.insert().values(id=1, running=0, deaths=0))
            source.execute(lives.update().values(moved_to=new.name))
    return verified


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _copy_table(
    source: Connection, target: Connection, table: Table, advance: Callable[[int], None]
) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = target.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as out:
        for portion in _rows(source, table):
            for row in portion:
                out.write_row(row)
            advance(len(portion))
    if "id" in table.c:  # which the server may have to give next
        highest = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
        following = func.pg_get_serial_sequence(table.name, "id")
        target.execute(select(func.setval(following, highest, False)))


def _rows(source: Connection, table: Table) -> Iterator[list[Parameters]]:
    driver: Any = source.connection.driver_connection
    order = literal_column("rowid") if table is documents else next(iter(table.primary_key))
    text = str(select(table).order_by(order).compile(source))
    cursor = driver.execute(text)
    facts = table is stored_facts
    while rows := cursor.fetchmany(PORTION):
        yield [*map(_fact, rows)] if facts else rows


_DIGEST = stored_facts.columns.keys().index("content_digest")
_BODY = stored_facts.columns.keys().index("body")


def _fact(row: Parameters) -> Parameters:
    """An abbreviated body begins with a zero byte there; digests are bytes."""
    cells = list(row)
    if isinstance(cells[_DIGEST], str):
        cells[_DIGEST] = bytes.fromhex(cells[_DIGEST])
    if isinstance(cells[_BODY], str):
        cells[_BODY] = b"\0" + cells[_BODY].encode()
    return tuple(cells)
