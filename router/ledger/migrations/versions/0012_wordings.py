"""What repeats stands once: wordings of Alerts, verdicts, and under which files it was decided.

No row is written again: old ones stand whole, whatever their number, and only new ones are short.
So it takes no longer on a large ledger than on a small one, but for an index that goes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from router.errors import LedgerError
from router.ledger.migrations import wordings_on_postgresql

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
# By the number of the character that stands for it; the first, which the others may hold, is the
# hub's id. Rows are written with these: another one needs another number, and none may change.
_HUB = {
    2: '{"device_id":"\x01","status":"Commissioned","smets_version":"SMETS2"',
    3: '{"device_id":"\x01","status":"Commissioned","smets_version":"SMETS1"',
    4: ',"csp_region":"',
    5: '","model":"',
    6: '","hardware_version":"',
    7: '","groups":[]}',
}
_REGISTRATIONS = {
    2: '{"device_id":"\x01","mpxn":"',
    3: '","point":"import_mpan","supplier_id":"',
    4: '","point":"export_mpan","supplier_id":"',
    5: '","point":"mprn","supplier_id":"',
    6: '","network_operator_id":"',
    7: '","effective_from":"',
    8: '","effective_to":"',
    11: '"},',
}


_BODY = {
    4: '"hubherald.firmware.activated.v1"',
    5: '"specversion"',
    6: '"datacontenttype"',
    7: '"application/json"',
    8: '"firmware_version"',
    11: '"previous_firmware_version"',
    14: '"activated_at"',
    15: '"device_id"',
    16: '"outcome"',
    17: '"success"',
}
# Tables have no short names here, so that a plan of a query says which it reads.
_FACTS = """
CREATE VIEW facts AS SELECT id, source, event_id, type, device_id, effect, firmware_version,
    activated_at, outcome, received_at, origin, evidence,
    CASE typeof(content_digest) WHEN 'blob' THEN lower(hex(content_digest))
        ELSE content_digest END AS content_digest,
    CASE typeof(body) WHEN 'text' THEN CAST({body} AS BLOB) ELSE body END AS body,
    link
FROM stored_facts
"""
_EVALUATIONS = """
CREATE VIEW evaluations AS SELECT stored_evaluations.fact_id AS fact_id,
    stored_evaluations.decided_at AS decided_at,
    coalesce(stored_evaluations.rules_digest, standings.rules_digest) AS rules_digest,
    coalesce(stored_evaluations.users_digest, standings.users_digest) AS users_digest,
    {hub} AS hub,
    {registrations} AS registrations,
    stored_evaluations.link AS link
FROM stored_evaluations LEFT JOIN stored_facts ON stored_facts.id = stored_evaluations.fact_id
    LEFT JOIN standings ON standings.id = stored_evaluations.standing_id
"""
_DECISIONS = """
CREATE VIEW decisions AS SELECT stored_decisions.id AS id, stored_decisions.fact_id AS fact_id,
    stored_decisions.party_id AS party_id,
    coalesce(stored_decisions.role, verdicts.role) AS role,
    coalesce(stored_decisions.verdict, verdicts.verdict) AS verdict,
    coalesce(stored_decisions.rule, verdicts.rule) AS rule,
    coalesce(stored_decisions.reason, verdicts.reason) AS reason,
    coalesce(stored_decisions.alert_code, verdicts.alert_code) AS alert_code,
    stored_decisions.link AS link
FROM stored_decisions LEFT JOIN verdicts ON verdicts.id = stored_decisions.verdict_id
"""
_ALERTS = """
CREATE VIEW alerts AS SELECT stored_alerts.id AS id, stored_alerts.alert_id AS alert_id,
    stored_alerts.fact_id AS fact_id, stored_alerts.service_user_id AS service_user_id,
    stored_alerts.sequence AS sequence, stored_facts.device_id AS device_id,
    stored_alerts.decided_at AS decided_at,
    coalesce(stored_alerts.event, (
        SELECT CAST(printf({event}) AS BLOB) FROM wordings
        WHERE wordings.id = stored_alerts.wording_id
    )) AS event,
    stored_alerts.link AS link
FROM stored_alerts LEFT JOIN stored_facts ON stored_facts.id = stored_alerts.fact_id
"""


def upgrade() -> None:
    """Make room for both forms, and tell each record whole by a view of its old name."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        wordings_on_postgresql.upgrade(connection)
        return
    for statement in _TABLES.split(";"):
        connection.exec_driver_sql(statement)
    _make_optional(connection)
    quoted = {2: "'\"' || source || '\"'", 3: "'\"' || event_id || '\"'", 1: "device_id"}
    body = _replaced("body", {n: _literal(text) for n, text in _BODY.items()} | quoted)
    connection.exec_driver_sql(_FACTS.format(body=body))
    hub = _whole("stored_evaluations.hub", _HUB)
    registrations = _whole("stored_evaluations.registrations", _REGISTRATIONS)
    connection.exec_driver_sql(_EVALUATIONS.format(hub=hub, registrations=registrations))
    connection.exec_driver_sql(_DECISIONS)
    connection.exec_driver_sql(_ALERTS.format(event=_event()))


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


def _replaced(text: str, values: dict[int, str]) -> str:
    for number, value in values.items():
        text = f"replace({text}, char({number}), {value})"
    return text


def _whole(column: str, phrases: dict[int, str]) -> str:
    known = {number: _literal(text) for number, text in phrases.items()}
    return _replaced(column, {**known, 1: "stored_facts.device_id"})


def _literal(text: str) -> str:
    return "'" + text.replace("\x01", "' || char(1) || '") + "'"


def _event() -> str:
    quoted = "'\"' || stored_alerts.previous_firmware_version || '\"'"
    return ", ".join(
        (
            "wordings.template",
            "stored_alerts.alert_id",
            "stored_facts.device_id",
            _rfc3339("stored_alerts.decided_at"),
            "stored_facts.device_id",
            "stored_facts.firmware_version",
            f"coalesce({quoted}, 'null')",
            _rfc3339("stored_facts.activated_at"),
            "stored_alerts.service_user_id",
            "stored_alerts.sequence",
        )
    )


def _rfc3339(moment: str) -> str:
    return (
        f"(strftime('%Y-%m-%dT%H:%M:%S', {moment} / 1000000, 'unixepoch')"
        f" || CASE {moment} % 1000000 WHEN 0 THEN '' ELSE printf('.%06d', {moment} % 1000000) END"
        " || 'Z')"
    )
