"""The tables of the ledger.

Records are append-only: facts, what was decided on which grounds, Alerts, attempts, outcomes,
quarantine and operators' actions. Each record names the link of the hash chain that covers it.
Work tables hold what is true now and may change; all of them but hubs, registrations and suspects
can be told again from the records.

Facts, evaluations, decisions and Alerts are views: `stored.py` has the tables that they are told
from.

Moments are whole microseconds since 1970 UTC, days are ISO text, ids of users and devices are
upper-case EUI-64.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

views = MetaData()
"""What is read as a table and stored as others; its migration says how it is told."""

# SQLite makes only an INTEGER primary key the row's own number
Number = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """The number of a row, given by the recorder."""
    return Column("id", Number, primary_key=True, autoincrement=False)


def link_column() -> Column[int]:
    """The link of the hash chain that covers this record."""
    return Column("link", Number, ForeignKey("links.id"), nullable=False)


# --- records --------------------------------------------------------------------------------

links = Table(
    "links",
    metadata,
    id_column(),
    Column("writer", Text, nullable=False),  # router or operator: each has its own chain
    Column("number", Number, nullable=False),  # gapless for each writer, from 1
    Column("at", BigInteger, nullable=False),
    Column("previous", Text, nullable=False),  # hash of this writer's previous link
    Column("hash", Text, nullable=False),  # SHA-256 over previous and all records of the link
    Column("marks", LargeBinary),  # by which a record is found that is not as it was: chain.py
    Index("uq_links_writer", "writer", "number", unique=True),
)

documents = Table(
    "documents",  # the rules and users files under which decisions were made
    metadata,
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # rules or users
    Column("content", Text, nullable=False),
    Column("first_used_at", BigInteger, nullable=False),
    link_column(),
)

facts = Table(
    "facts",
    views,
    Column("id", Number, primary_key=True),
    Column("source", Text, nullable=False),  # CloudEvents source and id: the idempotency key
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("effect", Text, nullable=False),  # decided; applied or stale for inventory facts
    Column("firmware_version", Text),  # these three on activations only
    Column("activated_at", BigInteger),
    Column("outcome", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),  # dsp hubherald.facts#17, drop facts.jsonl:12
    Column("evidence", Text),  # JSON: message id, headers
    Column("content_digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # byte for byte
    Column("link", Number, nullable=False),
)

evaluations = Table(
    "evaluations",  # the grounds on which an activation was decided
    views,
    Column("fact_id", Number, primary_key=True),
    Column("decided_at", BigInteger, nullable=False),
    Column("rules_digest", Text, nullable=False),
    Column("users_digest", Text, nullable=False),
    Column("hub", Text, nullable=False),  # JSON, as it was
    Column("registrations", Text, nullable=False),  # JSON, those in effect at decided_at
    Column("link", Number, nullable=False),
)

decisions = Table(
    "decisions",  # one for each candidate
    views,
    Column("id", Number, primary_key=True),
    Column("fact_id", Number, nullable=False),
    Column("party_id", Text),
    Column("role", Text),
    Column("verdict", Text, nullable=False),
    Column("rule", Text),
    Column("reason", Text),
    Column("alert_code", Text),
    Column("link", Number, nullable=False),
)

alerts = Table(
    "alerts",
    views,
    Column("id", Number, primary_key=True),
    Column("alert_id", Text, nullable=False),  # UUIDv5
    Column("fact_id", Number, nullable=False),
    Column("service_user_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("event", LargeBinary, nullable=False),  # the CloudEvents JSON, byte for byte
    Column("link", Number, nullable=False),
)

attempts = Table(
    "attempts",  # written before the send
    metadata,
    id_column(),
    Column("delivery_id", Number, ForeignKey("deliveries.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # from 1, for each delivery
    Column("batch", Text),  # the same for Alerts sent in one request
    link_column(),
    Column("alert", Number),  # these two from migration 0013 on: the delivery's Alert
    Column("sent", LargeBinary),  # SHA-256 of the bytes; null: the Alert's event
    Index("ix_attempts_delivery_id", "delivery_id"),
)

outcomes = Table(
    "outcomes",  # what became of an attempt, and of a delivery without one
    metadata,
    id_column(),
    Column("delivery_id", Number, ForeignKey("deliveries.id"), nullable=False),
    Column("attempt", Integer),  # its number; none for parked, withdrawn
    Column("at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("detail", Text),
    link_column(),
    Index("ix_outcomes_delivery_id", "delivery_id"),
)

quarantined = Table(
    "quarantined",
    metadata,
    id_column(),
    Column("key", Text, nullable=False),  # one row for one body with one reason
    Column("intake", Text, nullable=False),  # the configured source that brought it
    Column("source", Text),  # CloudEvents attributes, where they could be read
    Column("event_id", Text),
    Column("type", Text),
    Column("device_id", Text),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("evidence", Text),
    Column("content_digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    link_column(),
    Index("uq_quarantined_key", "key", unique=True),
    Index("ix_quarantined_event_id", "event_id"),
    Index("ix_quarantined_device_id", "device_id"),
)

actions = Table(
    "actions",  # what operators changed, and what the router changed by itself
    metadata,
    id_column(),
    Column("at", BigInteger, nullable=False),
    Column("operator", Text, nullable=False),  # system user, or router
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    link_column(),
)

RECORDS = (
    documents,
    facts,
    evaluations,
    decisions,
    alerts,
    attempts,
    outcomes,
    quarantined,
    actions,
)
"""In the order in which they are written and hashed."""

# --- work tables ----------------------------------------------------------------------------

cursors = Table(
    "cursors",
    metadata,
    Column("intake", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("digest", Text, nullable=False, server_default=""),  # SHA-256 of all before the offset
    Column("identity", Text, nullable=False, server_default=""),  # of a file: device:inode
)

hubs = Table(
    "hubs",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("smets_version", Text, nullable=False),
    Column("csp_region", Text),
    Column("model", Text),
    Column("hardware_version", Text),
    Column("replaced_by", Text),
    Column("groups", Text, nullable=False),  # JSON list
    Column("updated_at", BigInteger, nullable=False),  # the fact's time, or the import's
    sqlite_with_rowid=False,
)

firmware = Table(
    "firmware",  # what each hub runs now: the newest successful activation
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("activated_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

registrations = Table(
    "registrations",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("mpxn", Text, primary_key=True),
    Column("effective_from", Text, primary_key=True),
    Column("point", Text, nullable=False),
    Column("supplier_id", Text),
    Column("network_operator_id", Text),
    Column("effective_to", Text),
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_registrations_mpxn", "mpxn"),
    sqlite_with_rowid=False,
)

sequences = Table(
    "sequences",
    metadata,
    Column("service_user_id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

lanes = Table(
    "lanes",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("service_user_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("closed", Text),  # why; open when null
    Column("closed_detail", Text),
    Column("closed_at", BigInteger),
    Column("last_answer", Text),
    Column("last_answer_at", BigInteger),
    Column("unnamed_at", BigInteger),  # since when service_users.yaml does not name it
    Column("rest_until", BigInteger),  # nothing is sent before: it fails, or was asked to wait
    Column("closed_until", BigInteger),  # when a pause ends; null: with a resume
    Index("uq_lanes_service_user_id", "service_user_id", "channel", unique=True),
)

deliveries = Table(
    "deliveries",  # one Alert on one lane
    metadata,
    id_column(),
    Column("alert", Number, ForeignKey("stored_alerts.id"), nullable=False),
    Column("lane_id", Number, ForeignKey("lanes.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # not to be sent before
    Column("expires_at", BigInteger, nullable=False),  # to be parked after
    Column("batch", Text),  # its companions when it is sent again; null: alone, as it is
    Column("recheck", Integer, nullable=False),  # 1: read responsibility again; 2: had it before
    Column("rendered", LargeBinary),  # stored before the first send; null: the Alert's event
    Column("sent_by", Text),  # the adapter that batch and rendered are of; null: never sent
    Column("aside", Integer, nullable=False, server_default="0"),  # 1: fails by its own fault
    Index("ix_deliveries_alert", "alert"),
    Index(
        "ix_deliveries_pending",
        "lane_id",
        "sequence",
        sqlite_where=text("state IN ('waiting', 'sending', 'unknown')"),
    ),
    Index(
        "ix_deliveries_aside",
        "lane_id",
        sqlite_where=text("aside = 1"),
    ),
    Index(
        "ix_deliveries_parked",
        "lane_id",
        sqlite_where=text("state = 'parked'"),
    ),
    Index(
        "ix_deliveries_together",  # only of what comes back: what goes well never enters it
        "lane_id",
        "batch",
        sqlite_where=text("batch IS NOT NULL AND state IN ('waiting', 'unknown')"),
    ),
)

forms = Table(
    "forms",  # how other adapters sent a delivery before: it may have been taken so
    metadata,
    Column("delivery_id", Number, ForeignKey("deliveries.id"), primary_key=True),
    Column("adapter", Text, primary_key=True),
    Column("batch", Text),
    Column("rendered", LargeBinary),
    Index("ix_forms_batch", "batch"),
    sqlite_with_rowid=False,
)

holding = Table(
    "holding",  # what is still in quarantine
    metadata,
    Column("quarantined_id", Number, ForeignKey("quarantined.id"), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("device_id", Text),
    Column("released", Integer, nullable=False),  # 1: to be tried again
    Column("type", Text),  # of the fact, where it could be read
    Column("waits_since", BigInteger, nullable=False, server_default="0"),  # goes with the clock
    Index("ix_holding_device_id", "device_id"),
    Index("ix_holding_type", "type", "device_id"),
)

suspects = Table(
    "suspects",  # bodies that were being decided on when the router ended, and those it is at now
    metadata,
    Column("intake", Text, primary_key=True),
    Column("digest", Text, primary_key=True),  # SHA-256 of the body
    Column("taken", Integer, nullable=False),  # how often it was taken up and not finished
    Column("at", BigInteger, nullable=False),  # when it was last taken up
)

lives = Table(
    "lives",  # one row: the router of now, or the last one
    metadata,
    Column("id", Integer, primary_key=True),
    Column("running", Integer, nullable=False),  # 1 until it ends by itself
    Column("deaths", Integer, nullable=False),  # how many in a row did not, before this one
    Column("seen_at", BigInteger),  # when it was last known to run, but for what it wrote since
    Column("copied_at", BigInteger),  # of a backup that no router ran on yet: when it was made
    Column("moved_to", Text),  # the server that it was copied to, where routers go on
)
