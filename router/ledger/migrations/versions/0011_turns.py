"""Whose turn it is to leave quarantine, and since when it waits; when a router last ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """What waits has its type and the beginning of its wait from its record."""
    op.add_column("holding", sa.Column("type", sa.Text()))
    op.add_column(
        "holding", sa.Column("waits_since", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("lives", sa.Column("seen_at", sa.BigInteger()))
    op.execute(
        "UPDATE holding SET (type, waits_since) = (SELECT type, received_at FROM quarantined"
        " WHERE quarantined.id = holding.quarantined_id)"
    )
    op.create_index("ix_holding_type", "holding", ["type", "device_id"])
