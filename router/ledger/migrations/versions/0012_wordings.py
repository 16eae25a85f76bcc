"""What repeats stands once: wordings of Alerts, verdicts, and under which files it was decided.

No row is written again: old ones stand whole, whatever their number, and only new ones are short.
So it takes no longer on a large ledger than on a small one, but for an index that goes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from router.errors import LedgerError
from router.ledger.migrations import wordings_on_postgresql
from router.ledger.migrations.wordings import Spelling

revision = "0012"
down_revision = "0011"

_TABLES = """
CREATE TABLE standings (
    id INTEGER NOT NULL PRIMARY KEY,
    rules_digest TEXT NOT NULL REFERENCES documents (digest),
    users_digest TEXT NOT NULL REFERENCES documents (digest)
);
CREATE TABLE verdicts (
    id INTEGER NOT NULL PRIMARY KEY,
    role TEXT, verdict TEXT NOT NULL, rule TEXT, reason TEXT, alert_code TEXT
);
CREATE INDEX ix_standings_rules_digest ON standings (rules_digest, users_digest);
CREATE INDEX ix_verdicts_rule ON verdicts (rule, role);
CREATE TABLE wordings (id INTEGER NOT NULL PRIMARY KEY, template TEXT NOT NULL);
CREATE UNIQUE INDEX uq_wordings_template ON wordings (template);
ALTER TABLE facts RENAME TO stored_facts;
ALTER TABLE evaluations RENAME TO stored_evaluations;
ALTER TABLE stored_evaluations ADD COLUMN standing_id INTEGER REFERENCES standings (id);
ALTER TABLE decisions RENAME TO stored_decisions;
ALTER TABLE stored_decisions ADD COLUMN verdict_id INTEGER REFERENCES verdicts (id);
ALTER TABLE alerts RENAME TO stored_alerts;
ALTER TABLE stored_alerts ADD COLUMN wording_id INTEGER REFERENCES wordings (id);
ALTER TABLE stored_alerts ADD COLUMN previous_firmware_version TEXT;
DROP INDEX ix_alerts_device_id
"""
_OPTIONAL = {
    "stored_evaluations": ("rules_digest TEXT", "users_digest TEXT"),
    "stored_decisions": ("verdict TEXT",),
    "stored_alerts": ("device_id TEXT", "event BLOB"),
}
_FACTS = """
CREATE VIEW facts AS SELECT id, source, event_id, type, device_id, effect, firmware_version,
    activated_at, outcome, received_at, origin, evidence,
    CASE typeof(content_digest) WHEN 'blob' THEN lower(hex(content_digest))
        ELSE content_digest END AS content_digest,
    CASE typeof(body) WHEN 'text' THEN CAST({body} AS BLOB) ELSE body END AS body,
    link
FROM stored_facts
"""
_SPELLING = Spelling(
    character="char",
    event="CAST(printf({}) AS BLOB)",
    moment=(
        "(strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch')"
        " || CASE {0} % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', {0} % 1000000) END || 'Z')"
    ),
)


def upgrade() -> None:
    """Make room for both forms, and tell each record whole by a view of its old name."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        wordings_on_postgresql.upgrade(connection)
        return
    for statement in _TABLES.split(";"):
        connection.exec_driver_sql(statement)
    _make_optional(connection)
    for view in _SPELLING.views(_FACTS, "body"):
        connection.exec_driver_sql(view)


def _make_optional(connection: sa.Connection) -> None:
    """As https://www.sqlite.org/lang_altertable.html has it, where no row is to be written anew."""
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table, columns in _OPTIONAL.items():
        for column in columns:
            connection.execute(
                sa.text("UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE name = :of"),
                {"old": f"{column} NOT NULL", "new": column, "of": table},
            )
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = RESET")
    for table, columns in _OPTIONAL.items():
        names = [column.split()[0] for column in columns]
        if any(
            each["name"] in names and not each["nullable"]
            for each in sa.inspect(connection).get_columns(table)
        ):
            raise LedgerError(
                "the SQLite library of this Python lets nobody change a schema, so the ledger can't"
                " be brought up to this version: run it with the Python of your distribution"
            )
