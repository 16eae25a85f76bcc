"""lives: whether the last router ended by itself, or died."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Nothing is known of routers of before."""
    op.create_table(
        "lives",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
    )
