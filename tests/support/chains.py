"""The hash chain told again from the ledger alone, as anybody could who knows what is hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, select, update
from sqlalchemy import text as sql

from router.ledger.chain import GENESIS
from router.ledger.database import Database
from router.ledger.tables import RECORDS, attempts, documents, links

Link = dict[str, Any]


def chain(database: Database) -> list[Link]:
    """Every link, with its hash worked out again from the rows as the ledger gives them."""
    with database.transaction() as connection:
        found = connection.execute(select(links).order_by(links.c.id)).mappings().all()
        return [{**link, "again": again(connection, link)} for link in found]


def again(connection: Connection, link: Mapping[str, Any]) -> str:
    """The hash of a link; one without marks is older than what stands here as the new form."""
    text = written([link["writer"], link["number"], link["at"], link["previous"]])
    new = link["marks"] is not None
    text += b"\n" if new else b""
    for table in RECORDS:
        rows = recorded(connection, table, link["id"])
        if rows and new:
            digests = [hashlib.sha256(written(row)).hexdigest() for row in rows]
            text += "".join(f"{each}\n" for each in (table.name, *digests)).encode()
        elif rows:
            known = len(table.columns) - 2 * (table is attempts)  # two came with the new form
            text += table.name.encode() + written([row[:known] for row in rows])
    return hashlib.sha256(text).hexdigest()


def recorded(connection: Connection, table: Table, link: int) -> list[list[Any]]:
    """The records of a table in a link."""
    # documents have no number: they are hashed as they were added
    keys = [sql("rowid")] if table is documents else list(table.primary_key)
    found = connection.execute(select(table).where(table.c.link == link).order_by(*keys))
    return [list(row) for row in found]


def written(value: object) -> bytes:
    """As JSON, in one fixed form."""
    return json.dumps(value, separators=(",", ":"), default=bytes.hex).encode()


def broken(database: Database) -> list[int]:
    """The links whose records are not what they were."""
    return [link["id"] for link in chain(database) if link["hash"] != link["again"]]


def aged(database: Database) -> None:
    """Make of it what a Hubherald older than migration 0013 would have recorded."""
    ends: dict[str, str] = {}
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE attempts SET alert = NULL, sent = NULL")
        for row in connection.execute(select(links).order_by(links.c.id)).mappings().all():
            previous = ends.get(row["writer"], GENESIS)
            link = {**row, "previous": previous, "marks": None}
            ends[row["writer"]] = link["hash"] = again(connection, link)
            connection.execute(update(links).where(links.c.id == link["id"]).values(link))
