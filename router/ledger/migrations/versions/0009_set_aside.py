"""Alerts that are set aside, because their failures are their own; lanes that rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns; nothing is set aside, no lane rests."""
    op.add_column(
        "deliveries", sa.Column("aside", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("lanes", sa.Column("rest_until", sa.BigInteger()))
    op.create_index(
        "ix_deliveries_aside",
        "deliveries",
        ["lane_id"],
        sqlite_where=sa.text("aside = 1"),
        postgresql_where=sa.text("aside = 1"),
    )
