"""The tables that facts, evaluations, decisions and Alerts are stored in.

What repeats stands once, in a small table of its own, and what other records say does not stand
again: the views in `tables.py` tell each record whole, byte for byte as it was made and hashed.
Rows older than migration 0012 stand whole and have no number of a small table.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text, text

from router.ledger.tables import Number, id_column, link_column, metadata

Digest = Text().with_variant(LargeBinary, "postgresql")


def _fact() -> ForeignKey:
    return ForeignKey("stored_facts.id")


standings = Table(
    "standings",  # under which rules and users it was decided
    metadata,
    Column("id", Number, primary_key=True),
    Column("rules_digest", Text, ForeignKey("documents.digest"), nullable=False),
    Column("users_digest", Text, ForeignKey("documents.digest"), nullable=False),
    Index("ix_standings_rules_digest", "rules_digest", "users_digest"),
)

verdicts = Table(
    "verdicts",  # what a decision says but for whom it is on
    metadata,
    Column("id", Number, primary_key=True),
    Column("role", Text),
    Column("verdict", Text, nullable=False),
    Column("rule", Text),
    Column("reason", Text),
    Column("alert_code", Text),
    Index("ix_verdicts_rule", "rule", "role"),
)

wordings = Table(
    "wordings",  # the bytes of Alerts but for what each has of its own: abbreviations.py
    metadata,
    Column("id", Number, primary_key=True),
    Column("template", Text, nullable=False),
    Index("uq_wordings_template", "template", unique=True),
)

stored_facts = Table(
    "stored_facts",
    metadata,
    id_column(),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("firmware_version", Text),
    Column("activated_at", BigInteger),
    Column("outcome", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("evidence", Text),
    Column("content_digest", Digest, nullable=False),  # a blob: its bytes, and not their digits
    Column("body", LargeBinary, nullable=False),  # text: abbreviated
    link_column(),
    Index("uq_facts_source", "source", "event_id", unique=True),
    Index("ix_facts_device_id", "device_id", "activated_at"),
    Index(
        "ix_facts_firmware_version",
        *("firmware_version", "outcome", "device_id", "activated_at"),
        sqlite_where=text("firmware_version IS NOT NULL"),
    ),
)

stored_evaluations = Table(
    "stored_evaluations",
    metadata,
    Column("fact_id", Number, _fact(), primary_key=True, autoincrement=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("rules_digest", Text, ForeignKey("documents.digest")),
    Column("users_digest", Text, ForeignKey("documents.digest")),
    Column("hub", Text, nullable=False),  # abbreviated
    Column("registrations", Text, nullable=False),  # abbreviated
    link_column(),
    Column("standing_id", Number, ForeignKey("standings.id")),
)

stored_decisions = Table(
    "stored_decisions",
    metadata,
    id_column(),
    Column("fact_id", Number, _fact(), nullable=False),
    Column("party_id", Text),
    Column("role", Text),
    Column("verdict", Text),
    Column("rule", Text),
    Column("reason", Text),
    Column("alert_code", Text),
    link_column(),
    Column("verdict_id", Number, ForeignKey("verdicts.id")),
    Index("ix_decisions_fact_id", "fact_id"),
)

stored_alerts = Table(
    "stored_alerts",
    metadata,
    id_column(),
    Column("alert_id", Text, nullable=False),
    Column("fact_id", Number, _fact(), nullable=False),
    Column("service_user_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("device_id", Text),  # null: as its fact has it
    Column("decided_at", BigInteger, nullable=False),
    Column("event", LargeBinary),  # null: told from its wording
    link_column(),
    Column("wording_id", Number, ForeignKey("wordings.id")),
    Column("previous_firmware_version", Text),  # where there is a wording
    Index("uq_alerts_alert_id", "alert_id", unique=True),
    Index("uq_alerts_service_user_id", "service_user_id", "sequence", unique=True),
    Index("ix_alerts_fact_id", "fact_id"),
)
