"""Where the rows of an import are set aside until they are loaded: tables that nobody else reads.

On SQLite they are temporary. On PostgreSQL a pooler may give each transaction another session, so
they are tables like any other, named after their import, but for the log of the server.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.ledger.dialects import POSTGRESQL
from router.ledger.driver import change, read
from router.ledger.inventory import REPLACE_HUB, REPLACE_REGISTRATION

if TYPE_CHECKING:
    from sqlalchemy import Connection

ABANDONED = 86_400
"""Seconds after which what an import that was killed has left goes."""
_HUB = (
    'device_id, status, smets_version, csp_region, model, hardware_version, replaced_by, "groups"'
)
_REGISTRATION = (
    "device_id, mpxn, effective_from, point, supplier_id, network_operator_id, effective_to"
)
# A meter point may move from hub to hub: what is decided on one half of that may be wrong.
_CHOOSE = """
INSERT INTO {0}portion
WITH RECURSIVE
next (device_id) AS (
    SELECT * FROM (SELECT device_id FROM {0}hubs ORDER BY device_id LIMIT ?) AS of_hubs
    UNION
    SELECT * FROM (
        SELECT DISTINCT device_id FROM {0}registrations ORDER BY device_id LIMIT ?) AS of_points
    ORDER BY 1 LIMIT ?
),
"""
_SHARING = """
homes (device_id, shared) AS (
    SELECT device_id, NULL FROM next
    UNION
    SELECT NULL, mpxn FROM homes JOIN {0}registrations USING (device_id)
    UNION
    SELECT other.device_id, NULL FROM homes JOIN {0}registrations AS other ON mpxn = shared
    LIMIT ?
)
SELECT device_id FROM homes WHERE device_id IS NOT NULL
"""
_SHARING_ON_POSTGRESQL = """
homes (device_id) AS (
    SELECT device_id FROM next
    UNION
    SELECT other.device_id FROM homes JOIN {0}registrations AS mine USING (device_id)
        JOIN {0}registrations AS other ON other.mpxn = mine.mpxn
)
SELECT device_id FROM homes LIMIT ? / 2
"""
_STRANGE = """
SELECT value FROM {1}
WHERE NOT EXISTS (SELECT 1 FROM {0}hubs WHERE device_id = value)
    AND NOT EXISTS (SELECT 1 FROM hubs WHERE device_id = value)
"""
_LOAD = """
INSERT INTO {1} ({2}, updated_at) SELECT {2}, ? FROM {0}{1}
WHERE device_id IN (SELECT device_id FROM {0}portion) ORDER BY device_id {3}
"""
_TABLES = ("hubs", "registrations", "portion")


@dataclass(frozen=True, slots=True)
class Staging:
    """The tables of one import, and what is asked of them."""

    prefix: str
    """Of their names."""
    on_server: bool

    @classmethod
    def of(cls, connection: Connection) -> Staging:
        """Of an import that begins."""
        on_server = connection.dialect.name == POSTGRESQL
        own = f"import_{int(time.time())}_{secrets.token_hex(4)}_" if on_server else "import_"
        return cls(own, on_server)

    def make(self, connection: Connection) -> None:
        """Make the tables."""
        if self.on_server:
            _clear(connection)
        else:
            change(connection, "PRAGMA temp.cache_size = -65536")
        kind, end = ("UNLOGGED", "") if self.on_server else ("TEMP", " WITHOUT ROWID")
        for name, columns, key in (
            ("hubs", f"{_HUB}, line", "device_id"),
            ("registrations", f"{_REGISTRATION}, line", "device_id, mpxn, effective_from"),
            ("portion", "device_id", "device_id"),
        ):
            typed = _typed(columns) if self.on_server else columns
            made = f"CREATE {kind} TABLE {self.prefix}{name} ({typed}, PRIMARY KEY ({key})){end}"
            change(connection, made)

    def unmake(self, connection: Connection) -> None:
        """And drop them."""
        for name in _TABLES:
            change(connection, f"DROP TABLE IF EXISTS {self.prefix}{name}")

    def index(self, connection: Connection) -> None:
        """All is there: who shares a meter point is going to be asked."""
        change(
            connection, f"CREATE INDEX {self.prefix}by_point ON {self.prefix}registrations (mpxn)"
        )
        if self.on_server:
            for name in ("hubs", "registrations"):
                change(connection, f"ANALYZE {self.prefix}{name}")

    def done(self, connection: Connection) -> None:
        """The portion is loaded."""
        portion = f"SELECT device_id FROM {self.prefix}portion"  # noqa: S608 - our own words
        for name in _TABLES:
            gone = f"DELETE FROM {self.prefix}{name} WHERE device_id IN ({portion})"  # noqa: S608
            change(connection, gone)

    @property
    def strange(self) -> str:
        """Asks which hubs of a list in JSON are neither set aside nor in the ledger."""
        given = "json_array_elements_text(CAST(? AS JSON)) AS given (value)"
        return _STRANGE.format(self.prefix, given if self.on_server else "json_each(?)")

    @property
    def choose(self) -> str:
        """Chooses the next portion: how many hubs, thrice, and how many with what they share."""
        sharing = _SHARING_ON_POSTGRESQL if self.on_server else _SHARING
        return (_CHOOSE + sharing).format(self.prefix)

    @property
    def load_hubs(self) -> str:
        """Loads the hubs of the portion, known from a moment on."""
        return _LOAD.format(self.prefix, "hubs", _HUB, REPLACE_HUB)

    @property
    def load_registrations(self) -> str:
        """And the registrations."""
        return _LOAD.format(self.prefix, "registrations", _REGISTRATION, REPLACE_REGISTRATION)


def _typed(columns: str) -> str:
    kinds = {"line": "BIGINT"}
    return ", ".join(f"{each} {kinds.get(each, _TEXT)}" for each in columns.split(", "))


_TEXT = 'TEXT COLLATE "C"'


def _clear(connection: Connection) -> None:
    """Drop what imports that were killed have left."""
    asked = (
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        " AND tablename ~ '^import_[0-9]+_'"
    )
    for (name,) in read(connection, asked):
        if time.time() - int(name.split("_")[1]) > ABANDONED:
            change(connection, f"DROP TABLE IF EXISTS {name}")
