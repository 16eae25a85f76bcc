"""Where a ledger was copied to: no router is to go on with the old one unawares."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """None was."""
    by_bytes = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("lives", sa.Column("moved_to", by_bytes))
