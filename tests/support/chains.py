"""The hash chain told again from the ledger alone, as anybody could who knows what is hashed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select, text

from router.ledger.database import Database
from router.ledger.tables import RECORDS, documents, links

Link = dict[str, Any]


def chain(database: Database) -> list[Link]:
    """Every link, with its hash worked out again from the rows as the ledger gives them."""
    found = []
    with database.transaction() as connection:
        for link in connection.execute(select(links).order_by(links.c.id)).mappings():
            head = [link["writer"], link["number"], link["at"], link["previous"]]
            digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode())
            for table in RECORDS:
                # documents have no number: they are hashed as they were added
                keys = [text("rowid")] if table is documents else list(table.primary_key)
                rows = connection.execute(
                    select(table).where(table.c.link == link["id"]).order_by(*keys)
                ).all()
                if rows:
                    digest.update(table.name.encode())
                    listed = [list(row) for row in rows]
                    written = json.dumps(listed, separators=(",", ":"), default=bytes.hex)
                    digest.update(written.encode())
            found.append({**link, "again": digest.hexdigest()})
    return found


def broken(database: Database) -> list[int]:
    """The links whose records are not what they were."""
    return [link["id"] for link in chain(database) if link["hash"] != link["again"]]
