"""parked: what is parked can be counted without reading all deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the ledger to this revision."""

    op.create_index(
        "ix_deliveries_parked",
        "deliveries",
        ["lane_id"],
        sqlite_where=sa.text("state = 'parked'"),
        postgresql_where=sa.text("state = 'parked'"),
    )
